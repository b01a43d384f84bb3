"""From a spec to a plan: scans found, grid, model, held parameters, and what rows are compared with."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import xxhash

from ..errors import DataError, ReadError, SeriesError, SpecError, XasuiteError, nearest
from ..feff.cache import cache_dir
from ..io.axis import Asked
from ..io.logs import read_log
from ..io.reader import read_as
from ..io.sources import STACK, Scans, check_pattern, find_scans, joined, natural
from ..notices import collected, warn
from ..records import Array
from ..specs.load import LoadedSpec
from ..specs.series import SeriesSpec, SeriesTable
from ..version import __version__
from ..workflow.resolve import Context, resolve_model
from .derived import find_calibration, find_references
from .hold import hold
from .ingest import name_columns, scan_time, shift_of
from .plan import Plan
from .reduction import method_of
from .simulated import simulated_plan
from .spool import fetched
from .template import asked_of, e0_of, find_template, first_scan, k_end, make_grid, places_of


def prepare(loaded: LoadedSpec, context: Context | None = None) -> Plan:
    """The plan of a series spec: its scans, grid, model, held parameters, references.

    Raises SpecError, ReadError, SeriesError; what is wrong with a single scan is left to its row.
    """
    context = context or Context()
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    with collected() as heard:
        if spec.series.simulate is not None:
            plan = averaged(simulated_plan(loaded, context))
        else:
            store = cache_dir() / "scans"
            files = [f for p in spec.series.files for f in fetched(p, asked_of(spec.series), store)]
            plan = plan_of(loaded, context, find_scans(files, places_of(loaded, context)))
        plan = completed(plan, context)
    said = tuple(dict.fromkeys(heard))
    return replace(plan, warnings=said, fingerprint=fingerprint(plan))


def plan_of(loaded: LoadedSpec, context: Context, scans: Scans) -> Plan:
    """The plan of given scans, without held parameters and references."""
    loaded = calibrated(loaded, context)
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    series = spec.series
    for pattern in filter(None, (series.names, series.time.name if series.time else None)):
        check_pattern(pattern, scans.labels(np.arange(min(len(scans), 1000))))
    if series.order == "time":
        scans = in_time(scans, series)
    template = find_template(scans, spec)
    energy, e0 = make_grid(template, spec), e0_of(template, spec)
    plan = Plan(
        loaded=loaded,
        scans=scans,
        energy=energy,
        e0=e0,
        kmax=k_end(loaded, spec, energy, e0),
        model=resolve_model(loaded, context),
        template=template if series.align else None,
        noted=noted_columns(scans, series),
        logs=tuple(
            (
                log,
                *read_log(
                    log.file,
                    places_of(loaded, context),
                    **log.model_dump(exclude={"file", "max_gap", "units"}),
                ),
            )
            for log in series.log
        ),
    )
    if why := series.mistaken_column([*series.named_columns, *plan.noted]):
        raise SpecError(f"{loaded.at('series', 'against')}: [series]: {why}")
    known = {"time", *plan.noted, *(name for log in series.log for name in log.columns)}
    if unknown := [n for n in plan.model.open_names if n not in known]:
        raise SpecError(
            f"{loaded.path.name}: {unknown[0]!r} in an expression is neither a parameter nor a number that logs, names or "
            f"files give of each row{nearest(unknown[0], known)}"
        )
    if series.align is not None and series.align.smooth:
        plan = replace(plan, shifts=smoothed_shifts(plan, series.align.smooth))
    return averaged(plan)


def calibrated(loaded: LoadedSpec, context: Context) -> LoadedSpec:
    """The spec of a dispersive series with the polynomial that its foil gives. Raises SeriesError, ReadError.

    The polynomial and its rms error go into a warning, so that the run says them.
    """
    from ..io.finish import PIXELS_FROM
    from ..io.sources import find_files
    from ..reduce import calibrate_pixels

    assert isinstance(loaded.spec, SeriesSpec)
    series = loaded.spec.series
    wanted = series.calibration
    if wanted is None or wanted.coefficients:
        return loaded
    places = places_of(loaded, context)
    paths = [find_files([str(name)], places)[0] for name in (wanted.file, wanted.reference)]
    foil = read_as(
        paths[0], replace(asked_of(series), mu=wanted.mu or series.mu or "", pixels=(PIXELS_FROM, 1.0))
    ).mu()
    try:
        made = calibrate_pixels(
            foil.energy - PIXELS_FROM, foil.mu, read_as(paths[1], Asked()).mu(), wanted.degree
        )
    except DataError as exc:
        raise SeriesError(f"{loaded.path.name}: [series.calibration]: {paths[0].name}: {exc}") from None
    warn(f"pixels calibrated by {paths[0].name} against {paths[1].name}: {made}")
    found = wanted.model_copy(update={"coefficients": made.coefficients})
    table = series.model_copy(update={"calibration": found})
    return replace(loaded, spec=loaded.spec.model_copy(update={"series": table}))


def averaged(plan: Plan) -> Plan:
    """The plan with rows of several scans where the spec asks for them. Raises SeriesError when there are too few."""
    average = plan.series.average
    if average is None:
        return plan
    if average.n > len(plan.scans):
        raise SeriesError(f"average = {{ n = {average.n} }}: the series has {len(plan.scans)} scans only")
    return replace(plan, width=average.n, step=average.n if average.kind == "block" else 1)


def completed(plan: Plan, context: Context) -> Plan:
    """The plan with its held parameters, and with the calibration and references that are compared with.

    Raises SpecError, ReadError, SeriesError.
    """
    plan = hold(replace(plan, method=method_of(plan)))
    calibration = find_calibration(plan.loaded, context)
    references = find_references(plan.loaded, context, plan.method)
    return replace(plan, calibration=calibration, references=references)


def check_series(loaded: LoadedSpec, context: Context | None = None) -> list[str]:
    """What would mislead the reader of a series spec, its scans and structures looked at; absent data is a warning.

    Raises SpecError with the mistakes.
    """
    from ..workflow.check import biases

    try:
        plan = prepare(loaded, context)
    except ReadError as exc:
        return [str(exc), *biases(loaded)]
    except SeriesError as exc:
        raise SpecError(f"{loaded.path.name}: {exc}") from None
    return [*plan.warnings, *biases(loaded)]


def in_time(scans: Scans, series: SeriesTable) -> Scans:
    """The scans sorted by time; each is read for its header. One without a time comes last."""

    def when(i: int) -> tuple[float, tuple[object, ...]]:
        entry = scans[i]
        try:
            scan = first_scan(entry, series)
        except XasuiteError:
            return np.inf, natural(entry.label)
        return scan_time(series.time, entry, i, scan.meta), natural(entry.label)

    return replace(scans, order=np.array(sorted(range(len(scans)), key=when)))


def noted_columns(scans: Scans, series: SeriesTable) -> dict[str, str]:
    """The columns that names and files of scans give: a "number" where every scan's value is one, else "text"."""
    out: dict[str, str] = {}
    for stack in (e for e in scans.entries if e.kind == STACK):
        out |= dict.fromkeys(first_scan(replace(stack, row=0), series).meta, "number")
    if series.names is not None:
        kinds = dict.fromkeys(re.compile(series.names).groupindex, "number")
        for entry in scans:
            for name, value in name_columns(series.names, entry).items():
                kinds[name] = "text" if isinstance(value, str) else kinds[name]
        out |= kinds
    return out


def smoothed_shifts(plan: Plan, width: int) -> Array:
    """Shifts and errors (m, 2) of all scans, the shifts smoothed by a running median over `width` scans.

    A scan whose own shift cannot be found takes its neighbours'.
    """
    from scipy.ndimage import median_filter

    found = np.full((len(plan.scans), 2), np.nan)
    for i, entry in enumerate(plan.scans):
        try:
            found[i] = shift_of(plan, first_scan(entry, plan.series).mu(), i)
        except ReadError:
            continue
        except XasuiteError as exc:
            warn(f"{entry.label}: {exc}")
    good = np.isfinite(found[:, 0])
    if not good.any():
        raise SeriesError("no scan of the series could be aligned; look at the reference channel")
    filled = np.interp(np.arange(len(found)), np.flatnonzero(good), found[good, 0])
    return np.column_stack([median_filter(filled, size=width, mode="nearest"), found[:, 1]])


def fingerprint(plan: Plan) -> str:
    """Hash of everything a result depends on but the scans' content: spec, scans (name and size), grid, model, program."""
    texts: list[object] = [
        __version__,
        plan.loaded.sha256,
        plan.series.pixels,
        plan.method,
        *(e.key for e in plan.scans.entries),
    ]
    texts += [
        (p.name, p.value, p.vary, p.min, p.max, p.stderr, p.expr and p.expr.text) for p in plan.model.params
    ]
    texts += [path.feff.sha256 for path in plan.model.paths]
    if plan.calibration is not None:
        texts += [plan.calibration.fraction, *plan.calibration.standards]
    arrays: list[Array | None] = [plan.energy, plan.shifts, plan.spectra]
    arrays += [a for reference in plan.references for a in (reference.energy, reference.norm)]
    arrays += [a for _, times, columns in plan.logs for a in (times, *columns.values())]
    return joined(
        [
            *map(repr, texts),
            *(xxhash.xxh3_128_hexdigest(np.ascontiguousarray(a).data) for a in arrays if a is not None),
        ]
    )
