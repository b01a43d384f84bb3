"""Everything that is decided before the first row is worked on, as data; a worker process gets it whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..choices import Method
from ..exafs.model import Model
from ..io.sources import Scans
from ..records import Array, Normalized, Spectrum
from ..specs.load import LoadedSpec
from ..specs.series import Log, SeriesSpec, SeriesTable

if TYPE_CHECKING:
    from ..xanes.standards import Calibration


@dataclass(frozen=True, eq=False)
class Plan:
    """A series ready to run. Equal plans of equal scans give equal results (`prepare` makes a plan).

    Rows are single scans, or means of `width` scans each, `step` scans apart. `noted` says which columns the scans'
    names and files give, and whether each is a "number" or "text"; `logs` are (time, columns) of the log files.
    """

    loaded: LoadedSpec
    scans: Scans
    energy: Array
    e0: float
    kmax: float
    model: Model
    method: Method | None = None  # of normalisation, one for all rows
    width: int = 1
    step: int = 1
    template: Spectrum | None = None  # that scans are aligned to
    shifts: Array | None = None  # (scans, 2): shift and error in eV, where they are smoothed along the series
    noted: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[tuple[Log, Array, dict[str, Array]], ...] = ()
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()
    spectra: Array | None = None  # closure series: the simulated mu (m, n) on `energy`
    truth: Mapping[str, Array] = field(default_factory=dict)
    calibration: Calibration | None = None  # of [series.valence]
    references: tuple[Normalized, ...] = ()  # of [series.components]

    @property
    def spec(self) -> SeriesSpec:
        """The spec."""
        assert isinstance(self.loaded.spec, SeriesSpec)
        return self.loaded.spec

    @property
    def series(self) -> SeriesTable:
        """The [series] table."""
        return self.spec.series

    @property
    def name(self) -> str:
        """What messages call the series."""
        return self.loaded.path.name

    def __len__(self) -> int:
        return max(0, (len(self.scans) - self.width) // self.step + 1)

    @property
    def chunks(self) -> int:
        """Number of units of work."""
        return -(-len(self) // self.series.chunk)

    def rows_of(self, chunk: int) -> tuple[int, int]:
        """First row of a unit of work, and the row behind its last."""
        size = self.series.chunk
        return chunk * size, min((chunk + 1) * size, len(self))

    def scans_of(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The scans that ascending rows are made of, ascending."""
        return np.unique(rows[:, None] * self.step + np.arange(self.width))
