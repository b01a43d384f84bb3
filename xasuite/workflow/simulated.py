"""Closure spectra of a spec: made from the published row, with other potentials and the whole cluster.

The truth is not made by the model that is fitted: it holds every path of the cluster up to [simulate] radius, with the
potentials of [simulate] program and scf; the published shells have the published N, R and sigma2. The fit sees only the
noisy mu(E); the truth is a record of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from .. import simulate
from ..errors import SpecError, nearest
from ..feff.paths import FeffPath
from ..feff.search import find_paths
from ..records import Spectrum
from ..simulate.make import Simulated
from ..simulate.noise import sigma_mu
from ..simulate.truth import TruthPath
from ..specs.closure import Simulate, TruthRest, TruthShell
from ..specs.load import LoadedSpec, parse_spec
from ..specs.published import PublishedPath, table_of
from .paths import crystal_of


def simulate_row(loaded: LoadedSpec, index: int) -> Simulated:
    """The simulated spectrum of a [[data]] row, and its truth as a separate record."""
    entry = loaded.spec.data[index]
    assert entry.simulate is not None
    counted = entry.simulate.counts
    noise = entry.simulate.noise if counted is None else None
    return _made(loaded, index, noise=noise, counts=counted, seed=entry.simulate.seed)


def simulate_stack(loaded: LoadedSpec, index: int, *, noise: float, seeds: Sequence[int]) -> Spectrum:
    """The same row many times over: mu (m, n), one seed per row, all at one level of noise (epsilon_k)."""
    clean, e0 = _clean_of(str(loaded.path), loaded.text, index)
    sigma = float(sigma_mu(noise, clean.energy, e0, how_simulated(loaded).edge_step)) if noise > 0 else 0.0
    drawn = np.stack([np.random.default_rng(s).standard_normal(clean.energy.size) for s in seeds])
    return replace(clean, mu=clean.mu + sigma * drawn, mu_err=None)


@lru_cache(maxsize=64)
def _clean_of(name: str, text: str, index: int) -> tuple[Spectrum, float]:
    made = _made(parse_spec(text, name), index)
    return made.spectrum, float(made.truth.e0)


def _made(loaded: LoadedSpec, index: int, **noise: Any) -> Simulated:
    element, edge = loaded.spec.absorber(index)
    how, label = how_simulated(loaded), loaded.spec.data[index].label
    return simulate.spectrum(
        truth_paths(loaded, index), element=element, edge=edge, edge_step=how.edge_step, kmax=how.kmax, label=label, **noise
    )  # fmt: skip


def how_simulated(loaded: LoadedSpec) -> Simulate:
    """The spec's [simulate]. Raises SpecError where there is none."""
    if loaded.spec.simulate is None:
        raise SpecError(f"{loaded.path.name}: there is no [simulate] table, so nothing to simulate")
    return loaded.spec.simulate


def truth_paths(loaded: LoadedSpec, index: int) -> tuple[TruthPath, ...]:
    """Every path of the truth with its values.

    The published shells have their N atoms at their R with their sigma2, on the structure's own distances; all other paths
    of the cluster follow, with sigma2 by the correlated Debye model.
    """
    return tuple(path for _, path in named_truth(loaded, index))


def named_truth(loaded: LoadedSpec, index: int) -> list[tuple[str, TruthPath]]:
    """The truth's paths, each with the published path that it stands for ("" for the rest of the cluster)."""
    how, values = how_simulated(loaded), stated_values(loaded, index)
    s02 = how.s02 if how.s02 is not None else next(v["s02"] for v in values.values() if v["s02"])
    out: list[tuple[str, TruthPath]] = []
    taken: list[FeffPath] = []
    for shell in how.shell:
        if shell.path not in values:
            continue
        value = {q: values[shell.path][q] for q in ("n", "r", "sigma2")}
        made = simulate.shell(
            _paths(loaded, index, shell), shell.scatterer, number=shell.number, distances=shell.distances, s02=s02,
            e0=how.e0_shift, **value,
        )  # fmt: skip
        out += [(shell.path, path) for path in made]
        taken += [p.feff for p in made if how.rest is not None and shell.crystal == how.rest.crystal]
    if how.rest is not None:
        rest = simulate.rest(
            _paths(loaded, index, how.rest), but=taken, beyond=how.rest.beyond, scale=how.rest.scale, s02=s02,
            e0=how.e0_shift, temperature=how.temperature,
        )  # fmt: skip
        out += [("", path) for path in rest]
    return out


def stated_values(loaded: LoadedSpec, index: int) -> dict[str, dict[str, float]]:
    """n, r (A), sigma2 (A^2) and s02 of each published path of a simulated row, with the row's `change` applied."""
    how = loaded.spec.data[index].simulate
    assert how is not None
    return {x.path: _changed(x, how.change.get(x.path, {})) for x in published_lines(loaded, index)}


def published_lines(loaded: LoadedSpec, index: int) -> tuple[PublishedPath, ...]:
    """The published lines that a row is simulated from. Raises SpecError where the table has no such row."""
    how, table = loaded.spec.data[index].simulate, table_of(loaded)
    assert how is not None
    if not (lines := table.lines(how.row)):
        hint = nearest(how.row, {c.row for c in table.cell})
        raise SpecError(f'{loaded.at("data", index)}: {loaded.spec.reproduces} has no row "{how.row}"{hint}')
    return lines


def _changed(line: PublishedPath, change: Mapping[Any, float]) -> dict[str, float]:
    if line.n is None or line.r is None or line.sigma2 is None:
        raise SpecError(
            f'the published line "{line.row}, {line.path}" lacks N, R or sigma2: nothing to simulate'
        )
    return {"n": line.n, "r": line.r, "sigma2": line.sigma2, "s02": line.s02 or 0.0, **change}


def _paths(loaded: LoadedSpec, index: int, of: TruthShell | TruthRest) -> tuple[FeffPath, ...]:
    how, (element, edge) = how_simulated(loaded), loaded.spec.absorber(index)
    return find_paths(
        crystal_of(loaded, of.crystal), absorber=of.absorber or element, edge=edge, radius=how.radius, site=of.site,
        program=how.program, scf=how.scf,
    )  # fmt: skip
