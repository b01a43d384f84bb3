"""A module a family of file formats: each parses bytes or text into tables."""
