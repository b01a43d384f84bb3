"""The closure study: how well a known truth comes back, for many noise seeds and for other choices of the analyst.

A stack of simulated mu(E) that differ only in their noise is normalised, its background removed and its chi(k) fitted as a
spec says, all in one batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import RangeError
from ..exafs.engine import BatchFit, fit_stack
from ..exafs.model import Model
from ..notices import collected
from ..records import Array
from ..records.quantities import Quantity, quantity
from ..records.table import Presented, Table, plain
from ..reduce import find_e0
from ..specs.load import LoadedSpec
from ..specs.schema import Reduce
from .fits import Progress, silent
from .resolve import Context, reduce_row, resolve_model
from .simulated import how_simulated, published_lines, simulate_stack, stated_values

# quantities a published row states, and the batch's names for them
QUANTITIES = ("n", "r", "sigma2")
GOOD_NOISE = 3e-4
# the matching noise is looked for between these levels of epsilon_k, to 2 %
_NOISE_RANGE = (5e-5, 5e-2)
_NOISE_PRECISION = 0.02
_NOISE_SEEDS = 24


@dataclass(frozen=True)
class Recovery:
    """How well one quantity of one row is found again, over many seeds.

    bias = mean - truth; spread = standard deviation between seeds; reported = mean standard error of the fits
    (their own, without inherited parts); coverage = share of seeds whose value +- its error holds the truth (ideal
    0.68); at_bound, failed = shares of the fits.
    """

    row: str
    path: str
    quantity: str
    truth: float
    bias: float
    spread: float
    reported: float
    coverage: float
    at_bound: float
    failed: float
    published_err: float | None
    within_published: float  # share of seeds within the published error of the truth (nan without one)
    noise: float
    seeds: int

    @property
    def reason(self) -> str:
        """Why coverage is off, where it lies outside 0.5-0.9; empty otherwise."""
        if 0.5 <= self.coverage <= 0.9:
            return ""
        if self.at_bound > 0.1:
            return f"{self.at_bound:.0%} of the fits end at a bound, where errors mean nothing"
        if self.coverage < 0.5 and abs(self.bias) > 0.7 * self.reported:
            return (
                f"bias: {self.bias:+.2g} against an own error of {self.reported:.2g} (other potentials, farther shells, "
                "background)"
            )
        if self.coverage > 0.9 and self.reported > 1.3 * self.spread:
            return (
                f"misfit inside the rescaled errors: they are {self.reported / self.spread:.1f} times the spread between "
                "seeds"
            )
        return f"own errors {self.reported / self.spread:.1f} times the spread between seeds"


@dataclass(frozen=True)
class Choice:
    """Another choice of the analyst, the N, R and sigma2 that it gives, and the change of N."""

    what: str
    row: str
    path: str
    n: float
    r: float
    sigma2: float
    n_shift: float


def fit_seeds(
    loaded: LoadedSpec,
    index: int,
    model: Model,
    *,
    noise: float,
    seeds: Sequence[int],
    reduction: Reduce | None = None,
) -> BatchFit:
    """Simulate a row with each seed and fit it without knowledge of the truth. Raises what simulation, reduction and fit raise."""
    spectrum = simulate_stack(loaded, index, noise=noise, seeds=tuple(seeds))
    settings = reduction or loaded.spec.reduce
    if settings.e0 is None:  # found once, on the clean spectrum: E0 moves by less than a point with noise
        settings = settings.model_copy(update={"e0": _clean_e0(loaded, index)})
    with collected():
        # very large noise is tried too; its warnings are left out, its effect is in the study's numbers
        _, chi = reduce_row(spectrum, settings, loaded.spec.data[index])
    return fit_stack(model.of(loaded.spec.data[index].label), chi)


def _clean_e0(loaded: LoadedSpec, index: int) -> float:
    return float(find_e0(simulate_stack(loaded, index, noise=0.0, seeds=(0,)))[0])


def recoveries(loaded: LoadedSpec, index: int, model: Model, noise: float, seeds: int) -> list[Recovery]:
    """Bias, spread, reported error and coverage of every published quantity of a row."""
    fits = fit_seeds(loaded, index, model, noise=noise, seeds=range(1, seeds + 1))
    out = []
    truth, entry = stated_values(loaded, index), loaded.spec.data[index]
    for line in published_lines(loaded, index):
        for name in QUANTITIES:
            key = f"{line.path}.{name}"
            if name not in line.fixed and key in fits.path_values:
                error = getattr(line, f"{name}_err")
                out.append(_recovery(fits, key, truth[line.path][name], error, entry.label, noise))
    return out


def own_errors(fits: BatchFit, key: str) -> Array:
    """The fit's own standard errors (m,) of a path quantity, the inherited share taken out."""
    quantity = key.rsplit(".", 1)[1]
    total = fits.path_stderr[key]
    if quantity != "n":
        return total
    s02 = key.rsplit(".", 1)[0] + ".s02"
    n, value, error = fits.path_values[key], fits.path_values[s02], fits.path_stderr[s02]
    share = np.where(np.isfinite(error), n * error / value, 0.0)
    return np.sqrt(np.maximum(total**2 - share**2, 0.0))


def _recovery(
    fits: BatchFit, key: str, truth: float, published: float | None, row: str, noise: float
) -> Recovery:
    path, quantity = key.rsplit(".", 1)
    values, errors = fits.path_values[key], own_errors(fits, key)
    status = np.array(fits.status)
    bound = status == "at bound"
    used = np.isfinite(values) & (bound | (status == "ok"))
    held = used & np.isfinite(errors)
    off = np.abs(values - truth)
    return Recovery(
        row=row,
        path=path,
        quantity=quantity,
        truth=truth,
        bias=float(np.mean(values[used]) - truth) if used.any() else math.nan,
        spread=float(np.std(values[used], ddof=1)) if used.sum() > 1 else math.nan,
        reported=float(np.mean(errors[held])) if held.any() else math.nan,
        coverage=float(np.mean((off <= errors)[held])) if held.any() else math.nan,
        at_bound=float(np.mean(bound)),
        failed=float(np.mean(~used)),
        published_err=published,
        within_published=float(np.mean(off[used] <= published)) if published and used.any() else math.nan,
        noise=noise,
        seeds=len(fits),
    )


def noise_reaching(loaded: LoadedSpec, index: int, model: Model, key: str, error: float) -> float | None:
    """epsilon_k at which the fit's own standard error of a path quantity reaches `error`.

    The median over 24 seeds, by bisection in log noise to 2 %; None where no noise between 5e-5 and 5e-2 reaches it.
    """

    def excess(log_noise: float) -> float:
        fits = fit_seeds(loaded, index, model, noise=math.exp(log_noise), seeds=range(1, _NOISE_SEEDS + 1))
        return float(np.nanmedian(own_errors(fits, key))) - error

    low, high = (math.log(x) for x in _NOISE_RANGE)
    if excess(low) > 0 or excess(high) < 0:
        return None
    while high - low > _NOISE_PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return math.exp((low + high) / 2)


def matching_noise(loaded: LoadedSpec, index: int, model: Model) -> float | None:
    """epsilon_k at which the fit's own error of N of the row's first shell, without the foil's part, is the published one.

    None where the row has no published error of N, or where no noise reaches it.
    """
    line = published_lines(loaded, index)[0]
    return None if line.n_err is None else noise_reaching(loaded, index, model, f"{line.path}.n", line.n_err)


def matched(loaded: LoadedSpec, context: Context | None = None, *, seeds: int = 50) -> list[Recovery]:
    """Recoveries of every simulated row at its matching noise; rows without one are left out."""
    model = resolve_model(loaded, context or Context())
    found: list[Recovery] = []
    for i in loaded.spec.simulated:
        level = matching_noise(loaded, i, model)
        if level is not None:
            found += recoveries(loaded, i, model, level, seeds)
    return found


def incompatible(found: Sequence[Recovery]) -> list[str]:
    """Printed errors that white noise of one size cannot cause together, with the numbers that show it.

    The number in brackets is the epsilon_k at which the fit's own error of N is the printed one.
    """
    lines = []
    for row in dict.fromkeys(r.row for r in found):
        of = [r for r in found if r.row == row]
        first = next(r for r in of if r.quantity == "n")
        level = f"noise for N({first.path}) +-{first.published_err:g} ({first.noise:.1e})"
        for r in of:
            if r.published_err is None or r is first:
                continue
            if r.quantity == "r" and r.within_published < 0.5:
                lines.append(
                    f"{row}: {level} leaves R({r.path}) within +-{r.published_err:g} A in {r.within_published:.0%} of seeds"
                )
            if r.quantity == "n" and not 0.5 < r.reported / r.published_err < 2:
                lines.append(
                    f"{row}: {level} gives N({r.path}) +-{r.reported:.1f}, printed +-{r.published_err:g}"
                )
        if first.at_bound > 0.1:
            lines.append(f"{row}: {level} puts a sigma2 at its bound of 0 in {first.at_bound:.0%} of seeds")
    return lines


def choices(loaded: LoadedSpec, index: int, context: Context) -> list[Choice]:
    """The N that other choices of the analyst give, without noise, so that only the choice moves it."""
    spec = loaded.spec
    base_model = resolve_model(loaded, context)
    plans: list[tuple[str, Reduce, Model]] = [("as the spec says", spec.reduce, base_model)]
    for weight in (1, 2, 3):
        for rbkg in (0.8, 0.9, 1.0, 1.1):
            changed = spec.reduce.model_copy(update={"bkg_kweight": weight, "rbkg": rbkg})
            plans.append((f"autobk k^{weight}, rbkg {rbkg:g}", changed, base_model))
    rmax = spec.fit.r[1]
    for new in (1.0, 1.15, 1.3):
        plans.append((f"R from {new:g}", spec.reduce, _ranged(base_model, r=(new, rmax))))
    kmin, kmax = spec.fit.k
    for k in ((kmin, kmax + 1), (kmin, kmax - 1), (kmin + 0.5, kmax), (kmin - 0.5, kmax)):
        plans.append((f"k {k[0]:g}-{k[1]:g}", spec.reduce, _ranged(base_model, k=k)))
    for dk in (0.5, 2.0, 4.0):
        plans.append((f"dk {dk:g}", spec.reduce, _ranged(base_model, dk=dk)))
    how = how_simulated(loaded)
    for name, program, scf in (("of the truth", how.program, how.scf), ("feff8l", "feff8l", False)):
        plans.append((f"potentials {name}", spec.reduce, _with_potentials(loaded, context, program, scf)))
    out: list[Choice] = []
    reference: dict[str, float] = {}
    for what, reduction, model in plans:
        try:
            found = _noise_free(loaded, index, model, reduction)
        except RangeError:
            continue  # a k range beyond the data is no choice
        for path, (n, r, sigma2) in found.items():
            shift = n - reference.setdefault(path, n)
            out.append(Choice(what, spec.data[index].label, path, n, r, sigma2, shift))
    return out


def _noise_free(
    loaded: LoadedSpec, index: int, model: Model, reduction: Reduce | None = None
) -> dict[str, Array]:
    """N, R and sigma2 of each published path of a row without noise."""
    values = fit_seeds(loaded, index, model, noise=0.0, seeds=(0,), reduction=reduction).path_values
    paths = stated_values(loaded, index)
    return {p: np.array([float(values[f"{p}.{q}"][0]) for q in QUANTITIES]) for p in paths}


def potential_costs(loaded: LoadedSpec, context: Context) -> list[Choice]:
    """What the fit's potentials change against the truth's, without noise: n_shift is N with the fit's minus N with the truth's."""
    how = loaded.spec.simulate
    if how is None or all(p.program == how.program and p.scf == how.scf for p in loaded.spec.structures):
        return []
    models = resolve_model(loaded, context), _with_potentials(loaded, context, how.program, how.scf)
    out = []
    for i in loaded.spec.simulated:
        ours, truth = (_noise_free(loaded, i, m) for m in models)
        for path, values in ours.items():
            n, r, sigma2 = values - truth[path]
            out.append(Choice("potentials", loaded.spec.data[i].label, path, values[0], r, sigma2, n))
    return out


def _ranged(model: Model, **changes: object) -> Model:
    return replace(model, range=replace(model.range, **changes))  # type: ignore[arg-type]


def _with_potentials(loaded: LoadedSpec, context: Context, program: str, scf: bool) -> Model:
    spec, of = loaded.spec, {"program": program, "scf": scf}
    tables = {"path": spec.path, "shells": spec.shells}
    changed = {name: tuple(t.model_copy(update=of) for t in each) for name, each in tables.items()}
    return resolve_model(replace(loaded, spec=spec.model_copy(update=changed)), context)


@dataclass(frozen=True)
class Study(Presented):
    """The bias study of a spec; `matching` maps a row to the noise that gives N its published error."""

    recoveries: tuple[Recovery, ...]
    matching: Mapping[str, float | None]
    choices: tuple[Choice, ...]
    impossible: tuple[str, ...]

    def summary(self) -> Table:
        """One row per quantity and noise level: bias, spread, the fits' own error and how often it holds the truth."""
        rows = []
        for r in self.recoveries:
            q = quantity(r.quantity)
            bias, spread, reported = (x * 10.0**q.power for x in (r.bias, r.spread, r.reported))
            numbers = q.text(r.truth), f"{bias:+.3f}", f"{spread:.3f}", f"{reported:.3f}"
            rows.append((r.row, r.path, q.head, r.noise, *numbers, r.coverage, r.failed, r.at_bound))
        columns = (
            "row", "path", "quantity", "epsilon_k", *(Quantity(n) for n in ("truth", "bias", "spread", "own error")),
            Quantity("coverage", form=".2f"), Quantity("failed", form=".0%"), Quantity("at bound", form=".0%"),
        )  # fmt: skip
        notes = [
            f"{r.row} {r.path} {r.quantity} at {r.noise:.1e}: coverage {r.coverage:.2f}: {r.reason}"
            for r in self.recoveries
            if r.reason
        ]
        for row, level in self.matching.items():
            found = "none between 5e-5 and 5e-2" if level is None else f"{level:.2e}"
            notes.append(f"{row}: the noise that gives N its published error: ε(k) {found}")
        return Table.of(
            "Recovery of the truth", columns, rows, notes=(*notes, *self.impossible), label="closure"
        )

    def moved(self) -> Table:
        """Where N, R and sigma2 end with each other choice of the analyst, without noise."""
        shift = Quantity("n_shift", "N moves by", form="+.2f")
        rows = ((c.what, c.row, c.path, c.n, c.n_shift, c.r, c.sigma2) for c in self.choices)
        columns = (Quantity("what", "Choice"), "row", "path", "n", shift, "r", "sigma2")
        return Table.of("Other choices, without noise: where N ends", columns, rows, label="closure")

    def to_dict(self) -> dict[str, Any]:
        """Every number of the study (docs/guide/json.md)."""
        return {
            "recoveries": [plain(asdict(r)) | {"reason": r.reason} for r in self.recoveries],
            "matching_noise": plain(self.matching),
            "choices": [plain(asdict(c)) for c in self.choices],
            "impossible": list(self.impossible),
        }


def study(
    loaded: LoadedSpec,
    context: Context | None = None,
    *,
    seeds: int = 200,
    progress: Progress = silent,
) -> Study:
    """The bias study of a spec: recoveries at good data and at the matching noise, and the scan of choices."""
    context = context or Context()
    model = resolve_model(loaded, context)
    good: list[Recovery] = []
    at_match: list[Recovery] = []
    matching: dict[str, float | None] = {}
    scans: list[Choice] = []
    for i in loaded.spec.simulated:
        label = loaded.spec.data[i].label
        progress(f"{label}: {seeds} seeds at good data")
        good += recoveries(loaded, i, model, GOOD_NOISE, seeds)
        progress(f"{label}: matching noise")
        level = matching[label] = matching_noise(loaded, i, model)
        if level is not None:
            at_match += recoveries(loaded, i, model, level, seeds)
        progress(f"{label}: other choices")
        scans += choices(loaded, i, context)
    return Study((*good, *at_match), matching, tuple(scans), tuple(incompatible(at_match)))
