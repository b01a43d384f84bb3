"""figure(kind, inputs) draws specs, data files, results, series and records; figure("PAPER/NAME") a published figure."""

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
        "wavelet:plot_film", "claim", "wavelet maps of a lobe that grows by a published claim, PAPER/CLAIM"
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
        One of KINDS, or PAPER/NAME for a figure of references/published, which has its own inputs and options.
    *inputs
        Specs (.toml), data files, folders of results, series.h5, or records.
    **options
        rows and data_root (see `samples`), and the options of the function that draws this kind.

    Returns
    -------
    matplotlib.figure.Figure
        In the style of the package, one or two columns of a journal wide.

    Raises
    ------
    DataError
        For an unknown kind or option, or no input.
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
    _known(kind, draw, options)
    own = {n: options.pop(n) for n in _OF_INPUT[KINDS[kind].takes] if n in options}
    made, implied = _made(kind, inputs, own)
    return draw(made, **implied | options)


def _known(kind: str, draw: Any, options: dict[str, Any]) -> None:
    """Raises DataError for an option that neither the drawing nor the reading of its input takes."""
    own = [n for n, p in list(inspect.signature(draw).parameters.items())[1:] if p.kind is not p.VAR_KEYWORD]
    known = [*own, *_OF_INPUT[KINDS[kind].takes]]
    for name in options:
        if name not in known:
            raise DataError(f"a {kind} figure has no option {name!r}{nearest(name, known)}")


def _published(reference: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A figure of references/published; `options` replace its own."""
    from ..specs.published import figure as entry_of
    from ..workflow.figure_inputs import made

    entry = entry_of(reference)
    if inputs:
        raise DataError(f"{reference} has its own inputs; for yours: xasuite figure {entry.kind} FILE ...")
    return figure(entry.kind, *map(made, entry.inputs), **{**entry.options, **options})


# Options for reading the input, which the drawing does not get, by what a figure takes
_OF_INPUT: dict[str, tuple[str, ...]] = {
    "samples": ("rows", "data_root"), "fits": ("rows", "data_root"), "spectra": (), "run": (), "claim": (),
    "study": ("scf", "radius", "sigma2"), "valence": ("data_root", "fraction"),
}  # fmt: skip


def _made(kind: str, inputs: tuple[Any, ...], own: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The object to draw, made from the inputs, and options of the drawing that follow from it."""
    takes = KINDS[kind].takes
    if takes == "spectra":
        return inputs, {}
    if takes in ("samples", "fits"):
        from .samples import samples

        return samples(*inputs, fit=takes == "fits", **own), {}
    if len(inputs) != 1:
        of = "valence spec" if takes == "valence" else "series" if takes == "run" else takes
        raise DataError(f"a {kind} figure is of one {of}, not of {len(inputs)}")
    one = inputs[0]
    if takes == "run":
        from .._series.record import SeriesRun, open_run

        return one if isinstance(one, SeriesRun) else open_run(one), {}
    if takes == "claim":
        from ..workflow.figure_inputs import claim_maps

        return claim_maps(one)
    return _study(one, **own) if takes == "study" else _valence(one, **own)


def _study(one: Any, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """A computed study; the settings are those of theory_xanes."""
    from ..specs.published import study as study_of
    from ..specs.studies import StructuresStudy
    from ..workflow.structures import compare_structures

    study = study_of(one) if isinstance(one, str) else one
    return compare_structures(study, **settings) if isinstance(study, StructuresStudy) else study, {}


def _valence(one: Any, data_root: Any = None, fraction: float | None = None) -> tuple[Any, dict[str, Any]]:
    from ..references import fits_dir
    from ..workflow.valence import run_valence

    if isinstance(one, (str, Path)):
        path = Path(one)
        one = run_valence(path if path.exists() else fits_dir().parent / path, data_root=data_root)
    return one.results[0] if fraction is None else one.at(fraction), {"kind": one.kind}


def save_figure(
    made: Figure, stem: str | Path, formats: tuple[str, ...] = FORMATS, *, width: float | None = None
) -> list[Path]:
    """Write a figure as stem.pdf, stem.svg and stem.png.

    Parameters
    ----------
    made : matplotlib Figure
        As `figure` gives it.
    stem : str or Path
        Path without suffix; with one of the formats' suffixes that file alone is written.
    formats : tuple of str
        Of pdf, svg, png.
    width : float, optional
        Width in inches to which the figure is scaled.

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
