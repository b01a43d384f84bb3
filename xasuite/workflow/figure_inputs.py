"""The inputs of the figures of references/published, made from their descriptions: simulated spectra, claims, studies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SpecError, nearest
from ..records import Spectrum
from ..specs.figures import DrawnLines, SimulatedInput
from ..specs.published import paper


def made(one: Any) -> Any:
    """A record for an input that is a description; anything else as it is. Raises what simulation raises."""
    if isinstance(one, SimulatedInput):
        return _simulated(one)
    return _drawn(one) if isinstance(one, DrawnLines) else one


def _simulated(one: SimulatedInput) -> Any:
    from .. import feff, simulate

    found = feff.find_paths(one.structure, absorber=one.absorber, site=one.site)
    paths = simulate.rest(found, s02=one.s02)
    setup = simulate.Setup(white_line=one.white_line)
    settings: dict[str, Any] = {"element": one.absorber, "noise": one.noise, "setup": setup}
    if not one.times:
        return simulate.spectrum(paths, e0=one.e0, label=one.label or one.structure, **settings)
    times = np.asarray(one.times)
    table = {"time": times, "label": [f"{t:g} min" for t in times]}
    if one.e0 is None:
        raise SpecError(f"figure input {one.structure}: times need an e0, from which the edge drifts")
    return simulate.series(paths, e0=one.e0 + one.drift * times, table=table, **settings)


def _drawn(one: DrawnLines) -> Spectrum:
    x = np.arange(*one.energy, 0.1)
    mu = np.zeros(x.size)
    for energy, share in one.lines:
        d = x - energy - one.shift
        mu += share * (0.5 + np.arctan(d) / np.pi + one.height / (1 + (d / 1.2) ** 2))
    return Spectrum(energy=x, mu=mu, element=one.element, edge=one.edge, label=one.label)


def claim_maps(reference: str) -> tuple[Any, dict[str, Any]]:
    """The wavelet maps of the first check of PAPER/CLAIM that has any, and the options that show them.

    Raises SpecError for a claim without maps, and what the check raises.
    """
    from ..references import fits_dir
    from ..specs.claims import LobeGrowth, LobeOrder
    from ..specs.load import load_spec
    from .lobes import lobe_growth, lobe_wavelets

    name, _, key = reference.partition("/")
    for check in (x for c in paper(name).claim if c.id == key for x in c.check):
        if isinstance(check, LobeOrder):
            return lobe_wavelets(check), {"each": True}
        if isinstance(check, LobeGrowth):
            start, end = (load_spec(fits_dir() / f"{s}.toml") for s in (check.before[0], check.spec))
            grown = lobe_growth(check, start, end, seeds=2)
            return grown.wavelet, {"labels": [f"{h:g} h" for h in grown.hours]}
    known = [c.id for c in paper(name).claim if any(isinstance(x, (LobeOrder, LobeGrowth)) for x in c.check)]
    raise SpecError(f'"{reference}" has no wavelet maps{nearest(key, known)}')
