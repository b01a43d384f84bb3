"""`xasuite layouts`: the user's own descriptions of the columns of beamline files."""

from __future__ import annotations

from dataclasses import asdict

from .common import say


def layouts() -> None:
    """List your layouts of column files, and the file that holds them."""
    from ..io.layouts import layouts as found
    from ..io.layouts import path

    say(str(path()))
    listed = found()
    for one in listed:
        says = ", ".join(f"{k} = {v}" for k, v in asdict(one.says).items() if v)
        say(f"  {one.name}: columns {', '.join(one.columns)}: {says}")
    if not listed:
        say(
            '  no layouts yet; write [[layout]] with name, columns = ["det1", "det2"] and mu = "ln(det1/det2)"'
        )
