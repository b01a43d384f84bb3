"""The coordination table of a spec's rows as papers lay it out, with published values and footnotes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..choices import PATH_VALUES
from ..exafs.result import PATH_COLUMNS, SELDOM, FitResult, FittedParameter
from ..records.quantities import Quantity, quantity
from ..records.table import Entry, Table
from .temperature import FARTHER

if TYPE_CHECKING:
    from ..specs.schema import Spec
    from .run import SpecResult
    from .score import Cell


def coordination_table(result: SpecResult) -> Table:
    """One row per path: N, R, sigma2, S02, E0 shift, R factor and label; published values stand in the entries."""
    cells = {(c.row, c.path, c.quantity): c for c in _cells(result)}
    paths = [p for fit in result.rows for p in fit.paths]
    columns = (*PATH_COLUMNS, *(q for q in SELDOM if any(p.entry(q).value for p in paths)))
    rows = []
    for fit in result.rows:
        for p in fit.paths:
            cell = next((c for (row, _, q), c in cells.items() if row == p.data and q == "rfactor"), None)
            rfactor = _judged(Entry(next(d.rfactor for d in fit.data if d.label == p.data)), cell)
            values = (_judged(p.entry(q), cells.get((p.data, p.label, q))) for q in columns)
            rows.append((p.data, p.label, *values, rfactor, result.kinds[p.data]))
    heads = ("sample", "path", *columns, "rfactor", "label")
    return Table.of(result.spec.title, heads, rows, notes=tuple(footnotes(result)), label=result.kind)


def parts_table(result: SpecResult) -> Table:
    """What the error of every N, R, sigma2 and S02 is made of; the parts add in quadrature."""
    from ..exafs.budget.record import PARTS

    rows = []
    for fit in result.rows:
        for p in fit.paths:
            for q in ("n", "r", "sigma2", "s02"):
                entry = p.entry(q)
                if entry.parts:
                    own = [f"{entry.parts[part]:.2g}" if part in entry.parts else None for part in PARTS]
                    rows.append((p.data, p.label, q, f"{entry.value:.4g}", f"{entry.stderr:.2g}", *own))
    columns = ("sample", "path", "quantity", "value", "error", *PARTS)
    return Table.of("What the errors are made of (units of the quantity: Å, Å²)", columns, rows)


def changes_table(result: SpecResult) -> Table | None:
    """Changes from the first row; errors that rows share cancel in a difference. None without a second row."""
    if len(result.rows) < 2:
        return None
    from .score import row_difference

    rows = []
    for fit in result.rows[1:]:
        for p in fit.paths:
            first = next((q for q in result.rows[0].paths if q.label == p.label), None)
            if first is None:
                continue
            found = {q: row_difference(result.rows[0], fit, p.label, q) for q in ("n", "r", "sigma2")}
            entries = [
                Entry(v.value, v.stderr, held=q in p.fixed and q in first.fixed, parts=v.parts)
                for q, v in found.items()
            ]
            rows.append((p.data, p.label, *entries))
    if not rows:
        return None
    moved = map(quantity, ("n", "r", "sigma2"))
    columns = [replace(q, symbol=f"Δ{q.symbol}", latex=rf"\Delta {q.latex}") for q in moved]
    title = f"Changes from {result.rows[0].label}"
    return Table.of(title, ("sample", "path", *columns), rows, notes=(CHANGES,))


CHANGES = (
    "Errors are those of a difference: choices, potentials, energy scale and foil that two rows share cancel in it. Rows of "
    "different beamlines do not share an energy scale, nor rows of different compounds their potentials."
)


def variants_table(result: SpecResult) -> Table:
    """Parameters of the main fit and of its variants, without those that are fixed in all."""
    fits = [("as the spec says", f) for f in result.rows]
    fits += [(name, f) for name, of in result.variants.items() for f in of]
    names = list(dict.fromkeys(p.name for _, f in fits for p in f.parameters if p.kind != "fixed"))
    rows = []
    for name, f in fits:
        held = {p.name: p.entry for p in f.parameters}
        rows.append((name, f.label, *(held.get(n) for n in names), f.rfactor))
    notes = tuple(f"{v.label}: {v.note}" for v in result.loaded.spec.variant if v.note)
    columns = ("variant", "sample", *(_parameter(n, result.loaded.spec) for n in names), "rfactor")
    return Table.of("The same data fitted in other ways", columns, rows, notes=notes)


def _parameter(name: str, spec: Spec) -> Quantity:
    """A parameter under its own name, with the unit of the path value that it is used for; enot__1 is enot of the second row."""
    of_rows = re.sub(r"__\d+$", "", name)
    taken = (q for q in PATH_VALUES if any(getattr(p, q) in (name, of_rows) for p in spec.path))
    return replace(quantity(next(taken, name)), name=name, symbol=name, latex="")


def _cells(result: SpecResult) -> tuple[Cell, ...]:
    """The scored cells of a spec that reproduces a published table; none for any other."""
    reference = result.loaded.spec.reproduces
    if not reference:
        return ()
    from ..specs.published import table_of
    from .score import score_result

    return tuple(score_result(result, table_of(result.loaded), reference))


def _judged(entry: Entry, cell: Cell | None) -> Entry:
    if cell is None:
        return entry
    error = cell.published_err or math.nan
    return replace(entry, published=cell.published, published_err=error, within=cell.within)


def footnotes(result: SpecResult) -> Iterable[str]:
    """k and R range, window, k weight; where inherited values come from; what marks and labels mean."""
    spec = result.loaded.spec
    f = spec.fit
    weights = ",".join(str(w) for w in f.kweight)
    yield (
        f"{spec.sample.element} {spec.sample.edge} edge; k = {f.k[0]:g}-{f.k[1]:g} 1/Å, k weight {weights}, {f.window} window, "
        f"dk = {f.dk:g} 1/Å; fitted in {f.space} space, R = {f.r[0]:g}-{f.r[1]:g} Å (not corrected for phase)."
    )
    yield "* held. Errors are standard errors, inherited ones included."
    for p in result.rows[0].parameters if result.rows else ():
        if p.kind == "inherited":
            yield f"{p.name} = {p.value}, {_origin(p.origin)}."
    for fit in result.rows:
        if hidden := _behind(fit):
            yield f"{fit.label}: {', '.join(f'{p.name} = {p.value}' for p in hidden)}."
        for r in fit.restraints:
            yield f"{fit.label}: {r} of {fit.chi2:.3g}."
    yield from _parts(result)
    if spec.errors != "fit" and spec.errors.potentials and any(fit.budget is not None for fit in result.rows):
        among = " and ".join(spec.errors.potentials)
        yield f"Values are means over potentials of {among}; curves and R factor are of the fit with the paths' own."
    if "closure" in result.kinds.values():
        yield "closure: simulated from known values and fitted blind; it tests the analysis, not the sample."
    for row in result.inputs.values():
        if row.kind == "measured" and row.origin:
            yield f"{row.label}: {_public(row.origin, row.chi.source.path)}."
    if result.audit is not None:
        yield f"{result.audit}."


def _behind(fit: FitResult) -> list[FittedParameter]:
    """Varied parameters that no path value shows directly, only through a function, a path's token or a row's variable: theta."""
    names = {p.name for p in fit.model.params}

    def own(name: str) -> str:  # alpha of alpha__0, the copy of one row
        return name if name in names else name.rpartition("__")[0]

    texts = (getattr(p, v).text for p in fit.model.paths for v in PATH_VALUES)
    used = [set(re.findall(r"\b[A-Za-z_]\w*", text)) for text in texts]
    hidden = set().union(*used) - set().union(*(u for u in used if u <= names))
    return [p for p in fit.parameters if p.kind == "varied" and own(p.name) in hidden]


def _origin(origin: str) -> str:
    """Where an inherited value comes from, without folders."""
    return "given in the spec" if origin in ("", "given") else f"from {Path(origin).name}"


def _parts(result: SpecResult) -> Iterable[str]:
    """What the errors of N are made of, where they have several parts."""
    of: dict[str, list[float]] = {}
    for n in (p.n for fit in result.rows for p in fit.paths if len(p.n.parts) > 1):
        for name, part in n.parts.items():
            of.setdefault(name, []).append(part)
    if of:
        ends = ((n, f"{min(v):.2g}", f"{max(v):.2g}") for n, v in of.items())
        parts = (f"{n} {low}" + (f" to {high}" if low != high else "") for n, low, high in ends)
        yield f"Parts of the errors of N, which add in quadrature: {'; '.join(parts)}."
    known = [n for fit in result.rows for d in fit.data for n in d.notes if n.startswith(FARTHER)]
    for note in dict.fromkeys(known):
        yield f"{note[0].upper()}{note[1:]}."


def _public(origin: str, path: str) -> str:
    """Where data came from, without the folders of one person's machine."""
    return origin.replace(path, Path(path).name) if path else origin


def result_dict(result: SpecResult) -> dict[str, Any]:
    """Everything of a result but its curves as plain data: result.json and ``xasuite fit --json``."""
    from dataclasses import asdict

    spec = result.loaded.spec
    verdicts = result.verdicts
    rows = [
        f.to_dict() | {"kind": result.kinds[f.data[0].label], "verdict": verdicts[f.label].to_dict()}
        for f in result.rows
    ]
    for label, reason in {**result.failed, **result.missing}.items():
        status = "failed" if label in result.failed else "missing"
        rows.append({"label": label, "status": status, "reason": reason, "params": {}, "paths": []})
    return {
        "spec": str(result.loaded.path),
        "title": spec.title,
        "sample": spec.sample.model_dump(),
        "range": spec.fit.model_dump(),
        "notes": spec.notes,
        "rows": rows,
        "table": result.summary().to_dict(),
        "changes_table": None if (changes := changes_table(result)) is None else changes.to_dict(),
        "variants": {name: [f.to_dict() for f in fits] for name, fits in result.variants.items()},
        "variants_table": variants_table(result).to_dict() if result.variants else None,
        "warnings": list(result.warnings),
        "audit": None if result.audit is None else asdict(result.audit) | {"passed": result.audit.passed},
        "provenance": asdict(result.provenance),
        "spec_text": result.loaded.text,
    }


def cells_table(title: str, cells: Iterable[Cell]) -> Table:
    """One row per published number: printed, ours, difference in combined standard errors, verdict and rule."""
    rows = []
    for c in cells:
        q = quantity(c.quantity)
        published = Entry(math.nan, published=c.published, published_err=c.published_err or math.nan)
        ours = q.text(c.ours, c.ours_err or math.nan)
        verdict = ("within" if c.within else "OUTSIDE") + (f" ({c.remark})" if c.remark else "")
        gap = c.difference if math.isfinite(c.difference) else None
        rows.append((c.row, c.path, q.head, published.published_text(q), ours, gap, verdict, c.rule, c.label))
    gap_column = Quantity("difference", "Difference / error", form="+.1f")
    columns = ("row", "path", "quantity", "published", "ours", gap_column, "verdict", "rule", "label")
    return Table.of(title, columns, rows)
