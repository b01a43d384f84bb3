"""The error budget of a series: some rows' budgets carried to all, and trends with the error of a difference.

What rows have in common comes from the same draws of a sample of rows along the run, the rest is each row's noise
(docs/decisions/error_budget_series.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SeriesError, XasuiteError
from ..exafs.budget import Budget, Carried, carry, combined, k_end
from ..exafs.equation import VALUES
from ..exafs.model import Model
from ..notices import collected, warn
from ..records import OK, Array, Normalized
from ..specs.schema import Errors
from ..specs.series import SECONDS
from ..threads import one_blas_thread
from ..workflow.budgets import Conditions, DataSets
from ..workflow.resolve import Context
from ..workflow.temperature import NAMES, kelvin, temperature_of
from .columns import NO_FIT, Columns, columns_of, fitted_names
from .ends import with_common
from .fitting import fixed, with_kmax
from .ingest import ingest
from .plan import Plan
from .reduction import reduce_rows

if TYPE_CHECKING:
    import pandas as pd

    from .work import Part

Rows = NDArray[np.intp]
Known = dict[
    tuple[str, int], Budget | None
]  # budgets by model and row, so that a growing series makes each once
# budgets that were made before they are wanted, by model and all rows that are made at once
Ahead = Mapping[tuple[str, tuple[int, ...]], Known]
# rows that a budget is made of: so many at first, and twice as many while the lines along the run need all their corners
FIRST, MOST = 32, 128


class Whole(Mapping[str, NDArray[Any]]):
    """The columns (n,) of all parts by "group/name", each put together when it is asked for: all at once would be a second table."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._each = [p.columns for p in parts]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.concatenate([columns[name] for columns in self._each])

    def __iter__(self) -> Iterator[str]:
        return iter(self._each[0])

    def __len__(self) -> int:
        return len(self._each[0])

    @cached_property
    def fitted(self) -> NDArray[np.bool_]:
        """Rows (n,) that have a fit."""
        return np.asarray(self["status/fit_status"] != NO_FIT)

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """Rows (n,) whose fit is good."""
        return np.asarray(self["status/status"] == OK)


@dataclass(frozen=True, eq=False)
class Group:
    """Rows (m,) fitted with one model: what their budgets share, the rows it was made of, and what was given for that."""

    rows: Rows
    model: Model
    sampled: Rows
    budgets: tuple[Budget, ...]
    carried: Carried


@dataclass(frozen=True, eq=False)
class Along:
    """The budget of a series: new columns (n,) by "group/name", and the group "budget" of its file."""

    columns: Columns = field(default_factory=dict)
    group: dict[str, Any] = field(default_factory=dict)

    def moved(self, timeline: dict[str, Any]) -> dict[str, Any]:
        """The fit along time with its parameters (n,) moved from the stated fit's values to the budget's, as the rows are.

        A parameter that is one number for all rows stays one: it is moved by the rows' median.
        """
        moves = {
            n: self.columns[f"parameters/{n}"] - self.columns[f"parameters/{n}_stated"]
            for n in timeline
            if f"parameters/{n}_stated" in self.columns
        }
        return timeline | {
            n: timeline[n] + (move if np.ptp(timeline[n]) else np.nanmedian(move))
            for n, move in moves.items()
        }


def budget_along(
    plan: Plan,
    parts: Iterable[Part],
    context: Context,
    known: Known | None = None,
    ahead: Ahead = MappingProxyType({}),
) -> Along:
    """The budgets of all rows; nothing where the spec asks for the fit's own errors.

    Rows of a model whose budget cannot be made keep the fit's errors, and a warning and the group's notes say why.
    """
    how = plan.spec.errors
    if how == "fit":
        return Along()
    assert isinstance(how, Errors)
    whole = Whole(parts)
    groups: list[Group] = []
    without: dict[str, list[int]] = {}
    for rows, model in _alike(plan, whole):
        try:
            groups.append(_group(plan, how, whole, rows, model, context, known, ahead))
        except SeriesError:
            raise
        except XasuiteError as exc:
            without.setdefault(str(exc), []).extend(rows.tolist())
    notes = [
        f"{len(rows)} rows ({numbered(rows)}) have the fit's own errors, no budget: {why}"
        for why, rows in without.items()
    ]
    for note in notes:
        warn(f"{plan.name}: {note}")
    columns = _columns(plan, whole, groups)
    if not groups:
        return Along(columns, {"facts": json.dumps({"notes": notes})})
    facts = {
        "notes": notes,
        "rows": len(whole.good),
        "sampled": sum(g.sampled.size for g in groups),
        "corners": [g.carried.knots.size for g in groups],
        "missed": _mean_missed(groups),
        "trends": dict(_trends(plan, whole, groups)),
    }
    return Along(columns, _sampled(plan, groups) | {"facts": json.dumps(facts, sort_keys=True)})


def numbered(rows: Iterable[int]) -> str:
    """Rows counted from 1, neighbours as a range.

    Examples
    --------
    >>> numbered([3, 0, 1, 2, 8])
    '1-4, 9'
    """
    ends: list[list[int]] = []
    for row in sorted(rows):
        if ends and row == ends[-1][1]:
            ends[-1][1] += 1
        else:
            ends.append([row + 1, row + 1])
    return ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in ends)


def _alike(plan: Plan, whole: Whole) -> Iterator[tuple[Rows, Model]]:
    """Rows of one k range and the same shells, with their model."""
    kmax = np.nan_to_num(whole["statistics/kmax"], nan=-1.0)
    absent = np.zeros(kmax.size, int)
    for i, name in enumerate(plan.series.optional):
        absent += (whole[f"parameters/{name}"] == 0.0) << i
    for end, without in np.unique(np.stack([kmax, absent])[:, whole.fitted], axis=1).T:
        names = [n for i, n in enumerate(plan.series.optional) if int(without) >> i & 1]
        rows = np.flatnonzero(whole.fitted & (kmax == end) & (absent == without))
        yield rows, with_kmax(fixed(plan.model, dict.fromkeys(names, 0.0)), float(end))


def _group(
    plan: Plan,
    how: Errors,
    whole: Whole,
    rows: Rows,
    model: Model,
    context: Context,
    known: Known | None,
    ahead: Ahead,
) -> Group:
    """The common part of rows of one model. Raises what the budgets raise, and XasuiteError where there is no good row."""
    good = rows[whole.good[rows]]
    if not good.size:
        raise XasuiteError("no row with their k range and shells is ok")
    names, relative = fitted_names(model), _amplitudes(model)
    held: Known = {} if known is None else known
    most = FIRST
    while True:
        picked = spread_rows(good, most)
        new = np.array([r for r in picked if (_name(model), int(r)) not in held], np.intp)
        there = ahead.get((_name(model), tuple(new.tolist())))
        held |= _budgets(plan, how, model, context, new, known is not None) if there is None else there
        made = [held[_name(model), int(r)] for r in picked]
        found = [(r, b) for r, b in zip(picked, made, strict=True) if b is not None]
        if not found:
            raise XasuiteError("most draws end at no minimum")
        sampled, own = np.array([r for r, _ in found], np.intp), tuple(b for _, b in found)
        stated = np.stack([whole[columns_of(n, p)[0]][sampled] for n, p in names.items()], axis=1)
        noise = np.stack([_noise(whole, n, p)[sampled] for n, p in names.items()], axis=1)
        scales = np.array([n in relative for n in names])
        carried = carry(own, [*names], sampled.astype(float), stated, noise, scales)
        # whether lines of more corners were tried and are no better
        enough = 2 * (2 * carried.knots.size - 1) - 1 <= len(own)
        if enough or picked.size == good.size or most >= MOST:
            return Group(rows, model, sampled, own, carried)
        most *= 2


def spread_rows(good: Rows, most: int) -> Rows:
    """At most `most` + 1 of some rows: every first, second, fourth ... of them, and the last.

    More rows of a growing series leave those that were taken, or every second of them.

    Examples
    --------
    >>> spread_rows(np.arange(10), 4)
    array([0, 4, 8, 9])
    """
    step = 1
    while -(-good.size // step) > most:
        step *= 2
    return np.unique(np.append(good[::step], good[-1]))


def budgets_ahead(plan: Plan, context: Context) -> dict[tuple[str, tuple[int, ...]], Known]:
    """What `budget_along` wants of a series all of whose rows are good, from their spectra alone, before they are fitted.

    Where a row is not good other rows are wanted, and none of this is taken: rows that are made at once depend on each other.
    None too where there was something to warn of, or a mistake to raise: the run that makes them itself says it.
    """
    out: dict[tuple[str, tuple[int, ...]], Known] = {}
    how, model, known = plan.spec.errors, plan.model, Known()
    assert isinstance(how, Errors)
    with collected() as said, one_blas_thread(), suppress(XasuiteError):
        for most in (FIRST, 2 * FIRST):
            new = [
                r for r in spread_rows(np.arange(len(plan)), most).tolist() if (_name(model), r) not in known
            ]
            made = _budgets(plan, how, model, context, np.array(new, np.intp), growing=False)
            out[_name(model), tuple(new)] = made
            known |= made
    return {} if said else out


def _name(model: Model) -> str:
    return f"{model.range.k[1]} {[p.label for p in model.paths]}"


def _budgets(plan: Plan, how: Errors, model: Model, context: Context, rows: Rows, growing: bool) -> Known:
    """The budgets of some rows."""
    name, known = _name(model), Known()
    alike: dict[Numbers, dict[int, Normalized]] = {}
    for row, norm, numbers in _spectra(plan, rows, growing):
        known[name, row] = None
        if norm is not None:
            alike.setdefault(numbers, {})[row] = norm
    for (own, at), norms in alike.items():
        sets = DataSets.one(model.of("", dict(own)) if own else model, at)
        conditions = Conditions.of(plan.loaded, how, sets, context, exact=plan.spectra is not None)
        under = conditions.under(k_end(float(plan.energy[-1]), plan.e0))
        made = conditions.budgets([*norms.values()], under)
        known |= zip(((name, row) for row in norms), made, strict=True)
    return known


# a row's variables, such as T, and its temperature in K
Numbers = tuple[tuple[tuple[str, float], ...], float | None]
# K to which temperatures of farther shells are rounded
_STEP = 25.0


def _spectra(plan: Plan, rows: Rows, growing: bool) -> Iterator[tuple[int, Normalized | None, Numbers]]:
    """Rows with their normalised spectra, variables and temperatures; no spectrum where a growing series' scans were moved away since."""
    if not rows.size:
        return
    with collected():  # said by the plan
        try:
            norm, chi = reduce_rows(ingest(plan, rows), plan)
        except SeriesError:
            if not growing:
                raise
            norm = None
    if norm is None:  # one of them is gone: which
        half = rows.size // 2
        if half:
            yield from _spectra(plan, rows[:half], growing)
            yield from _spectra(plan, rows[half:], growing)
        else:
            yield int(rows[0]), None, ((), None)
        return
    for j, row in enumerate(map(int, rows)):
        numbers = tuple((n, float(chi.table[n].iloc[j])) for n in plan.model.open_names)
        if not (isinstance(norm.data, Normalized) and norm.ok[j]):
            yield row, None, (numbers, None)
            continue
        one = norm.data.take([j])
        at = temperature_of(dict(numbers) | _logged(plan, chi.table.iloc[j]), one.meta)
        # what farther shells make changes little within a step: rows of a ramp share their matrices
        yield row, one, (numbers, None if at is None else max(_STEP, _STEP * round(at / _STEP)))


def _logged(plan: Plan, row: pd.Series[Any]) -> dict[str, float]:
    """The temperature (K) of a row of the table, of a column whose unit its log says."""
    known = ((n, log.units.get(n, "")) for log in plan.series.log for n in log.columns if n.lower() in NAMES)
    found = {n: kelvin(float(row[n]), unit) for n, unit in known if unit and n in row}
    return {n: t for n, t in found.items() if t is not None}


def _amplitudes(model: Model) -> set[str]:
    """Keys that scale with an amplitude: the paths' N, and parameters that serve as an amplitude only."""
    used = frozenset().union(*(p.n.names | p.s02.names for p in model.paths))
    used -= frozenset().union(*(getattr(p, q).names for p in model.paths for q in VALUES[1:]))
    return {*used, *(f"{p.label}.n" for p in model.paths)}


def _noise(whole: Whole, name: str, place: tuple[str, str]) -> Array:
    """The stated fits' own errors (n,) of noise, not scaled by misfit; NaN where there is none."""
    with np.errstate(all="ignore"):
        return np.asarray(whole[columns_of(name, place)[2]] / np.sqrt(whole["statistics/chi2_reduced"]))


@dataclass(frozen=True, eq=False)
class _Used:
    """The rows of a group that have an error of a quantity, with what their budgets are made from."""

    rows: Rows
    stated: Array
    noise: Array

    @classmethod
    def of(cls, whole: Whole, group: Group, name: str, place: tuple[str, str]) -> _Used:
        value, total, _, _ = (whole[c][group.rows] for c in columns_of(name, place))
        known = np.isfinite(value) & np.isfinite(total)
        rows = group.rows[known]
        return cls(rows, value[known], np.nan_to_num(_noise(whole, name, place)[rows]))


def _columns(plan: Plan, whole: Whole, groups: Sequence[Group]) -> Columns:
    """Values and errors of all rows with their budgets, and the stated fit's values."""
    out: Columns = {}
    for name, place in fitted_names(plan.model).items():
        value, total, own, common = (whole[c].copy() for c in columns_of(name, place))
        out[f"{place[0]}/{name}_stated"] = whole[columns_of(name, place)[0]]
        for g in groups:
            if name not in g.carried.keys:
                continue
            used = _Used.of(whole, g, name, place)
            if not used.rows.size:
                continue
            x = used.rows.astype(float)
            value[used.rows] = g.carried.moved(name, x, used.stated)
            own[used.rows] = np.where(used.noise > 0, g.carried.own_error(name, used.noise), np.nan)
            common[used.rows] = g.carried.common_error(name, x, used.stated)
            total[used.rows] = np.hypot(np.nan_to_num(own[used.rows]), common[used.rows])
        out |= with_common(whole, name, place, own, common)
        out |= dict(zip(columns_of(name, place), (value, total, own, common), strict=True))
    return out


def _trends(plan: Plan, whole: Whole, groups: Sequence[Group]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of every quantity with a row's own error: its change from the first to the last good row, and its slope in time."""
    time = whole["log/time"] / SECONDS[plan.series.time_unit]
    for name, place in fitted_names(plan.model).items():
        used = [(g, u) for g in groups if name in g.carried.keys for u in [_good(whole, g, name, place)]]
        used = [(g, u) for g, u in used if u.rows.size]
        if sum(u.rows.size for _, u in used) < 2:
            continue
        rows = np.concatenate([u.rows for _, u in used])
        own = np.concatenate([g.carried.own_error(name, u.noise) for g, u in used])
        first, last = rows == rows.min(), rows == rows.max()
        said = {
            "rows": [int(rows.min()) + 1, int(rows.max()) + 1],
            "change": _sum(used, name, last * 1.0 - first),
        }
        t = time[rows]
        if np.isfinite(t).all() and np.ptp(t) > 0:
            weight = own**-2.0
            away = t - (weight @ t) / weight.sum()
            said["slope"] = _sum(used, name, weight * away / (weight @ away**2))
        yield name, said


def _good(whole: Whole, group: Group, name: str, place: tuple[str, str]) -> _Used:
    """The good rows of a group that have an error of their own of a quantity."""
    used = _Used.of(whole, group, name, place)
    kept = whole.good[used.rows] & (group.carried.own_error(name, used.noise) > 0)
    return _Used(used.rows[kept], used.stated[kept], used.noise[kept])


def _sum(used: Sequence[tuple[Group, _Used]], name: str, weights: Array) -> dict[str, Any]:
    """A weighted sum of rows with its error: the rows' own part, the common one, and the parts."""
    ends = np.cumsum([u.rows.size for _, u in used])[:-1]
    each = [
        g.carried.weighted(name, u.rows.astype(float), u.stated, u.noise, w)
        for (g, u), w in zip(used, np.split(weights, ends), strict=True)
        if w.any()
    ]
    found = combined(each, [1.0] * len(each), [name] * len(each))
    own = found.parts.get("noise", 0.0)
    common = float(np.sqrt(max(found.stderr**2 - own**2, 0.0)))
    return {
        "value": found.value, "stderr": found.stderr, "own": own, "common": common, "parts": dict(found.parts),
    }  # fmt: skip


def _mean_missed(groups: Sequence[Group]) -> float | None:
    """By how much errors carried to rows that were left out differ from those rows' own, relative; None where none was left out."""
    found = [(g.carried.missed, g.sampled.size) for g in groups if np.isfinite(g.carried.missed)]
    if not found:
        return None
    missed, counts = np.array(found).T
    return float(np.sqrt(counts @ missed**2 / counts.sum()))


def _sampled(plan: Plan, groups: Sequence[Group]) -> dict[str, Any]:
    """The rows (s,), from 0, that budgets were made of, and the parts of each quantity's error there: NAME (s, parts)."""
    from ..exafs.budget import PARTS

    order = np.argsort(np.concatenate([g.sampled for g in groups]))
    out: dict[str, Any] = {
        "rows": np.concatenate([g.sampled for g in groups])[order],
        "part_names": json.dumps(PARTS),
    }
    nothing = dict.fromkeys(PARTS, np.nan)
    for name in fitted_names(plan.model):
        found = [b.value(name).parts if name in b.keys else nothing for g in groups for b in g.budgets]
        parts = [[of.get(p, 0.0) for p in PARTS] for of in found]
        out[name] = np.array(parts)[order]
    return out
