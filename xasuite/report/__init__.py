"""Figures, tables and reports of the records."""
