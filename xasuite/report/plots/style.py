"""The style of all figures: journal column widths, colour-blind-safe colours, data black, fit red; axis labels; saving."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...constants import ELEMENTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    from ...records import Array

COLUMN = 3.35  # inches, one column (85 mm)
DOUBLE = 7.0  # inches, two columns (178 mm)
_NOT_WRITTEN = (".jpg", ".jpeg", ".tif", ".tiff", ".eps", ".ps", ".docx", ".doc", ".xlsx", ".csv")
DATA = "black"
FIT = "#D00000"
# Okabe and Ito's palette, distinguished by all common kinds of colour vision
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
SEQUENTIAL = "viridis"
ALONG, ALONG_END = "plasma", 0.82  # curves along a series: no yellow, which is lost on white
DIVERGING = "RdBu_r"

ENERGY = "Energy (eV)"
K = "k (Å$^{-1}$)"
R = "R (Å), not corrected for phase"
R_UP = "R (Å),\nnot corrected for phase"  # along a short vertical axis
SMALL = 6.5  # points: names within a panel, marks in a corner
NORM = "Normalised μ(E)"

_RC: dict[str, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 300,
    # what journals ask for, the first that is there; DejaVu has every character that the others lack
    "font.family": ["sans-serif", "DejaVu Sans"],
    "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "Nimbus Sans", "DejaVu Sans"],
    "mathtext.default": "regular",
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
    """The style as a context that gives matplotlib.pyplot, or as a decorator of a function that draws."""
    import matplotlib as mpl
    from cycler import cycler

    rc: Any = {**_RC, "axes.prop_cycle": cycler(color=COLORS)}
    with mpl.rc_context(rc):
        import matplotlib.pyplot as plt

        yield plt


def panels(rows: int, columns: int, width: float, height: float, **settings: Any) -> tuple[Figure, Any]:
    """A figure of so many inches and its axes, as pyplot's `subplots` gives them, laid out so that nothing overlaps."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=(width, height), **{"layout": "constrained"} | settings)


def thinned(m: int, most: int) -> NDArray[np.intp]:
    """Indices of at most `most` of m rows, evenly spaced, first and last included."""
    return np.unique(np.linspace(0, m - 1, min(m, most)).round().astype(int))


def along(places: Iterable[float]) -> Array:
    """Colours (m, 4) of curves along a series; `places` from 0 to 1."""
    import matplotlib as mpl

    return mpl.colormaps[ALONG]([ALONG_END * p for p in places])


def along_map() -> ListedColormap:
    """The colour map of `along`, for a colour bar."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(along(i / 255 for i in range(256)))


def bar(axis: Axes, low: float, high: float, label: str) -> Colorbar:
    """A colour bar of `along` at the right of an axis."""
    import matplotlib as mpl

    shades = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), along_map())
    return axis.figure.colorbar(shades, ax=axis, pad=0.02, label=label)


def data_and_fit(axis: Axes, x: Array, data: Array, fit: Array, span: Any = (), **look: Any) -> None:
    """Data in black and fit in red; `span` (low, high) is shaded as the range of the fit."""
    if span:
        axis.axvspan(*span, color="0.94", lw=0, zorder=0)
    axis.plot(x, data, color=DATA, label="data", **look)
    axis.plot(x, fit, color=FIT, label="fit", **look)


def letters(axes: Iterable[Axes]) -> None:
    """Write (a), (b), ... before the left titles of panels."""
    for letter, axis in zip("abcdefghijklmnop", axes, strict=False):
        axis.set_title(f"({letter}) {axis.get_title(loc='left')}".rstrip(), loc="left")


def formula(label: str) -> str:
    """A label with the numbers of its chemical formulas as subscripts: Co3O4 in "Co3O4 film", not 2 in "scan 2".

    Examples
    --------
    >>> formula("LiFePO4, pristine"), formula("scan 2b")
    ('LiFePO$_4$, pristine', 'scan 2b')
    """
    return re.sub(r"[A-Za-z0-9.]+", lambda word: _subscripts(word[0]), label)


def _subscripts(word: str) -> str:
    parts = re.findall(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?", word)
    whole = "".join(a + b for a, b in parts) == word and len(parts) > 1
    if not whole or not all(a in ELEMENTS for a, _ in parts):
        return word
    return "".join(a + (f"$_{{{b}}}$" if len(b) > 1 else f"$_{b}$" if b else "") for a, b in parts)


def chik_label(kweight: float) -> str:
    """Axis label of k-weighted chi(k) with its unit."""
    n = f"{kweight:g}"
    return "χ(k)" if kweight == 0 else f"k$^{{{n}}}$χ(k) (Å$^{{-{n}}}$)"


def chir_label(kweight: float, part: str = "magnitude") -> str:
    """Axis label of chi(R) with its unit, A^-(kweight + 1)."""
    name = {"magnitude": "|χ(R)|", "real": "Re χ(R)", "imag": "Im χ(R)"}[part]
    return f"{name} (Å$^{{-{kweight + 1:g}}}$)"


def save(figure: Figure, stem: str | Path, formats: tuple[str, ...] = ("png", "pdf")) -> list[Path]:
    """Write a figure as stem.png, stem.pdf, ... (temporary name, then renamed) and close it; plot.png is that file alone."""
    import matplotlib.pyplot as plt

    from ...errors import WriteError
    from ...files import replacing

    stem, paths = Path(stem), []
    if stem.suffix in (".png", ".pdf", ".svg"):
        stem, formats = stem.with_suffix(""), (stem.suffix[1:],)
    if stem.suffix.lower() in _NOT_WRITTEN:
        plt.close(figure)
        raise WriteError(f"{stem}: figures are not written as {stem.suffix}; name it .png, .pdf or .svg")
    for kind in formats:
        target = Path(f"{stem}.{kind}")
        # resolution and kind of fonts are read when a figure is written, not when it is drawn
        with replacing(target) as temporary, style():
            figure.savefig(temporary, format=kind)
        figure.set_layout_engine("none")  # laid out once: the next format takes it as it is
        paths.append(target)
    plt.close(figure)
    return paths
