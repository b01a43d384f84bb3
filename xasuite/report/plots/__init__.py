"""Figures in the style of the papers; one module a kind of record."""
