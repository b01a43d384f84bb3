"""From mu(E) to chi(k): calibrate, align, deglitch, rebin, merge, normalise, remove the background.

Each function takes a Spectrum (or Normalized, Chi), a record with leading axes or a Series, and gives the
next; the settings it ran with are in the record's history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import by_module, loader

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

_PUBLIC = by_module(
    autobk="background",
    averages="block_average running_average",
    clean="average_repeats deglitch find_glitches rebin",
    corrections="Geometry correct_deadtime correct_overabsorption correction_error merge_elements",
    edge="Inflection find_e0 inflections tabulated_e0",
    edge_step="edge_step_error",
    energy="Alignment align calibrate shift",
    merging="merge",
    modulation="Modulation phase_sensitive",
    noise="noise_of usable_k",
    normalization="normalize",
    other_edges="OtherEdge other_edges",
    pixels="PixelCalibration calibrate_pixels",
)

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
