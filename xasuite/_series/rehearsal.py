"""One made-up scan through all that a series' first scan needs, while none is there: programs and paths are loaded then."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..constants import KTOE
from ..edges import tabulated
from ..errors import XasuiteError
from ..files import write_text
from ..io.sources import Scans, find_entries
from ..notices import collected
from ..specs.load import LoadedSpec
from ..specs.series import SeriesSpec, SeriesTable
from ..threads import one_blas_thread
from ..workflow.resolve import Context
from .prepare import plan_of
from .reduction import method_of
from .work import process_rows

BEFORE, KMAX = 300.0, 25.0  # eV below the edge, and 1/A above it: as far as any spec's ranges


def rehearse(loaded: LoadedSpec, context: Context) -> None:
    """Plan and fit a scan that is an arctangent and a wave; nothing of it is kept, and what goes wrong is for the first scan to say."""
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    plain = spec.model_copy(
        update={"series": SeriesTable(files=("scan.txt",), edge_fraction=spec.series.edge_fraction)}
    )
    with suppress(XasuiteError), collected(), one_blas_thread(), tempfile.TemporaryDirectory() as folder:
        e0 = spec.reduce.e0 or tabulated(spec.sample.element, spec.sample.edge) or 10_000.0
        k = np.arange(0.05, KMAX, 0.05)
        energy = np.concatenate([np.arange(-BEFORE, 20.0, 0.5), 20.0 + KTOE * k**2])
        wave = 0.05 * np.sin(4.0 * np.sqrt(np.maximum(energy, 0) / KTOE)) * (energy > 0)
        mu = (0.5 + np.arctan(energy) / np.pi) * (1 + wave)
        rows = "".join(f"{e:.3f} {m:.6f}\n" for e, m in zip(e0 + energy, mu, strict=True))
        path = Path(folder) / "scan.txt"
        write_text(path, f"# energy mu\n{rows}")
        scans = Scans(find_entries([path]).entries)
        plan = plan_of(replace(loaded, spec=plain), context, scans)
        process_rows(replace(plan, method=method_of(plan)), 0, 1)
