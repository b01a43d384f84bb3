"""From mu(E) to chi(k): calibrate, align, deglitch, rebin, merge, normalise, remove the background.

Each function takes a Spectrum (or Normalized, Chi), a record with leading axes or a Series, and gives the
next; the settings it ran with are in the record's history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loader

if TYPE_CHECKING:
    from .autobk import background as background
    from .averages import block_average as block_average
    from .averages import running_average as running_average
    from .clean import average_repeats as average_repeats
    from .clean import deglitch as deglitch
    from .clean import find_glitches as find_glitches
    from .clean import rebin as rebin
    from .corrections import Geometry as Geometry
    from .corrections import correct_deadtime as correct_deadtime
    from .corrections import correct_overabsorption as correct_overabsorption
    from .corrections import correction_error as correction_error
    from .corrections import merge_elements as merge_elements
    from .edge import Inflection as Inflection
    from .edge import find_e0 as find_e0
    from .edge import inflections as inflections
    from .edge import tabulated_e0 as tabulated_e0
    from .edge_step import edge_step_error as edge_step_error
    from .energy import Alignment as Alignment
    from .energy import align as align
    from .energy import calibrate as calibrate
    from .energy import shift as shift
    from .merging import merge as merge
    from .modulation import Modulation as Modulation
    from .modulation import phase_sensitive as phase_sensitive
    from .noise import noise_of as noise_of
    from .noise import usable_k as usable_k
    from .normalization import normalize as normalize
    from .other_edges import OtherEdge as OtherEdge
    from .other_edges import other_edges as other_edges
    from .pixels import PixelCalibration as PixelCalibration
    from .pixels import calibrate_pixels as calibrate_pixels

_PUBLIC: dict[str, str] = {
    "Alignment": "energy",
    "Geometry": "corrections",
    "Inflection": "edge",
    "OtherEdge": "other_edges",
    "align": "energy",
    "average_repeats": "clean",
    "block_average": "averages",
    "background": "autobk",
    "Modulation": "modulation",
    "PixelCalibration": "pixels",
    "calibrate": "energy",
    "calibrate_pixels": "pixels",
    "deglitch": "clean",
    "noise_of": "noise",
    "correct_deadtime": "corrections",
    "correct_overabsorption": "corrections",
    "correction_error": "corrections",
    "edge_step_error": "edge_step",
    "find_e0": "edge",
    "find_glitches": "clean",
    "inflections": "edge",
    "merge": "merging",
    "merge_elements": "corrections",
    "normalize": "normalization",
    "other_edges": "other_edges",
    "phase_sensitive": "modulation",
    "rebin": "clean",
    "running_average": "averages",
    "shift": "energy",
    "tabulated_e0": "edge",
    "usable_k": "noise",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
