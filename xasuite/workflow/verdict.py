"""What a fit is worth: good, doubtful or not a fit, each with its reasons (docs/decisions/verdict.md)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..exafs.engine.result import RowFits
from ..exafs.equation import VALUES
from ..exafs.fourier_transform import fourier
from ..exafs.model import Model, PathModel
from ..exafs.result import FitResult, FittedData, FittedPath, Value
from ..expressions import Expression
from ..records import Array, Chi, Normalized, Spectrum
from ..reduce import normalize, other_edges
from ..reduce.edge import tabulated_e0
from ..reduce.edge_step import normalization_of
from ..reduce.stacks import recast

Level = Literal["good", "doubtful", "not a fit"]
GOOD: Level = "good"
DOUBTFUL: Level = "doubtful"
NOT_A_FIT: Level = "not a fit"
_ORDER = (GOOD, DOUBTFUL, NOT_A_FIT)

# Each pair: doubtful above the first, not a fit above the second. The page says where they come from
MISFIT = (0.05, 0.10)  # R factor that is not noise
RESIDUAL = (0.25, 0.50)  # largest |chi(R)| left over, against the largest of the data in the fitted range
ABOVE_NOISE = 4.0  # a residual under so many standard deviations of chi(R) is none
R_SHIFT = (0.15, 0.30)  # A from the path's own length
R_ERROR = (0.10, 0.30)  # A
R_LEAST = 1.0  # A
SIGMA2 = (0.03, 0.10)  # A^2
E0_SHIFT = (10.0, 25.0)  # eV
S02_USUAL, S02_POSSIBLE = (0.6, 1.1), (0.3, 1.5)
N_CRYSTAL = (0.4, 1.25)  # of the crystal's N
ERRORS_OFF = 2.0  # standard errors beyond which a difference counts
CORRELATION = 0.98
RELATIVE_ERROR = 1.0  # of an amplitude: larger says nothing
OTHER_EDGE = 60.0  # eV; scales are wrong by up to 20 eV, an oxide's E0 lies 15 eV above the table
# R of the first shell of foils at room temperature less crystallography's (A), without a third cumulant
FOIL_R: Mapping[str, float] = {"Co": -0.011, "Cu": -0.014, "Fe": -0.012, "Ru": -0.002}
SAME_RANGE = 5.0  # eV; ends of scans that differ by less are one range
FOIL_R_SPREAD = 0.008  # A; 1 % of the energy scale is 0.012 A

Kind = Literal[
    "misfit", "noise", "not converged", "undetermined", "off the crystal", "unphysical", "large error", "one path twice",
    "not separated", "wrong model", "inherited", "other edge",
]  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One finding against a fit: its kind, how serious it is, and the reason in words."""

    kind: Kind
    level: Level
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What a fit is worth, and the findings against it."""

    level: Level
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Iterator[Finding] | list[Finding]) -> Verdict:
        """The worst level found, its own findings first."""
        found = sorted(dict.fromkeys(findings), key=lambda f: -_ORDER.index(f.level))
        return cls(found[0].level if found else GOOD, tuple(found))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not good, in words."""
        return tuple(f.reason for f in self.findings)

    @property
    def good(self) -> bool:
        """Whether there is nothing to say against the fit."""
        return self.level == GOOD

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON (docs/guide/json.md)."""
        return {"level": self.level, "reasons": list(self.reasons)}

    def __str__(self) -> str:
        return self.level + (f": {'; '.join(self.reasons)}" if self.reasons else "")


def verdict_of(
    fit: FitResult,
    inherited: Mapping[str, Verdict] | None = None,
    spectra: Mapping[str, Normalized] | None = None,
) -> Verdict:
    """The verdict on a fit from its statistics, its parameters and the structure that FEFF was given.

    Parameters
    ----------
    fit : FitResult
        One row's fit, or that of several rows together.
    inherited : mapping, optional
        The verdict on the fit that a parameter was taken from, by the parameter's name.
    spectra : mapping, optional
        The normalised spectra, by the label of their data: another element's edge in the fitted range is looked for.

    Returns
    -------
    Verdict
    """
    fit = fit.stated or fit  # what is judged is the fit, not the error budget made about it
    misfit = list(_statistics(fit))
    findings = [*misfit, *_states(fit), *_values(fit), *_pairs(fit)]
    if misfit and any(f.kind == "off the crystal" for f in findings):
        wrong = "it neither describes the data nor finds the crystal's shell"
        findings.append(Finding("wrong model", NOT_A_FIT, wrong))
    for name, verdict in (inherited or {}).items():
        if not verdict.good:
            findings.append(Finding("inherited", DOUBTFUL, f"{name} comes from a fit that is {verdict}"))
    for d in fit.data:
        for edge in other_edges(spectra[d.label]) if spectra and d.label in spectra else ():
            if edge.k < fit.model.range.k[1]:
                said = f"{d.label}: {edge}, lies within the fitted range"
                findings.append(Finding("other edge", DOUBTFUL, said))
    return Verdict.of(findings)


def edge_mismatch(norm: Normalized) -> str:
    """Why a spectrum cannot be of its element and edge, "" where it can: its E0 is far from the tabulated energy."""
    table, e0 = tabulated_e0(norm.element, norm.edge), float(np.ravel(norm.e0)[0])
    if abs(e0 - table) <= OTHER_EDGE:
        return ""
    return (
        f"its E0 is {e0:.0f} eV and the {norm.element} {norm.edge} edge lies at {table:.0f} eV: name the right element and "
        "edge, or give e0"
    )


def normalised_otherwise(sample: Normalized, foil: Normalized) -> str:
    """How much N changes because sample and foil are normalised by different rules; "" where the rule is the same.

    The change is found by normalising the sample as the foil was. Ranges that were found are the same rule, whatever they are.
    """
    mine, theirs = (normalization_of(n).settings for n in (sample, foil))
    asked = {key: theirs[key] for key in ("norm_range", "nnorm")} if theirs["ranges_given"] else {}
    alike = mine["method"] == theirs["method"] and mine["ranges_given"] == theirs["ranges_given"]
    if alike and all(np.allclose(mine[key], value, atol=SAME_RANGE) for key, value in asked.items()):
        return ""
    if theirs["method"] == "atomic":
        asked.pop("nnorm", None)
    again = normalize(recast(Spectrum, sample), e0=sample.e0, method=theirs["method"], **asked)
    size = float(np.ravel(sample.edge_step)[0] / np.ravel(again.edge_step)[0]) - 1
    return (
        f"normalised otherwise than the foil ({mine['method']}, post-edge {_range(mine)}; the foil {theirs['method']}, "
        f"{_range(theirs)}): its edge step is {size:+.1%} of what the foil's rule gives, and N {-size:+.1%}"
    )


def _range(settings: Mapping[str, Any]) -> str:
    low, high = np.asarray(settings["norm_range"], float).reshape(-1, 2)[0]
    return f"{low:.0f} to {high:.0f} eV"


def energy_scale(fit: FitResult) -> Iterator[str]:
    """A sentence for each foil whose R is off the usual value of its metal, which an error of the energy scale would explain."""
    fit = fit.stated or fit
    for d in fit.data:
        paths = [p for p in fit.paths if p.data == d.label]
        near = [p for p in paths if p.r.value < min(q.r.value for q in paths) + R_SHIFT[1]]
        metal = all(s == d.element for p in paths for s in p.scatterers)
        if d.element not in FOIL_R or not metal or not all({"n", "third"} <= set(p.fixed) for p in near):
            continue
        crystal = [_model_of(fit.model, p).feff.crystal for p in near]
        atoms = np.array([n for n, _ in crystal])
        usual = float(atoms @ [r for _, r in crystal] / atoms.sum()) + FOIL_R[d.element]
        found = float(atoms @ [p.r.value for p in near] / atoms.sum())
        if abs(found - usual) > FOIL_R_SPREAD:
            yield (
                f"{d.label}: R = {found:.3f} A is {found - usual:+.3f} A off the {usual:.3f} A that {d.element} foils usually "
                f"give: the energy scale may be at fault, by {abs(200 * (found / usual - 1)):.1f} % of E - E0"
            )


def _graded(kind: Kind, value: float, limits: tuple[float, float], reason: str) -> Iterator[Finding]:
    if not value <= limits[0]:
        yield Finding(kind, DOUBTFUL if value <= limits[1] else NOT_A_FIT, reason)


def _statistics(fit: FitResult) -> Iterator[Finding]:
    """R factor and residual, without the part that is noise."""
    if not fit.success:
        yield Finding("not converged", NOT_A_FIT, f"the fit did not converge: {fit.message}")
    # the R factor that noise alone makes is the one at a reduced chi-square of 1
    share = max(1 - 1 / fit.chi2_reduced, 0.0) if fit.chi2_reduced > 0 else 1.0
    for d in fit.data:
        where = f"{d.label}: " if len(fit.data) > 1 else ""
        said = f"{where}R factor {d.rfactor:.3f}, of which noise makes {d.rfactor * (1 - share):.3f}"
        yield from _graded("misfit", d.rfactor * share, MISFIT, said)
        if d.rfactor > 0.5 and d.rfactor * share <= MISFIT[1]:
            loud = f"{where}the noise is as large as the signal (R factor {d.rfactor:.2f})"
            yield Finding("noise", DOUBTFUL, loud)
        left, at = _residual(fit.model, d)
        yield from _graded(
            "misfit", left, RESIDUAL, f"{where}{left:.0%} of the peak is left over at R = {at:.2f} A"
        )


def _residual(model: Model, d: FittedData) -> tuple[float, float]:
    """The largest residual in the fitted range as a share of the data's largest there, and where (A); 0 where it is noise."""
    ranges, worst = model.range, (0.0, math.nan)
    both = Chi(k=d.k, chi=np.stack([d.data, d.data - d.fit]), e0=np.zeros(2), edge_step=np.ones(2))
    for weight, noise in zip(ranges.kweight, d.epsilon_r, strict=True):
        made = fourier(both, k=ranges.k, kweight=weight, window=ranges.window, dk=ranges.dk, dk2=ranges.dk2)
        inside = (made.r >= ranges.r[0]) & (made.r <= ranges.r[1])
        data, left = made.magnitude[:, inside]
        at = int(np.argmax(left))
        if left[at] > ABOVE_NOISE * noise:
            worst = max(worst, (float(left[at] / data.max()), float(made.r[inside][at])))
    return worst


def _states(fit: FitResult) -> Iterator[Finding]:
    """Parameters without a usable error: at a bound, unmoved, undetermined, or one with another."""
    varied = [p for p in fit.parameters if p.kind == "varied"]
    for p in varied:
        if p.state.startswith("at "):
            at_bound = f"{p.name} stands at its bound, {p.value.value:g}, and has no error"
            yield Finding("undetermined", DOUBTFUL, at_bound)
        elif p.state:
            yield Finding("undetermined", DOUBTFUL, f"{p.name} is not determined ({p.state})")
    if varied and all(p.state for p in varied):
        yield Finding("undetermined", NOT_A_FIT, "no parameter is determined by the data")
    for (a, b), r in fit.correlations.items():
        if abs(r) > CORRELATION:
            yield Finding("undetermined", DOUBTFUL, f"{a} and {b} are correlated by {r:+.3f}")


def _values(fit: FitResult) -> Iterator[Finding]:
    """Values of the paths against what is physical, and against the crystal that FEFF was given."""
    for p in fit.paths:
        name = f"{p.label}, {p.data}" if len(fit.data) > 1 else p.label
        n, r = _model_of(fit.model, p).feff.crystal
        yield from _distance(name, p.r, r, structure=math.isfinite(n))
        yield from _sigma2(name, p.sigma2, single=len(p.scatterers) == 1)
        if "n" not in p.fixed:
            yield from _number(name, p.n, n)
        yield from _graded(
            "unphysical", abs(p.e0.value), E0_SHIFT, f"E0 shift {p.e0} eV is beyond {E0_SHIFT[0]:g} eV"
        )
        low, high = S02_USUAL
        if not low <= p.s02.value <= high:
            possible = S02_POSSIBLE[0] <= p.s02.value <= S02_POSSIBLE[1]
            outside = f"S02 = {p.s02} is outside {low:g} to {high:g}"
            yield Finding("unphysical", DOUBTFUL if possible else NOT_A_FIT, outside)
        if p.s02.stderr > RELATIVE_ERROR * abs(p.s02.value):
            yield Finding("large error", NOT_A_FIT, f"S02 = {p.s02} has an error as large as itself")


def _distance(name: str, found: Value, given: float, structure: bool) -> Iterator[Finding]:
    """R against the path's own, which is a crystal's where `structure`."""
    said = f"{name}: R = {found} A"
    kind: Kind = "off the crystal" if structure else "unphysical"
    whose = "the crystal has" if structure else "FEFF was given"
    yield from _graded(kind, abs(found.value - given), R_SHIFT, f"{said}, {whose} {given:.3f} A")
    if found.value < R_LEAST:
        yield Finding("unphysical", NOT_A_FIT, f"{said} is nearer than any bond")
    if math.isfinite(found.stderr):
        yield from _graded(
            "large error", found.stderr, R_ERROR, f"{said} has an error above {R_ERROR[0]:g} A"
        )


def _sigma2(name: str, sigma2: Value, single: bool) -> Iterator[Finding]:
    """A path of several legs may have several times the sigma2 of its atoms."""
    said = f"{name}: sigma2 = {sigma2} A^2"
    if sigma2.value < 0:
        clear = sigma2.value < -ERRORS_OFF * sigma2.stderr
        yield Finding("unphysical", NOT_A_FIT if clear else DOUBTFUL, f"{said} is negative")
    if single:
        yield from _graded("unphysical", sigma2.value, SIGMA2, f"{said} is above {SIGMA2[0]:g} A^2")


def _number(name: str, n: Value, crystal: float) -> Iterator[Finding]:
    """N against the crystal's, where the difference is more than its error."""
    error = n.stderr if math.isfinite(n.stderr) else 0.0
    if n.value < 0:
        yield Finding("unphysical", NOT_A_FIT, f"{name}: N = {n} is negative")
    elif error > RELATIVE_ERROR * n.value:
        yield Finding("large error", DOUBTFUL, f"{name}: N = {n} has an error as large as itself")
    elif (
        not N_CRYSTAL[0] <= n.value / crystal <= N_CRYSTAL[1] and abs(n.value - crystal) > ERRORS_OFF * error
    ):
        yield Finding("off the crystal", DOUBTFUL, f"{name}: N = {n}, the crystal has {crystal:g}")


def _pairs(fit: FitResult) -> Iterator[Finding]:
    """Two paths that cannot be separated: the same FEFF path twice, or closer than the resolution with R free in both."""
    resolution = math.pi / (2 * (fit.model.range.k[1] - fit.model.range.k[0]))
    free = _free(fit.model)
    for a, b in combinations(fit.paths, 2):
        if a.data != b.data or a.scatterers != b.scatterers or len(a.scatterers) > 1:
            continue
        one, other = _model_of(fit.model, a), _model_of(fit.model, b)
        apart = abs(a.r.value - b.r.value)
        names = f"{a.label} and {b.label}"
        if one.feff.sha256 == other.feff.sha256 and _same(one, other):
            yield Finding("one path twice", NOT_A_FIT, f"{names} are one path twice")
        elif (
            apart < resolution
            and free(one.deltar) - free(other.deltar)
            and free(other.deltar) - free(one.deltar)
        ):
            close = (
                f"{names} are {apart:.3f} A apart, nearer than the {resolution:.2f} A that the k range resolves, with R "
                "free in both: hold their difference or their ratio"
            )
            yield Finding("not separated", DOUBTFUL, close)


def _same(a: PathModel, b: PathModel) -> bool:
    return all(getattr(a, q).text == getattr(b, q).text for q in VALUES[1:])


def _model_of(model: Model, path: FittedPath) -> PathModel:
    return next(p for p in model.paths if p.label == path.label and p.data in ("", path.data))


def _free(model: Model) -> Callable[[Expression], frozenset[str]]:
    """A function that gives the varied parameters that an expression depends on."""
    of = {p.name: p for p in model.params}

    def free(expression: Expression) -> frozenset[str]:
        found: set[str] = set()
        for name in expression.names & of.keys():
            p = of[name]
            found |= free(p.expr) if p.expr is not None else {name} if p.vary else set()
        return frozenset(found)

    return free


def rows_not_fits(fit: RowFits, seen: Mapping[str, NDArray[np.bool_]]) -> dict[int, str]:
    """The rows of a stack that are not a fit, each with why: R factor and paths as in `verdict_of`, all rows at once.

    `seen` says of each path in which rows (m,) it is present: only there is it judged.
    """
    found: dict[int, list[str]] = {}

    def say(bad: NDArray[np.bool_], reason: str, *values: Array) -> None:
        for i in np.flatnonzero(bad):
            found.setdefault(int(i), []).append(reason.format(*(v[i] for v in values)))

    with np.errstate(all="ignore"):
        noise = fit.rfactor * np.clip(1 / fit.chi2_reduced, 0, 1)
        misfit = fit.rfactor - noise > MISFIT[1]
        say(misfit, "R factor {:.3f}, of which noise makes {:.3f}", fit.rfactor, noise)
        low, high = S02_POSSIBLE
        for p in fit.model.paths:
            r, s02 = (fit.path_values[f"{p.label}.{q}"] for q in ("r", "s02"))
            crystal = p.feff.crystal[1]
            here = seen.get(p.label, np.ones(r.shape, bool))
            far = (np.abs(r - crystal) > R_SHIFT[1]) | (r < R_LEAST)
            label = p.label.replace("{", "{{").replace("}", "}}")
            say(here & far, f"{label}: R = {{:.2f}} A, the crystal has {crystal:.3f} A", r)
            say(here & ((s02 < low) | (s02 > high)), f"S02 = {{:.2f}} is outside {low:g} to {high:g}", s02)
    return {i: "; ".join(dict.fromkeys(reasons)) for i, reasons in found.items()}
