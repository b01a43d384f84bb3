"""Statements of a paper tested by general checks; each gives a verdict and the number that decides.

A check is a [[claim.check]] table of references/published (specs/claims.py), tested on the results of the specs that it
names. The verdict is "holds" or "fails" where the evidence is two standard errors or more, else "not decided".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ReadError
from ..exafs.fourier_transform import fourier
from ..exafs.result import Value
from ..notices import collected
from ..records import Chi
from ..records.quantities import as_printed
from ..references import fits_dir
from ..specs import claims as kinds
from ..specs.claims import Claim
from ..specs.published import paper_of, table_of
from .closure import noise_reaching
from .lobes import SURE, lobe_growth, lobe_order
from .resolve import CLOSURE, Context, resolve_model
from .run import SpecResult
from .score import difference_error, row_difference
from .valence import run_valence

HOLDS, FAILS, UNDECIDED = "holds", "fails", "not decided by this evidence"
# standard errors at which two values count as different
APART = 2.0
_LOBE_SEEDS = 60

Results = Mapping[str, SpecResult]
Found = tuple[str, str, str]  # verdict, number, label


@dataclass(frozen=True)
class ClaimCheck:
    """A statement, its verdict, the number that decides, and what was looked at (closure, measured)."""

    id: str
    text: str
    verdict: str
    number: str
    label: str = "closure"


def check_claims(results: Sequence[SpecResult], context: Context | None = None) -> list[ClaimCheck]:
    """The claims of every paper that the results reproduce a table of, as far as their specs are among the results."""
    by_name = {r.loaded.name: r for r in results if r.rows}
    papers = {id(p): p for r in by_name.values() if r.loaded.spec.reproduces for p in [paper_of(r.loaded)]}
    return [
        ClaimCheck(claim.id, claim.text, *found)
        for paper in papers.values()
        for claim in paper.claim
        for found in check_claim(claim, by_name, context)
    ]


def check_claim(claim: Claim, results: Results, context: Context | None = None) -> list[Found]:
    """Verdict, number and label of each check of a claim whose spec is among the results, by name."""
    found: list[Found] = []
    for check in claim.check:
        if check.spec in results:
            found += _CHECKS[f"_{check.kind}"](check, results, context or Context())
    return found


def _trend(check: kinds.Trend, results: Results, context: Context) -> Iterable[Found]:
    """How far a value moves from one row of a table to another, ours and the printed one."""
    result, q = results[check.spec], check.quantity
    moved = row_difference(
        result.row(check.start), result.row(check.end), check.path, q, (check.start, check.end)
    )
    lines = {c.row: c for c in table_of(result.loaded).cell if c.path == check.path}
    change, own = moved.value, moved.stderr
    printed = (getattr(lines[check.end], q) or 0) - (getattr(lines[check.start], q) or 0)
    error = math.hypot(*(getattr(lines[r], f"{q}_err") or 0 for r in (check.start, check.end)))
    # the printed change is the truth of a closure spectrum: its error says nothing of how well it must come back
    off = own if result.kind == CLOSURE else math.hypot(own, error)
    agrees, moves = abs(change - printed) <= APART * off, change * math.copysign(1, printed)
    verdict = UNDECIDED if abs(moves) < APART * own else HOLDS if moves > 0 and agrees else FAILS
    unit = {"n": "", "r": " A", "sigma2": " A^2"}[q]
    number = (
        f"{q.upper() if q != 'sigma2' else q}({check.path}) changes by {as_printed(change, own)}{unit}; printed "
        f"{printed:.3f} with an error of {error:.3f}{unit} from its two rows"
    )
    if error > abs(printed):
        number += ": the printed error is larger than the change"
    yield verdict, number, result.kind


def _told_apart(check: kinds.ToldApart, results: Results, context: Context) -> Iterable[Found]:
    """A value against that of another model, whose own fit is the control: what it passes too is no evidence."""
    result, q = results[check.spec], check.quantity
    fit = result.rows[0].stated or result.rows[0]  # the claim is about the stated analysis
    value: Value = getattr(fit.path(check.path), q)
    apart = abs(check.other - value.value) / value.stderr
    model = resolve_model(result.loaded, context)
    limit = noise_reaching(result.loaded, 0, model, f"{check.path}.{q}", 1 / APART)
    ends = "at no noise from 5e-5 to 5e-2" if limit is None else f"from epsilon_k {limit:.1e} on"
    number = (
        f"{fit.label}: {q.upper()}({check.path}) = {value}, {check.other:g} lies {apart:.1f} standard errors away; "
        f"not distinguished (own error above {1 / APART:g}) {ends}"
    )
    if check.control not in results:
        yield UNDECIDED, f"{number}; its control {check.control} was not run", result.kind
        return
    beside = results[check.control].rows[0]
    control: Value = getattr((beside.stated or beside).path(check.path), q)
    off = abs(check.other - control.value) / control.stderr
    gap = control.value - value.value
    error = difference_error(value, control)
    number += (
        f"; the control, a model of {check.other:g} fitted alike, gives {control} ({off:.1f} standard errors from its "
        f"own {check.other:g}), a difference of {as_printed(gap, error)}"
    )
    undecided = apart < APART or abs(gap) < APART * error
    if not undecided and off >= APART:
        number += ": only the difference is evidence"
    yield UNDECIDED if undecided or off >= APART else HOLDS, number, result.kind


def peaks_of(
    k: np.ndarray, chi: np.ndarray, krange: tuple[float, float], kweight: int,
    between: tuple[float, float] = (1.0, 3.2),
) -> list[tuple[float, float]]:  # fmt: skip
    """Maxima of |chi(R)| between two R: (position in A, height), Hanning window with dk = 1."""
    from scipy.signal import find_peaks

    transform = fourier(Chi(k=k, chi=chi, e0=0.0, edge_step=1.0), k=krange, kweight=kweight, dk=1.0)
    inside = (transform.r > between[0]) & (transform.r < between[1])
    r, height = transform.r[inside], transform.magnitude[inside]
    at, _ = find_peaks(height, prominence=0.03 * height.max())
    return [(float(r[i]), float(height[i])) for i in at]


def _peaks(check: kinds.Peaks, results: Results, context: Context) -> Iterable[Found]:
    result = results[check.spec]
    for data in (d for fit in result.rows for d in fit.data):
        found = [p for p, _ in peaks_of(data.k, data.data, check.k, check.kweight, check.between)]
        near = [min((abs(p - wanted) for p in found), default=math.inf) for wanted in check.at]
        number = (
            f"{data.label}: peaks of k^{check.kweight} |chi(R)|, k {check.k[0]:g}-{check.k[1]:g}, at "
            f"{', '.join(f'{p:.2f}' for p in found) or 'none'} A; printed {' and '.join(f'{w:g}' for w in check.at)} A, "
            f"to {check.within:g} A"
        )
        yield HOLDS if max(near) <= check.within else FAILS, number, result.kinds[data.label]


def _distance(check: kinds.Distance, results: Results, context: Context) -> Iterable[Found]:
    result, (low, high) = results[check.spec], check.range
    fit = result.rows[0]
    r = fit.path(check.path).r
    slack = APART * r.stderr
    inside = low - slack <= r.value <= high + slack
    number = f"{fit.label}: R({check.path}) = {r} A; stated {low:g} to {high:g} A"
    projected = math.sqrt(max(r.value**2 - check.height**2, 0.0))
    if not inside and check.height and low - slack <= projected <= high + slack:
        number += f"; seen as {projected:.2f} A in projection where the atoms stand {check.height:g} A apart in height, an assumption"  # fmt: skip
        yield UNDECIDED, number, result.kind
    else:
        yield HOLDS if inside else FAILS, number, result.kind


def _lobe_order(check: kinds.LobeOrder, results: Results, context: Context) -> Iterable[Found]:
    wave = f"Morlet {check.eta:g}" if check.wavelet == "morlet" else f"Cauchy {check.cauchy_order}"
    alone = [s.structure for s in check.site if s.alone]
    what = f"k^{check.kweight}, {wave}" + (f", {alone[0]}, the pair's path alone" if alone else "")
    for order in lobe_order(check, seeds=_LOBE_SEEDS).orders:
        dies = "at no noise studied" if math.isinf(order.dies) else f"at {order.dies:.1e}" if order.dies else "without noise"  # fmt: skip
        number = (
            f"lobe of {order.lower} below {order.upper} by {as_printed(order.difference, order.error)} 1/A at epsilon_k "
            f"{check.noise:g} ({what}); seen in {order.share:.0%} of resamples, lost {dies}"
        )
        contradicted = order.difference < -APART * order.error or math.isnan(order.difference)
        yield HOLDS if order.holds else FAILS if contradicted else UNDECIDED, number, "closure"


def _lobe_growth(check: kinds.LobeGrowth, results: Results, context: Context) -> Iterable[Found]:
    if check.before[0] not in results:
        return
    grown = lobe_growth(check, results[check.before[0]].loaded, results[check.spec].loaded, seeds=_LOBE_SEEDS)
    absent, there = grown.share[0] < SURE, grown.share[-1] >= SURE
    rise = grown.height[-1] - grown.height[0]
    number = (
        f"|W| rises from {as_printed(grown.height[0], grown.error[0])} to "
        f"{as_printed(grown.height[-1], grown.error[-1])} in {check.hours[-1]:g} h; a lobe of its own from "
        f"{grown.first:g} h on at epsilon_k {check.noise:g}"
    )
    sure = rise > APART * math.hypot(grown.error[0], grown.error[-1])
    yield HOLDS if absent and there and sure else FAILS, number, "closure"


def _valence(check: kinds.ValenceClosure, results: Results, context: Context) -> Iterable[Found]:
    """Simulated edges give back what was put in, which is no evidence; what measured standards can determine is added."""
    simulated = run_valence(fits_dir() / check.valence).results
    found = next(p for r in simulated for p in r.predictions if p.name == check.unknown)
    said = [
        f"arithmetic check: edges simulated with stated shifts give {as_printed(found.value, found.stderr)} back for "
        f"the {check.value:g} that was put in"
    ]
    for name in check.measured:
        try:
            with collected():  # of single standards, named by xasuite valence
                of = run_valence(fits_dir() / name, data_root=context.data_root).results
        except ReadError:
            said.append(f"measured standards ({name}) are not at hand")
            continue
        line = next(r.calibration for r in of if r.calibration)
        left = [x for x in line.left_out if x.inside is not None]
        wide = float(np.median([(x.prediction.high - x.prediction.low) / 2 for x in left]))
        inside = sum(bool(x.inside) for x in left)
        said.append(
            f"measured standards ({name}) give a valence to +-{wide:.1f} at 95 %, {inside} of {len(left)} left out lie inside"
        )
    off = abs(found.value - check.value) > max(APART * found.stderr, 0.05)
    yield FAILS if off else UNDECIDED, "; ".join(said), "closure"


def _undecided(check: kinds.Undecided, results: Results, context: Context) -> Iterable[Found]:
    yield UNDECIDED, check.why, "-"


# by the kind of check, which names its function
_CHECKS: Mapping[str, Callable[[Any, Results, Context], Iterable[Found]]] = {
    test.__name__: test
    for test in (_trend, _told_apart, _peaks, _distance, _lobe_order, _lobe_growth, _valence, _undecided)
}
