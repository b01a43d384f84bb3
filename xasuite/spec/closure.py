"""Closure spectra of a spec: made from the published row, with other potentials and the whole cluster.

No inverse crime: the truth holds every path of the cluster to [simulate] radius, its potentials are those of
[simulate] program and scf, and the published shells carry the published N, R and sigma2. The fit sees the
noisy mu(E) and nothing else; the truth is kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CrystalError, SpecError
from .load import LoadedSpec, nearest
from .published import PublishedPath, table
from .schema import Simulate, TruthRest, TruthShell

# Farther shells: sigma2 grows from the first shell's towards uncorrelated motion (docs/decisions/closure.md)
_FAR_SIGMA2 = 9e-3  # A^2
_GROWTH_LENGTH = 2.5  # A


def simulate_row(
    loaded: LoadedSpec, index: int, *, noise: float | None = None, seed: int | None = None
) -> Any:
    """The simulated spectrum of a [[data]] row, with its truth (simulate.Simulated).

    `noise` (epsilon_k) and `seed` replace the spec's own.
    """
    from .. import simulate

    entry = loaded.spec.data[index]
    how = loaded.spec.simulate
    assert entry.simulate is not None
    assert how is not None
    return simulate.spectrum(
        truth_paths(loaded, index),
        element=loaded.spec.sample.element,
        edge=loaded.spec.sample.edge,
        noise=entry.simulate.noise if noise is None else noise,
        counts=entry.simulate.counts,
        seed=entry.simulate.seed if seed is None else seed,
        edge_step=how.edge_step,
        kmax=how.kmax,
        label=entry.label,
    )


def truth_paths(loaded: LoadedSpec, index: int) -> tuple[Any, ...]:
    """Every path of the truth with its values: the published shells, then the rest of the cluster."""
    entry, how = loaded.spec.data[index], loaded.spec.simulate
    assert entry.simulate is not None
    assert how is not None
    published = {line.path: line for line in table(loaded.spec.reproduces).lines(entry.simulate.row)}
    if not published:
        known = {c.row for c in table(loaded.spec.reproduces).cell}
        raise SpecError(
            f'{loaded.at("data", index)}: {loaded.spec.reproduces} has no row "{entry.simulate.row}"'
            f"{nearest(entry.simulate.row, known)}"
        )
    values = {name: _changed(line, entry.simulate.change.get(name, {})) for name, line in published.items()}
    s02 = how.s02 if how.s02 is not None else next(v["s02"] for v in values.values() if v["s02"])
    out: list[Any] = []
    shells = [s for s in how.shell if s.path in values]
    for shell in shells:
        out += _shell(loaded, how, shell, values[shell.path], s02)
    if how.rest is not None:
        first = min((values[s.path]["sigma2"], values[s.path]["r"]) for s in shells)
        out += _rest(loaded, how, how.rest, s02, first)
    return tuple(out)


def _changed(line: PublishedPath, change: Mapping[Any, float]) -> dict[str, float]:
    if line.n is None or line.r is None or line.sigma2 is None:
        raise SpecError(f'the published line "{line.row}, {line.path}" lacks N, R or sigma2: nothing to simulate')
    return {"n": line.n, "r": line.r, "sigma2": line.sigma2, "s02": line.s02 or 0.0, **change}


def _paths(loaded: LoadedSpec, how: Simulate, crystal: str, absorber: str | None, site: int | None) -> Any:
    from .. import feff

    local = loaded.path.parent / crystal
    return feff.find_paths(
        feff.load_crystal(str(local) if local.is_file() else crystal),
        absorber=absorber or loaded.spec.sample.element,
        edge=loaded.spec.sample.edge,
        radius=how.radius,
        site=site,
        program=how.program,
        scf=how.scf,
    )


def _shell(
    loaded: LoadedSpec, how: Simulate, shell: TruthShell, value: Mapping[str, float], s02: float
) -> list[Any]:
    """The published shell: its N atoms at its R with its sigma2, on the crystal's nearest such path."""
    from .. import feff, simulate

    paths = _paths(loaded, how, shell.crystal, shell.absorber, shell.site)
    groups = feff.shells(paths, shell.scatterer)
    if not groups:
        raise CrystalError(f"{shell.crystal} has no {shell.scatterer} within {how.radius:g} A of the absorber")
    near = min(groups[0].paths, key=lambda p: abs(p.reff - value["r"]))
    return [
        simulate.TruthPath(
            near, n=value["n"], s02=s02, deltar=value["r"] - near.reff, sigma2=value["sigma2"], e0=how.e0_shift
        )
    ]


def _rest(
    loaded: LoadedSpec, how: Simulate, rest: TruthRest, s02: float, first: tuple[float, float]
) -> list[Any]:
    """All other paths of a structure, with the sigma2 that its first shell's and the distance make plausible."""
    from .. import simulate

    return [
        simulate.TruthPath(
            p, n=p.degen * rest.scale, s02=s02, sigma2=far_sigma2(p.reff, *first), e0=how.e0_shift
        )
        for p in _paths(loaded, how, rest.crystal, rest.absorber, rest.site)
        if p.reff > rest.beyond
    ]


def far_sigma2(reff: float, near_sigma2: float, near_r: float) -> float:
    """sigma2 (A^2) of a farther path: from the first shell's correlated value to twice the mean square displacement.

    The correlation of two atoms' motion falls off with their distance over a few A; a plausible rule, not a
    measurement, as the published rows say nothing of farther shells.
    """
    import math

    far = max(_FAR_SIGMA2, 1.2 * near_sigma2)
    return far - (far - near_sigma2) * math.exp(-max(reff - near_r, 0.0) / _GROWTH_LENGTH)
