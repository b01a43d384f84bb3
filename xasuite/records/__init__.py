"""The records that data flow through: Scan -> Spectrum -> Normalized -> Chi -> Transform, Wavelet.

Every record is frozen and its arrays are read-only. A record may have leading axes: `mu` has shape
(..., n). A `Series` is such a stack with a table (one row per spectrum) and a status of each row.
Each field declares its axes (see `base`), so that taking rows, joining and tables are the same for all records.
Units: eV, 1/A, A, A^2, s.
"""

from .base import (
    Array,
    ComplexArray,
    Record,
    Rows,
    Shown,
    axes,
    concat,
    frozen_array,
    name_of,
    same_axes,
    sealed,
    spread,
)
from .chi import Chi
from .scan import Scan, channel_named
from .series import OK, Series
from .source import Source, Step
from .spectrum import Normalized, Spectrum
from .transform import Transform, Wavelet

__all__ = [
    "OK",
    "Array",
    "Chi",
    "ComplexArray",
    "Normalized",
    "Record",
    "Rows",
    "Scan",
    "Series",
    "Shown",
    "Source",
    "Spectrum",
    "Step",
    "Transform",
    "Wavelet",
    "axes",
    "channel_named",
    "concat",
    "frozen_array",
    "name_of",
    "same_axes",
    "sealed",
    "spread",
]
