"""A closure series: spectra simulated from published rows at their times, R drifting between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import SpecError, nearest
from ..io.sources import Entry, Scans
from ..records import Array, Series, Spectrum
from ..specs.closure import SimulateRow
from ..specs.load import LoadedSpec
from ..specs.schema import Data
from ..specs.series import SECONDS, SeriesSpec
from ..workflow.resolve import Context, resolve_model
from .plan import Plan
from .template import e0_of, k_end

SIMULATED = "simulated"
_STEP = 1e-3  # A


def simulated_plan(loaded: LoadedSpec, context: Context) -> Plan:
    """The plan of a series that [series] simulate describes; the truth is a record of its own.

    R runs linearly from each published row to the next; N and sigma2 stand at the mean of the rows (their printed
    values scatter by less than their printed errors, and a zigzag would be no drift). Noise is white in mu.
    """
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    assert spec.series.simulate is not None
    how = spec.series.simulate
    factor = SECONDS[how.unit]
    ends = [t for _, t in how.rows]
    if ends != sorted(ends):
        raise SpecError(
            f"{loaded.at('series', 'simulate')}: [series]: simulate: rows must be in the order of their times"
        )
    times = np.linspace(ends[0], ends[-1], how.n)
    values = drifting(loaded, times)
    spectrum, mu = _spectra(loaded, values)
    model = resolve_model(loaded, context)
    e0 = e0_of(spectrum, spec)
    truth = {"time": times * factor}
    for label, of in values.items():
        truth |= {f"{label}.{q}": v for q, v in of.items() if q != "s02"}
    for path in model.paths:
        if path.label in values and path.deltar.is_name:
            (name,) = path.deltar.names
            truth[name] = values[path.label]["r"] - path.feff.reff
    return Plan(
        loaded=loaded,
        scans=Scans((Entry(SIMULATED, SIMULATED, rows=how.n),)),
        energy=spectrum.energy,
        e0=e0,
        kmax=k_end(loaded, spec, spectrum.energy, e0),
        model=model,
        spectra=mu,
        truth=truth,
    )


def drifting(loaded: LoadedSpec, times: Array) -> dict[str, dict[str, Array]]:
    """Per published path its n, r, sigma2, s02, each (m,) at `times` in the table's unit."""
    from ..specs.published import table_of

    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    assert spec.series.simulate is not None
    published = table_of(loaded)
    known = {c.row for c in published.cell}
    lines: dict[str, list[tuple[float, Any]]] = {}
    for name, when in spec.series.simulate.rows:
        if name not in known:
            raise SpecError(
                f'{loaded.at("series", "simulate")}: {spec.reproduces} has no row "{name}"{nearest(name, known)}'
            )
        for line in published.lines(name):
            lines.setdefault(line.path, []).append((when, line))
    out = {}
    for path, found in lines.items():
        at = np.array([w for w, _ in found])
        mean = {q: float(np.mean([getattr(p, q) for _, p in found])) for q in ("n", "sigma2")}
        out[path] = {
            "n": np.full(times.shape, mean["n"]),
            "r": np.interp(times, at, [p.r for _, p in found]),
            "sigma2": np.full(times.shape, mean["sigma2"]),
            "s02": np.full(times.shape, found[0][1].s02 or 1.0),
        }
    return out


def _spectra(loaded: LoadedSpec, values: dict[str, dict[str, Array]]) -> tuple[Spectrum, Array]:
    """The first spectrum, and mu (m, n) of all."""
    from .. import simulate

    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    assert spec.series.simulate is not None
    assert spec.simulate is not None
    done = simulate.series(
        _truth(loaded, values),
        element=spec.sample.element,
        edge=spec.sample.edge,
        noise=spec.series.simulate.noise,
        seed=spec.series.simulate.seed,
        rows=spec.series.simulate.n,
        edge_step=spec.simulate.edge_step,
        kmax=spec.simulate.kmax,
        label=SIMULATED,
    )
    whole = done.spectrum
    assert isinstance(whole, Series)
    data: Spectrum = whole.data
    return replace(data, mu=data.mu[0], mu_err=None, label=SIMULATED), np.asarray(data.mu)


def _truth(loaded: LoadedSpec, values: dict[str, dict[str, Array]]) -> list[Any]:
    """Every true path, those of the published shells with one distance per row.

    A path's distance is linear in the shell's R: the cluster is made at the first R and again a little farther.
    """
    first = {name: {q: float(of[q][0]) for q in ("n", "r", "sigma2")} for name, of in values.items()}
    base = _cluster(loaded, first)
    moved = [np.asarray(p.deltar) for p in base]
    for name, of in values.items():
        away = _cluster(loaded, first | {name: first[name] | {"r": first[name]["r"] + _STEP}})
        for i, (near, far) in enumerate(zip(base, away, strict=True)):
            slope = float(far.deltar - near.deltar) / _STEP
            if slope:
                moved[i] = moved[i] + slope * (of["r"] - first[name]["r"])
    return [replace(p, deltar=d) for p, d in zip(base, moved, strict=True)]


def _cluster(loaded: LoadedSpec, change: dict[str, dict[str, float]]) -> tuple[Any, ...]:
    """The whole cluster with the published shells at these values."""
    from ..workflow.simulated import truth_paths

    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    assert spec.series.simulate is not None
    row = SimulateRow.model_validate({"row": spec.series.simulate.rows[0][0], "change": change})
    data = (Data(label=SIMULATED, simulate=row),)
    return truth_paths(replace(loaded, spec=spec.model_copy(update={"data": data})), 0)
