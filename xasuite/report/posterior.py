"""Files of a sampled posterior: its numbers as JSON, and the corner plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from .. import files
from ..errors import XasuiteError
from ..workflow.posterior import Posterior

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_posterior(found: Posterior, *, figures: bool = True) -> list[Path]:
    """JSON and corner plot (.png, .pdf) in the chain's folder. Raises WriteError."""
    base = found.file.with_suffix("")
    written = [
        found.file,
        files.write_text(base.with_suffix(".json"), json.dumps(found.to_dict(), indent=1) + "\n"),
    ]
    if figures:
        from .plots.style import save

        written += save(plot_posterior(found), base)
    return written


def plot_posterior(found: Posterior) -> Figure:
    """The corner plot: samples of every pair of varied parameters, values of the error budget as lines.

    Raises XasuiteError where the package corner is not installed.
    """
    try:
        import corner
    except ImportError:
        raise XasuiteError(
            "the corner plot needs the package corner: pip install 'xasuite[posterior]'"
        ) from None
    from .plots.style import style

    names = [n for n in found.names if "." not in n]
    chosen = found.samples[:, [found.names.index(n) for n in names]]
    with style() as plt:
        figure = plt.figure(figsize=(1.6 * len(names) + 1, 1.6 * len(names) + 1))
        corner.corner(
            chosen,
            labels=names,
            truths=[found.budget[n].value for n in names],
            quantiles=[0.16, 0.5, 0.84],
            levels=(0.393, 0.865),
            plot_datapoints=len(chosen) < 2000,
            fig=figure,
        )
    return figure
