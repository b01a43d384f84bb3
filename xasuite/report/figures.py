"""figure(kind, inputs): the figures of a paper from specs, data files, results, series and records."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError


@dataclass(frozen=True)
class Kind:
    """A kind of figure: the function that draws it, what it takes, and a line that says what it shows."""

    function: str
    takes: str  # samples, fits, valence, run, theory
    text: str


KINDS: dict[str, Kind] = {
    "xanes": Kind("paper:xanes", "samples", "XANES with the edge enlarged, by sample or against time"),
    "ft": Kind("paper:ft", "samples", "|chi(R)| above each other, by sample or against time"),
    "fit": Kind("paper:k_and_r", "fits", "fits in k and R, a row a sample"),
    "fits": Kind("paper:fits", "fits", "|chi(R)| above Re chi(R), a column a sample or time"),
    "wavelet": Kind("paper:wavelets", "samples", "wavelet maps side by side"),
    "film": Kind("paper:film", "samples", "wavelet maps against time"),
    "valence": Kind(
        "xanes:valence", "valence", "formal oxidation state against edge energy, from a valence spec"
    ),
    "parameters": Kind("series:plot_parameters", "run", "parameters of a series against time"),
    "map": Kind("series:plot_map", "run", "XANES or |chi(R)| of a series as a map"),
    "waterfall": Kind("series:plot_waterfall", "run", "XANES or |chi(R)| of a series above each other"),
}
FORMATS = ("pdf", "svg", "png")


def figure(kind: str, /, *inputs: Any, **options: Any) -> Any:
    """A figure of a paper, as a matplotlib Figure; save it with `save_figure`.

    Parameters
    ----------
    kind : one of KINDS.
    inputs : specs (.toml), data files, folders of results, series.h5, or records.
    options : rows=, data_root= (see `samples`), and those of the kind's own function.

    Raises DataError for an unknown kind or no input.
    """
    from ..spec.load import nearest

    if kind not in KINDS:
        raise DataError(f"there is no figure {kind!r}{nearest(kind, KINDS)}")
    module, _, name = KINDS[kind].function.partition(":")
    draw = getattr(importlib.import_module(f"{__package__}.plots.{module}"), name)
    takes = KINDS[kind].takes
    if takes in ("samples", "fits"):
        from .samples import samples

        chosen = {n: options.pop(n) for n in ("rows", "data_root") if n in options}
        return draw(samples(*inputs, fit=takes == "fits", **chosen), **options)
    if len(inputs) != 1:
        raise DataError(
            f"a {kind} figure is of one {'valence spec' if takes == 'valence' else 'series'}, not of {len(inputs)}"
        )
    if takes == "run":
        return draw(_run(inputs[0]), **options)
    return _valence(inputs[0], draw, options)


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
    made: Any, stem: str | Path, formats: tuple[str, ...] = FORMATS, *, width: float | None = None
) -> list[Path]:
    """Write a figure as stem.pdf, stem.svg, stem.png; `width` in inches scales it to another column.

    Raises DataError for another format, WriteError.
    """
    from .plots.style import save

    wrong = [f for f in formats if f not in FORMATS]
    if wrong:
        raise DataError(f"figures are written as {', '.join(FORMATS)}, not as {wrong[0]!r}")
    if width is not None:
        w, h = made.get_size_inches()
        made.set_size_inches(width, h * width / w)
    return save(made, stem, formats)
