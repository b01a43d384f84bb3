"""Closure spectra of a spec: made from the published row, with other potentials and the whole cluster.

No inverse crime: the truth holds every path of the cluster to [simulate] radius, its potentials are those of
[simulate] program and scf, and the published shells carry the published N, R and sigma2. The fit sees the
noisy mu(E) and nothing else; the truth is kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import SpecError, nearest
from ..records import Spectrum
from ..specs.load import LoadedSpec
from ..specs.published import PublishedPath, table_of
from ..specs.schema import Simulate, TruthRest, TruthShell


def simulate_row(loaded: LoadedSpec, index: int) -> Any:
    """The simulated spectrum of a [[data]] row, with its truth apart (simulate.Simulated)."""
    from .. import simulate

    entry, how = loaded.spec.data[index], _how(loaded)
    assert entry.simulate is not None
    counted = entry.simulate.counts
    return simulate.spectrum(
        truth_paths(loaded, index),
        element=loaded.spec.absorber(index)[0],
        edge=loaded.spec.absorber(index)[1],
        noise=entry.simulate.noise if counted is None else None,
        counts=counted,
        seed=entry.simulate.seed,
        edge_step=how.edge_step,
        kmax=how.kmax,
        label=entry.label,
    )


def simulate_stack(loaded: LoadedSpec, index: int, *, noise: float, seeds: Sequence[int]) -> Spectrum:
    """The same row many times over: mu (m, n), a seed a row, all at one level of noise (epsilon_k)."""
    from ..simulate.noise import sigma_mu

    clean, e0 = _clean(loaded, index)
    sigma = float(sigma_mu(noise, clean.energy, e0, _how(loaded).edge_step)) if noise > 0 else 0.0
    drawn = np.stack([np.random.default_rng(s).standard_normal(clean.energy.size) for s in seeds])
    return replace(clean, mu=clean.mu + sigma * drawn, mu_err=None)


@lru_cache(maxsize=64)
def _clean_of(name: str, text: str, index: int) -> tuple[Spectrum, float]:
    from .. import simulate
    from ..specs.load import parse_spec

    loaded = parse_spec(text, name)
    made = simulate.spectrum(
        truth_paths(loaded, index),
        element=loaded.spec.absorber(index)[0],
        edge=loaded.spec.absorber(index)[1],
        edge_step=_how(loaded).edge_step,
        kmax=_how(loaded).kmax,
        label=loaded.spec.data[index].label,
    )
    return made.spectrum, float(made.truth.e0)


def _clean(loaded: LoadedSpec, index: int) -> tuple[Spectrum, float]:
    return _clean_of(str(loaded.path), loaded.text, index)


def _how(loaded: LoadedSpec) -> Simulate:
    if loaded.spec.simulate is None:
        raise SpecError(f"{loaded.path.name}: there is no [simulate] table, so nothing to simulate")
    return loaded.spec.simulate


def truth_paths(loaded: LoadedSpec, index: int) -> tuple[Any, ...]:
    """Every path of the truth with its values: the published shells, then the rest of the cluster."""
    entry, how = loaded.spec.data[index], _how(loaded)
    assert entry.simulate is not None
    published = {line.path: line for line in table_of(loaded).lines(entry.simulate.row)}
    if not published:
        known = {c.row for c in table_of(loaded).cell}
        raise SpecError(
            f'{loaded.at("data", index)}: {loaded.spec.reproduces} has no row "{entry.simulate.row}"'
            f"{nearest(entry.simulate.row, known)}"
        )
    values = {name: _changed(line, entry.simulate.change.get(name, {})) for name, line in published.items()}
    s02 = how.s02 if how.s02 is not None else next(v["s02"] for v in values.values() if v["s02"])
    out: list[Any] = []
    shells = [s for s in how.shell if s.path in values]
    owners: list[TruthShell] = []
    for shell in shells:
        made = _shell(loaded, index, shell, values[shell.path], s02)
        out += made
        owners += [shell] * len(made)
    if how.rest is not None:
        taken = [p.feff for p, s in zip(out, owners, strict=True) if s.crystal == how.rest.crystal]
        out += _rest(loaded, index, how.rest, s02, taken)
    return tuple(out)


def _changed(line: PublishedPath, change: Mapping[Any, float]) -> dict[str, float]:
    if line.n is None or line.r is None or line.sigma2 is None:
        raise SpecError(
            f'the published line "{line.row}, {line.path}" lacks N, R or sigma2: nothing to simulate'
        )
    return {"n": line.n, "r": line.r, "sigma2": line.sigma2, "s02": line.s02 or 0.0, **change}


def _paths(loaded: LoadedSpec, index: int, crystal: str, absorber: str | None, site: int | None) -> Any:
    from .. import feff

    how = _how(loaded)
    element, edge = loaded.spec.absorber(index)

    local = loaded.path.parent / crystal
    return feff.find_paths(
        feff.load_crystal(str(local) if local.is_file() else crystal),
        absorber=absorber or element,
        edge=edge,
        radius=how.radius,
        site=site,
        program=how.program,
        scf=how.scf,
    )


def _shell(
    loaded: LoadedSpec, index: int, shell: TruthShell, value: Mapping[str, float], s02: float
) -> tuple[Any, ...]:
    """The published shell: its N atoms at its R with its sigma2, on the structure's own distances."""
    from .. import simulate

    return simulate.shell(
        _paths(loaded, index, shell.crystal, shell.absorber, shell.site),
        shell.scatterer,
        n=value["n"],
        r=value["r"],
        sigma2=value["sigma2"],
        number=shell.number,
        distances=shell.distances,
        s02=s02,
        e0=_how(loaded).e0_shift,
    )


def _rest(
    loaded: LoadedSpec, index: int, rest: TruthRest, s02: float, taken: Sequence[Any]
) -> tuple[Any, ...]:
    """All other paths of a structure than those `taken`, with sigma2 by the correlated Debye model."""
    from .. import simulate

    return simulate.rest(
        _paths(loaded, index, rest.crystal, rest.absorber, rest.site),
        but=taken,
        beyond=rest.beyond,
        scale=rest.scale,
        s02=s02,
        e0=_how(loaded).e0_shift,
        temperature=_how(loaded).temperature,
    )
