"""One style sheet: journal column widths, colour-blind-safe colours, data black, fit red."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COLUMN = 3.35  # inches, one column (85 mm)
DOUBLE = 7.0  # inches, two columns (178 mm)
DATA = "black"
FIT = "#D00000"
# Okabe and Ito's palette, told apart by all common kinds of colour vision
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"

ENERGY = "Energy (eV)"
K = "k (Å$^{-1}$)"
R = "R (Å)"
NORM = "Normalised μ(E)"

_RC: dict[str, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 300,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": None,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


@contextmanager
def style() -> Iterator[Any]:
    """The style sheet as a context; gives matplotlib.pyplot on a backend that needs no screen."""
    import matplotlib as mpl
    from cycler import cycler

    rc: Any = {**_RC, "axes.prop_cycle": cycler(color=COLORS)}
    with mpl.rc_context(rc):
        import matplotlib.pyplot as plt

        yield plt


def chik_label(kweight: float) -> str:
    """Axis label of k-weighted chi(k) with its unit."""
    n = f"{kweight:g}"
    return "χ(k)" if kweight == 0 else f"k$^{{{n}}}$χ(k) (Å$^{{-{n}}}$)"


def chir_label(kweight: float, part: str = "magnitude") -> str:
    """Axis label of chi(R) with its unit, A^-(kweight + 1)."""
    name = {"magnitude": "|χ(R)|", "real": "Re χ(R)", "imag": "Im χ(R)"}[part]
    return f"{name} (Å$^{{-{kweight + 1:g}}}$)"


def save(figure: Any, stem: str | Path, formats: tuple[str, ...] = ("png", "pdf")) -> list[Path]:
    """Write a figure as stem.png, stem.pdf, ... (temporary name, then renamed) and close it."""
    import matplotlib.pyplot as plt

    from ...files import replacing

    paths = []
    for kind in formats:
        target = Path(f"{stem}.{kind}")
        # resolution and kind of fonts are read when a figure is written, not when it is drawn
        with replacing(target) as temporary, style():
            figure.savefig(temporary, format=kind)
        figure.set_layout_engine("none")  # laid out once: the next format takes it as it is
        paths.append(target)
    plt.close(figure)
    return paths
