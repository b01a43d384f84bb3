"""figure(kind, inputs): figures from specs, data files, results, series and records; figure("PAPER/NAME"): a paper's."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Kind:
    """A kind of figure: the function that draws it, what it takes, and a line that says what it shows."""

    function: str
    takes: str  # samples, fits, spectra, valence, run, study, claim
    text: str


KINDS: dict[str, Kind] = {
    "xanes": Kind("paper:xanes", "samples", "XANES with the edge enlarged, by sample or against time"),
    "ft": Kind("paper:ft", "samples", "|chi(R)| above each other, by sample or against time"),
    "fit": Kind("paper:k_and_r", "fits", "fits in k and R, one row per sample"),
    "fits": Kind("paper:fits", "fits", "|chi(R)| above Re chi(R), one column per sample or time"),
    "wavelet": Kind("paper:wavelets", "samples", "wavelet maps side by side"),
    "film": Kind("paper:film", "samples", "wavelet maps against time"),
    "lines": Kind("paper:lines", "spectra", "white lines at L edges, one panel per absorber"),
    "lobes": Kind(
        "wavelet:plot_wavelets", "claim", "wavelet maps of a published claim's structures, PAPER/CLAIM"
    ),
    "growth": Kind(
        "wavelet:plot_film", "claim", "a lobe that a published claim says to grow in, PAPER/CLAIM"
    ),
    "structures": Kind("theory:plot_structures", "study", "computed XANES of structures, PAPER/STUDY"),
    "valence": Kind(
        "xanes:valence", "valence", "formal oxidation state against edge energy, from a valence spec"
    ),
    "parameters": Kind("series:plot_parameters", "run", "parameters of a series against time"),
    "map": Kind("series:plot_map", "run", "XANES or |chi(R)| of a series as a map"),
    "waterfall": Kind("series:plot_waterfall", "run", "XANES or |chi(R)| of a series above each other"),
}
FORMATS = ("pdf", "svg", "png")


def figure(kind: str, /, *inputs: Any, **options: Any) -> Figure:
    """A figure as a matplotlib Figure; save it with `save_figure`.

    Parameters
    ----------
    kind : str
        one of KINDS, or PAPER/NAME of a figure of references/published, which brings its inputs and options.
    *inputs
        specs (.toml), data files, folders of results, series.h5, or records.
    **options
        rows=, data_root= (see `samples`), and those of the kind's own function.

    Returns
    -------
    matplotlib.figure.Figure
        In the style of the suite, at its column width.

    Raises
    ------
    DataError
        For an unknown kind or no input.
    SpecError
        For an unknown published figure.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> made = xs.report.figure("ft", xs.write(f"{mkdtemp()}/cu.xdi", spectrum), k=(3, 12), kweight=2)
    >>> type(made).__name__
    'Figure'
    """
    if "/" in kind:
        return _published(kind, inputs, options)
    if kind not in KINDS:
        raise DataError(f"there is no figure {kind!r}{nearest(kind, KINDS)}")
    module, _, name = KINDS[kind].function.partition(":")
    draw = getattr(importlib.import_module(f"{__package__}.plots.{module}"), name)
    takes = KINDS[kind].takes
    _known(kind, draw, options)
    if takes == "spectra":
        return draw(inputs, **options)
    if takes in ("samples", "fits"):
        from .samples import samples

        chosen = {n: options.pop(n) for n in ("rows", "data_root") if n in options}
        return draw(samples(*inputs, fit=takes == "fits", **chosen), **options)
    if len(inputs) != 1:
        one = {"valence": "valence spec", "run": "series", "study": "study", "claim": "claim"}[takes]
        raise DataError(f"a {kind} figure is of one {one}, not of {len(inputs)}")
    if takes == "valence":
        return _valence(inputs[0], draw, options)
    made, own = _ONE[takes](inputs[0], options)
    return draw(made, **own, **options)


def _known(kind: str, draw: Any, options: dict[str, Any]) -> None:
    """Raises DataError for an option that neither the drawing nor what makes its input takes."""
    own = [n for n, p in list(inspect.signature(draw).parameters.items())[1:] if p.kind is not p.VAR_KEYWORD]
    known = [*own, *_OF_INPUT[KINDS[kind].takes]]
    for name in options:
        if name not in known:
            raise DataError(f"a {kind} figure has no option {name!r}{nearest(name, known)}")


def _published(reference: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A figure of references/published; options given win over its own."""
    from ..workflow.figure_inputs import made, published_figure

    entry = published_figure(reference)
    if inputs:
        raise DataError(f"{reference} has its own inputs; for yours: xasuite figure {entry.kind} FILE ...")
    return figure(entry.kind, *map(made, entry.inputs), **{**entry.options, **options})


def _of_run(one: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return _run(one), {}


def _of_study(one: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A computed study; the options of theory_xanes are taken out of those of the drawing."""
    from ..specs.studies import StructuresStudy
    from ..workflow.structures import compare_structures, load_study

    own = {n: options.pop(n) for n in ("scf", "radius", "sigma2") if n in options}
    study = load_study(one) if isinstance(one, str) else one
    return compare_structures(study, **own) if isinstance(study, StructuresStudy) else study, {}


def _of_claim(one: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from ..workflow.figure_inputs import claim_maps

    return claim_maps(one)


# options that are taken out before the drawing, by what a figure is of
_OF_INPUT: dict[str, tuple[str, ...]] = {
    "samples": ("rows", "data_root"), "fits": ("rows", "data_root"), "spectra": (), "run": (), "claim": (),
    "study": ("scf", "radius", "sigma2"), "valence": ("data_root", "fraction"),
}  # fmt: skip
_ONE = {"run": _of_run, "study": _of_study, "claim": _of_claim}


def _run(one: Any) -> Any:
    from .._series.record import SeriesRun, open_run

    return one if isinstance(one, SeriesRun) else open_run(one)


def _valence(one: Any, draw: Any, options: dict[str, Any]) -> Any:
    from ..references import fits_dir
    from ..workflow.valence import run_valence

    root, level = options.pop("data_root", None), options.pop("fraction", None)
    if isinstance(one, (str, Path)):
        path = Path(one)
        one = run_valence(path if path.exists() else fits_dir().parent / path, data_root=root)
    options.setdefault("kind", one.kind)
    return draw(one.results[0] if level is None else one.at(level), **options)


def save_figure(
    made: Figure, stem: str | Path, formats: tuple[str, ...] = FORMATS, *, width: float | None = None
) -> list[Path]:
    """Write a figure as stem.pdf, stem.svg, stem.png; `width` in inches scales it to another column.

    Parameters
    ----------
    made : object
        Of `figure`.
    stem : str or Path
        Path without suffix; with one of the formats' suffixes that file alone is written.
    formats : tuple of str
        Of pdf, svg, png.
    width : float, optional
        Width in inches.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    DataError
        For another format.
    WriteError
        A place that cannot be written.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> from xasuite.report import save_figure
    >>> [p.suffix for p in save_figure(xs.plot(chi), f"{mkdtemp()}/chi", formats=("png",))]
    ['.png']
    """
    from .plots.style import save

    wrong = [f for f in formats if f not in FORMATS]
    if wrong:
        raise DataError(f"figures are written as {', '.join(FORMATS)}, not as {wrong[0]!r}")
    if width is not None:
        w, h = made.get_size_inches()
        made.set_size_inches(width, h * width / w)
    return save(made, stem, formats)
