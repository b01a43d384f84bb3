"""What a spec asks for beside the fits: valence along E(f), and components of the rows' XANES."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ComponentError, SeriesError, SpecError
from ..records import Array, Normalized
from ..references import fits_dir
from ..spec.load import LoadedSpec
from ..spec.series import Components, SeriesSpec
from ..workflow.resolve import Context

if TYPE_CHECKING:
    from ..xanes.lcf import Combination
    from ..xanes.mcr import MCR
    from ..xanes.valence import Calibration
    from .plan import Plan

Rows = NDArray[np.intp]
# Rows that MCR-ALS is run on: its time goes as rows times iterations, and more of them tell it little.
MCR_ROWS = 1000


@dataclass(frozen=True, eq=False)
class Beside:
    """Columns (m,) that come from other rows or other files, and the components: energy, spectra (k, n), facts (JSON)."""

    columns: dict[str, Array] = field(default_factory=dict)
    components: dict[str, Any] = field(default_factory=dict)


def beside(plan: Plan, paths: Sequence[Path]) -> Beside:
    """What [series.valence] and [series.components] ask for, from the parts, so that a resumed run gives the same.

    Raises SeriesError where the rows cannot give it.
    """
    wanted = plan.series
    if wanted.valence is None and wanted.components is None:
        return Beside()
    from .schedule import one_blas_thread
    from .store import load_part

    columns: dict[str, Array] = {}
    if plan.calibration is not None:
        name = f"E({plan.calibration.fraction:g})"
        parts = [load_part(p, curves=()).columns for p in paths]
        energy, error = (np.concatenate([p[n] for p in parts]) for n in (name, f"{name}_err"))
        assert wanted.valence is not None
        columns |= valence_columns(
            plan.calibration, energy + wanted.valence.shift, error, scale_err=wanted.valence.shift_err
        )
    if wanted.components is None:
        return Beside(columns)
    with one_blas_thread():  # so that the sums, and the bytes, do not depend on the number of cores
        found, rows, m = _components(plan, wanted.components, paths)
    return Beside(columns | component_columns(found, rows, m), component_document(found))


def find_calibration(loaded: LoadedSpec, context: Context) -> Calibration | None:
    """The calibration that [series.valence] names, run; None without one.

    Raises SpecError, SeriesError, and what the valence spec itself raises.
    """
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    wanted = spec.series.valence
    if wanted is None:
        return None
    from ..workflow.valence import run_valence

    places = (loaded.path.parent, loaded.path.parent.parent, fits_dir())
    path = next((p for place in places if (p := place / wanted.spec).is_file()), None)
    if path is None:
        raise SpecError(
            f'{loaded.at("series", "valence")}: [series]: valence: spec = "{wanted.spec}" is no spec beside this one, '
            f"above it or in {fits_dir()}"
        )
    made = run_valence(path, data_root=next(iter(context.roots), None))
    element = made.loaded.spec.calibration.element
    if element != spec.sample.element:
        raise SpecError(
            f"{loaded.at('series', 'valence')}: [series]: valence: {wanted.spec} calibrates {element}, the series is of "
            f"{spec.sample.element}"
        )
    at = made.at(spec.series.edge_fraction[0] if wanted.fraction is None else wanted.fraction)
    if at.calibration is None:
        raise SeriesError(f"{wanted.spec}: {at.refused}")
    return at.calibration


def valence_columns(
    calibration: Calibration, energy: Array, error: Array, *, scale_err: float = 0.0
) -> dict[str, Array]:
    """Columns valence, valence_err, valence_low, valence_high (m,) of edge energies (m,) at the calibration's fraction.

    `error` (m,) is that of each energy, `scale_err` that of the energy scale, which all rows share, in eV. NaN where
    there is no energy, and no interval where the standards are too few for one.
    """
    from ..xanes.edge import EdgeEnergy
    from ..xanes.valence import predict_series

    unknown = np.full(energy.shape, np.nan)
    edges = EdgeEnergy(
        value=energy, noise_err=error, norm_err=unknown, norm_span=unknown, method="fraction",
        fraction=calibration.fraction,
    )  # fmt: skip
    table = predict_series(calibration, edges, scale_err=scale_err)
    found = {"valence": "valence", "error": "valence_err", "low": "valence_low", "high": "valence_high"}
    return {new: table.reindex(columns=[old])[old].to_numpy(float) for old, new in found.items()}


def _components(plan: Plan, wanted: Components, paths: Sequence[Path]) -> tuple[MCR | Combination, Rows, int]:
    """The components, the rows (of all m) that they were found in, and m."""
    from ..xanes.lcf import linear_combination
    from ..xanes.mcr import mcr_als

    held, rows, m = _spectra(plan, paths)
    span = (plan.e0 + wanted.span[0], plan.e0 + wanted.span[1])
    try:
        if wanted.n is not None:
            picked = np.unique(np.linspace(0, max(rows.size - 1, 0), min(MCR_ROWS, m)).round().astype(int))
            rows = rows[picked] if rows.size else rows
            return mcr_als(held.take(picked), wanted.n, span=span, freedom=True, array="norm"), rows, m
        references = _own(held, rows, wanted.rows, m) if wanted.rows else list(plan.references)
        return linear_combination(held, references, span=span), rows, m
    except ComponentError as exc:
        raise SeriesError(f"{plan.loaded.path.name}: components: {exc}") from None


def _spectra(plan: Plan, paths: Sequence[Path]) -> tuple[Normalized, Rows, int]:
    """The normalised spectra that there are, on the energies that components need; their rows, and how many rows there are."""
    from .store import load_part

    assert plan.series.components is not None
    low, high = plan.series.components.span
    # Below the span some of the pre-edge is kept, from which the noise is found
    inside = slice(*np.searchsorted(plan.energy, [plan.e0 + low - 40.0, plan.e0 + high + 10.0]))
    norm = np.concatenate([load_part(p, curves=("norm",)).arrays["norm"][:, inside] for p in paths]).astype(
        float
    )
    rows = np.flatnonzero(np.isfinite(norm).all(axis=1))
    kept = norm[rows]
    data = Normalized(
        energy=plan.energy[inside], mu=kept, norm=kept, flat=kept, e0=np.full(rows.size, plan.e0), edge_step=np.ones(rows.size),
        element=plan.spec.sample.element, edge=plan.spec.sample.edge, label="row",
    )  # fmt: skip
    return data, rows, len(norm)


def _own(held: Normalized, rows: Rows, wanted: Sequence[int], m: int) -> list[Normalized]:
    """Rows of the series itself, counted from 1, as references."""
    out = []
    for row in wanted:
        if row - 1 not in rows:
            why = "has no spectrum" if row <= m else f"is beyond the last, {m}"
            raise ComponentError(f"row {row} {why}; name another in rows")
        out.append(replace(held.take(int(np.searchsorted(rows, row - 1))), label=f"row {row}"))
    return out


def find_references(loaded: LoadedSpec, context: Context) -> tuple[Normalized, ...]:
    """The reference spectra of [series.components], normalised as the series is. Raises what reading and reduction raise."""
    from .. import reduce
    from ..io.sources import find_scans, read_scans

    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    wanted, settings = spec.series.components, spec.reduce
    if wanted is None or not wanted.references:
        return ()
    out = []
    entries = find_scans(wanted.references, [loaded.path.parent, *context.roots, Path.cwd()])
    for entry, scan in zip(entries, read_scans(entries, spec.series.mu), strict=True):
        if isinstance(scan, Exception):
            raise scan
        spectrum = replace(scan.mu(), element=spec.sample.element, edge=spec.sample.edge, label=entry.label)
        ranges: dict[str, Any] = {"pre": settings.pre, "norm": settings.norm, "nnorm": settings.nnorm}
        out.append(reduce.normalize(spectrum, e0=settings.e0, method=settings.method, **ranges))
    return tuple(out)


def component_columns(found: MCR | Combination, rows: Rows, m: int) -> dict[str, Array]:
    """x(NAME) of every component (m,) with x(NAME)_low and _high (rotation) or x(NAME)_err (standard error)."""
    from ..xanes.mcr import MCR

    each: dict[str, Array] = {}
    for j, name in enumerate(component_names(found)):
        if isinstance(found, MCR):
            assert found.low is not None
            assert found.high is not None
            parts = {"": found.concentrations, "_low": found.low, "_high": found.high}
        else:
            parts = {"": found.weights, "_err": found.stderr}
        for end, values in parts.items():
            column = np.full(m, np.nan)
            column[rows] = values[:, j]
            each[f"x({name}){end}"] = column
    if not isinstance(found, MCR):
        each["lcf_rfactor"] = np.full(m, np.nan)
        each["lcf_rfactor"][rows] = found.rfactor
    return each


def component_names(found: MCR | Combination) -> list[str]:
    """The references' names; numbers from 1 for what MCR-ALS found."""
    from ..xanes.mcr import MCR

    if isinstance(found, MCR):
        return [str(i + 1) for i in range(len(found.spectra))]
    return list(found.names)


def component_document(found: MCR | Combination) -> dict[str, Any]:
    """energy (n,), spectra (k, n) and facts (JSON: names, method, how well they fit) of the components."""
    from ..xanes.mcr import MCR

    facts: dict[str, Any] = {"names": component_names(found)}
    if isinstance(found, MCR):
        facts |= {
            "method": "MCR-ALS", "start": found.start, "rms": found.rms, "rms_least": found.rms_least,
            "iterations": found.iterations, "converged": found.converged,
        }  # fmt: skip
        spectra = found.spectra
    else:
        facts |= {"method": "linear combination", "rms": float(np.sqrt(np.mean(found.rms**2)))}
        spectra = found.references
    return {"energy": found.energy, "spectra": spectra, "facts": json.dumps(facts, sort_keys=True)}
