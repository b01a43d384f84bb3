"""What a spec asks for besides the fits: valence along E(f), and components of the rows' XANES."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..choices import Method
from ..errors import ComponentError, SeriesError, SpecError
from ..records import Array, Normalized, spread
from ..references import fits_dir
from ..specs.series import SeriesSpec
from ..workflow.resolve import Context
from .template import places_of

if TYPE_CHECKING:
    from ..specs.load import LoadedSpec
    from ..xanes.lcf import Combination
    from ..xanes.mcr import MCR
    from ..xanes.standards import Calibration
    from .plan import Plan
    from .work import Part

Rows = NDArray[np.intp]
# Rows that MCR-ALS is run on: its time goes as rows times iterations, and more of them tell it little.
MCR_ROWS = 1000


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
    where = f"{loaded.at('series', 'valence')}: [series]: valence:"
    if path is None:
        raise SpecError(
            f'{where} spec = "{wanted.spec}" is no spec in the folder of this one, above it or in {fits_dir()}'
        )
    made = run_valence(path, data_root=next(iter(context.roots), None))
    element = made.loaded.spec.calibration.element
    if element != spec.sample.element:
        raise SpecError(f"{where} {wanted.spec} calibrates {element}, the series is of {spec.sample.element}")
    at = made.at(spec.series.edge_fraction[0] if wanted.fraction is None else wanted.fraction)
    if at.calibration is None:
        raise SeriesError(f"{wanted.spec}: {at.refused}")
    return at.calibration


def find_references(loaded: LoadedSpec, context: Context, method: Method | None) -> tuple[Normalized, ...]:
    """The reference spectra of [series.components], normalised as the series is. Raises what reading and reduction raise."""
    from ..io.axis import Asked
    from ..io.sources import find_scans, read_scans
    from .reduction import normalized

    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    wanted, sample = spec.series.components, spec.sample
    if wanted is None or not wanted.references:
        return ()
    out = []
    entries = find_scans(wanted.references, places_of(loaded, context)).entries
    for entry, scan in zip(entries, read_scans(entries, Asked(mu=spec.series.mu or "")), strict=True):
        if isinstance(scan, Exception):
            raise scan
        spectrum = replace(scan.mu(), element=sample.element, edge=sample.edge, label=entry.label)
        out.append(normalized(spectrum, spec, spec.reduce.e0, method))
    return tuple(out)


def valence_of(plan: Plan, columns: dict[str, Any]) -> dict[str, Array]:
    """The columns of [series.valence] for some rows; none where the spec does not ask for it."""
    wanted = plan.series.valence
    if plan.calibration is None or wanted is None:
        return {}
    name = f"xanes/E({plan.calibration.fraction:g})"
    energy, error = columns[name] + wanted.shift, columns[f"{name}_err"]
    found = valence_columns(plan.calibration, energy, error, scale_err=wanted.shift_err)
    return {f"xanes/{n}": values for n, values in found.items()}


def valence_columns(
    calibration: Calibration, energy: Array, error: Array, *, scale_err: float = 0.0
) -> dict[str, Array]:
    """Columns valence, valence_err, valence_low, valence_high (m,) of edge energies (m,) at the calibration's fraction.

    `error` (m,) is that of each energy, `scale_err` that of the energy scale, which all rows share, in eV. NaN where
    there is no energy, and no interval where the standards are too few for one.
    """
    from ..xanes.edge import EdgeEnergy
    from ..xanes.prediction import predict_series

    unknown = np.full(energy.shape, np.nan)
    edges = EdgeEnergy(
        value=energy, noise_err=error, norm_err=unknown, norm_spread=unknown, method="fraction",
        fraction=calibration.fraction,
    )  # fmt: skip
    table = predict_series(calibration, edges, scale_err=scale_err)
    names = ["valence", "valence_err", "valence_low", "valence_high"]
    return {name: table.reindex(columns=[name])[name].to_numpy(float) for name in names}


def components_of(plan: Plan, parts: Iterable[Part]) -> tuple[dict[str, Array], dict[str, Any]]:
    """What [series.components] asks for: its columns (m,), and the document of the components; empty without it.

    Raises SeriesError where the rows cannot give it.
    """
    from ..xanes.lcf import linear_combination
    from ..xanes.mcr import mcr_als

    wanted = plan.series.components
    if wanted is None:
        return {}, {}
    m = len(plan)
    held, rows = _spectra(plan, wanted.fit_range, parts)
    energy_range = (plan.e0 + wanted.fit_range[0], plan.e0 + wanted.fit_range[1])
    found: MCR | Combination
    try:
        if wanted.n is not None:
            picked = np.unique(np.linspace(0, max(rows.size - 1, 0), min(MCR_ROWS, m)).round().astype(int))
            rows = rows[picked] if rows.size else rows
            found = mcr_als(
                held.take(picked), wanted.n, energy_range=energy_range, freedom=True, array="norm"
            )
        else:
            references = [_own(held, rows, r, m) for r in wanted.rows] or list(plan.references)
            found = linear_combination(held, references, energy_range=energy_range)
    except ComponentError as exc:
        raise SeriesError(f"{plan.name}: components: {exc}") from None
    return {f"xanes/{n}": v for n, v in component_columns(found, rows, m).items()}, component_document(found)


def _spectra(plan: Plan, energy_range: tuple[float, float], parts: Iterable[Part]) -> tuple[Normalized, Rows]:
    """The normalised spectra that there are, on the energies that components need, and their rows."""
    # Below the range some of the pre-edge is kept, from which the noise is found
    inside = slice(
        *np.searchsorted(plan.energy, [plan.e0 + energy_range[0] - 40.0, plan.e0 + energy_range[1] + 10.0])
    )
    norm = np.concatenate([p.curves["norm"][:, inside] for p in parts]).astype(float)
    rows = np.flatnonzero(np.isfinite(norm).all(axis=1))
    kept, sample = norm[rows], plan.spec.sample
    data = Normalized(
        energy=plan.energy[inside], mu=kept, norm=kept, flat=kept, e0=np.full(rows.size, plan.e0), edge_step=np.ones(rows.size),
        element=sample.element, edge=sample.edge, label="row",
    )  # fmt: skip
    return data, rows


def _own(held: Normalized, rows: Rows, row: int, m: int) -> Normalized:
    """A row of the series itself, counted from 1, as a reference."""
    if row - 1 not in rows:
        why = "has no spectrum" if row <= m else f"is beyond the last, {m}"
        raise ComponentError(f"row {row} {why}; name another in rows")
    return replace(held.take(int(np.searchsorted(rows, row - 1))), label=f"row {row}")


def component_columns(found: MCR | Combination, rows: Rows, m: int) -> dict[str, Array]:
    """x(NAME) of every component (m,) with x(NAME)_low and _high (rotation) or x(NAME)_err (standard error)."""
    from ..xanes.mcr import MCR

    parts: dict[str, Any]
    if isinstance(found, MCR):
        parts = {"": found.concentrations, "_low": found.low, "_high": found.high}
    else:
        parts = {"": found.weights, "_err": found.stderr}
    each = {
        f"x({name}){end}": spread(values[:, j], rows, m)
        for j, name in enumerate(component_names(found))
        for end, values in parts.items()
    }
    return each if isinstance(found, MCR) else each | {"lcf_rfactor": spread(found.rfactor, rows, m)}


def component_names(found: MCR | Combination) -> Sequence[str]:
    """The references' names; numbers from 1 for what MCR-ALS found."""
    from ..xanes.mcr import MCR

    return [str(i + 1) for i in range(len(found.spectra))] if isinstance(found, MCR) else list(found.names)


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
