"""One module per family of file formats: each parses bytes or text into tables."""
