"""``python -m xasuite`` and the command xasuite: Ctrl-C while the command line is imported ends it without a traceback."""

from __future__ import annotations

import os
import signal
from typing import Any


def main() -> None:
    """Import and run the command line."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _ended_at_once)
    from .cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


def _ended_at_once(number: int, _: Any) -> None:
    """End at once: nothing has begun that has to be saved."""
    os.write(2, b"xasuite: interrupted\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
