"""The pictures of README.md and the user guide, made from specs that need no measured data: ``python docs/make_images.py``."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

HERE = Path(__file__).resolve().parent
FITS = HERE.parent / "fits"
DPI = 130


def save(figure: Any, name: str) -> None:
    """Write docs/images/NAME.png with a palette, small enough for a page."""
    import matplotlib.pyplot as plt

    from xasuite.files import replacing
    from xasuite.report.display import slim

    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI, bbox_inches="tight")
    plt.close(figure)
    with replacing(HERE / "images" / f"{name}.png") as temporary:
        temporary.write_bytes(slim(raw.getvalue()))


def main() -> None:
    """All of them."""
    import xasuite as xs
    from xasuite.workflow.resolve import example_file

    # the fit whose table stands in the README
    copper = xs.fit(example_file("PyMca5:EXAFS_Cu.dat", "make_images"), crystal="Cu")
    save(xs.plot(copper.rows[0]), "cu_foil")
    after = xs.fit(FITS / "ccro" / "s9_co.toml")
    save(xs.plot(after.rows[0]), "ccro_30h_closure")
    run = xs.series(FITS / "ccro_series" / "co.toml", output=mkdtemp())
    save(run.plot("Co-O.r", "Co-O.n"), "series_closure")


if __name__ == "__main__":
    main()
