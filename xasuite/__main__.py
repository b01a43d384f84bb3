"""``python -m xasuite`` is the command line."""

from .cli import main

main()
