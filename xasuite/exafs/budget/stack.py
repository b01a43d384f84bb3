"""The budgets of a stack of spectra that share an energy grid and a model, or of a foil under another fit's draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...constants import KTOE
from ...feff.paths import FeffPath
from ...records import Array
from ...reduce.autobk import remove
from ...reduce.autobk_matrices import Settings
from ...reduce.response import background_response
from ..engine.program import compile_model
from ..equation import N_VALUES, VALUES, PathTables, build_tables, path_wave
from ..model import Model
from ..restraints import with_bound
from .draws import BACKGROUNDS, Draw
from .fits import Case, Fitted, Fitter, Ready, onset
from .floors import ANHARMONIC, Change, changeable, changed_names, changes
from .record import Budget

# the background under which models are changed, and E0 as it was found
_PLAIN = (3, 0.8, 0.0)
# eV to which E0 of farther shells is rounded: 0.02 rad of their phase
_E0_STEP = 0.5


@dataclass(frozen=True, eq=False)
class Farther:
    """All paths of a crystal beyond the fitted shells: FEFF's path, its N, its sigma2 (A^2).

    `label` is the outermost fitted path, and `crystal_n` its N in the crystal: as much of the crystal is taken to be there
    as the fit finds of that shell.
    """

    label: str
    crystal_n: float
    paths: tuple[tuple[FeffPath, float, float], ...]

    def chi(self, k: Array, share: Array, e0: Array) -> Array:
        """chi (m, nk) of m rows with their amplitude (m,) and E0 (m,) in eV, which is rounded."""
        at = np.round(np.asarray(e0) / _E0_STEP) * _E0_STEP
        each, which = np.unique(at, return_inverse=True)
        return _sum(self, k.tobytes(), each.tobytes())[which] * share[:, None] * onset(k)


@lru_cache(maxsize=64)
def _sum(far: Farther, k_bytes: bytes, e0_bytes: bytes) -> Array:
    """chi (m, nk) of all paths at each E0 (m,)."""
    k, e0 = np.frombuffer(k_bytes), np.frombuffer(e0_bytes)
    out = np.zeros((len(e0), k.size))
    tables = _tables(far)
    for i, (_, n, sigma2) in enumerate(far.paths):
        values = np.zeros((len(e0), N_VALUES))
        values[:, VALUES.index("amplitude")], values[:, VALUES.index("sigma2")] = n, sigma2
        values[:, VALUES.index("e0")] = e0
        out[:, 1:] += path_wave(tables, i, k[1:], values)[0].imag
    return out


@lru_cache(maxsize=32)
def _tables(far: Farther) -> PathTables:
    return build_tables([p for p, _, _ in far.paths])


@dataclass(frozen=True, eq=False)
class Spectra:
    """What a budget starts from: mu (m, n) on energy (n,), E0 and edge step (m,), the model, and what else is known.

    `settings` are autobk's as stated; `step_error` is the relative error of the edge step (of its ratio to the foil's where
    one is inherited), `energy_scale` that of E - E0.
    """

    model: Model
    energy: Array
    mu: Array
    e0: Array
    edge_step: Array
    settings: Settings
    farther: Farther | None = None
    step_error: float = 0.0
    energy_scale: float = 0.0

    def __post_init__(self) -> None:
        # what is known of a path is known of its values, not of the changed ones of a floor
        object.__setattr__(self, "model", with_bound(self.model))

    def chi(self, kweight: int, rbkg: float, shift: float) -> tuple[Array, Array, Array]:
        """k (nk,), chi (m, nk) and the background's response (nk, nk) for one choice of background and E0."""
        e0 = self.e0 + shift
        low, high = self.settings.k or (0.0, np.inf)
        settings = replace(self.settings, kweight=kweight, rbkg=rbkg, k=(low, min(high, self.kmax)))
        k, chi, _ = remove(self.energy, self.mu, e0, self.edge_step, settings)
        return k, chi, background_response(self.energy, float(np.median(e0)), settings)

    @property
    def kmax(self) -> float:
        """The end of chi(k) under every choice of E0, 1/A."""
        return k_end(float(self.energy[-1]), float(self.e0.max()))


def k_end(energy: float, e0: float) -> float:
    """The end of chi(k) of a spectrum that ends at `energy` (eV) under every choice of E0, 1/A."""
    return float(np.sqrt((energy - e0 - max(shift for *_, shift in BACKGROUNDS)) / KTOE)) - 0.05


@dataclass(frozen=True, eq=False)
class Foil:
    """A parameter taken over from another fit: its value in each draw (nd,), and its own standard error beyond the draws."""

    draws: Array
    error: float


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Each draw's fits: values (nd, m, n keys) with farther shells in and out, noise (nd, m, n keys, n keys)."""

    keys: tuple[str, ...]
    inside: Array
    outside: Array
    noise: Array
    ok: NDArray[np.bool_]


def _draw(spectra: Spectra, draws: Sequence[Draw], held: Mapping[str, Foil]) -> _Drawn:
    fitter, m = Fitter.of(spectra.model), len(spectra.mu)
    fitted = fitter.fit_each(_cases(spectra, draws, held, fitter))
    both = np.stack([f.ok for f in fitted])
    return _Drawn(
        keys=fitted[0].keys,
        inside=np.stack([f.values[-m:] for f in fitted]),
        outside=np.stack([f.values[:m] for f in fitted]),
        noise=np.stack([f.noise[-m:] for f in fitted]),
        ok=both[:, -m:] & both[:, :m],
    )


def _cases(spectra: Spectra, draws: Sequence[Draw], held: Mapping[str, Foil], fitter: Fitter) -> list[Case]:
    """What is fitted in each draw: chi (m, nk), then chi less the farther shells where there are some."""
    backgrounds = [(d.bkg_kweight, d.rbkg, d.e0_shift) for d in draws]
    reduced = {b: spectra.chi(*b) for b in dict.fromkeys(backgrounds)}
    cases = []
    for i, (draw, background) in enumerate(zip(draws, backgrounds, strict=True)):
        k, chi, response = reduced[background]
        values = {name: float(foil.draws[i]) for name, foil in held.items()}
        cases.append(Case(k, chi, draw.range_of(spectra.model.range), response, values))
    if spectra.farther is None:
        return cases
    # under each background the first of its draws says how much of them there is
    first = [backgrounds.index(b) for b in reduced]
    found = fitter.fit_each([cases[i] for i in first])
    shells = {
        backgrounds[i]: _shells(spectra, f, cases[i].k) @ cases[i].response
        for i, f in zip(first, found, strict=True)
    }
    return [
        replace(case, chi=np.concatenate([case.chi, case.chi - shells[b]]))
        for case, b in zip(cases, backgrounds, strict=True)
    ]


def ready(spectra: Spectra, draws: Sequence[Draw], held: Mapping[str, Foil]) -> Iterator[Ready]:
    """The problem of one row in each draw, farther shells taken off."""
    fitter = Fitter.of(spectra.model)
    for case in _cases(spectra, draws, held, fitter):
        yield fitter.prepared(replace(case, chi=case.chi[-1:]))


def _shells(spectra: Spectra, found: Fitted, k: Array) -> Array:
    """chi (m, nk) of the farther shells, in the amount, with the S02 and at the E0 that a fit without them found."""
    far = spectra.farther
    if far is None:
        return np.zeros((len(found.values), k.size))
    share = np.clip(found.column(f"{far.label}.n") / far.crystal_n, 0.0, 1.0)
    return far.chi(k, share * found.column(f"{far.label}.s02"), found.column(f"{far.label}.e0"))


def foil_under(spectra: Spectra, draws: Sequence[Draw], name: str) -> Foil:
    """One parameter of a foil's first row under the draws of another fit, with what the draws do not hold of its error."""
    drawn = _draw(spectra, draws, {})
    at = drawn.keys.index(name)
    values, others = drawn.inside[:, 0, at], drawn.outside[:, 0, at]
    middle = float(np.median(values))
    noise = float(np.sqrt(np.median(drawn.noise[:, 0, at, at])))
    half = abs(middle - float(np.median(others))) / 2
    return Foil(values, float(np.hypot(noise, half)))


def budgets(
    spectra: Spectra,
    draws: Sequence[Draw],
    held: Mapping[str, Foil] | None = None,
) -> list[Budget | None]:
    """The budget of each row; None where fewer than half of its draws end at a minimum.

    Parameters
    ----------
    spectra : Spectra
    draws : sequence of Draw
    held : mapping, optional
        Parameters taken over from other fits, under the same draws.

    Raises
    ------
    FitError
        As `fit_chi`.
    """
    held = dict(held or {})
    drawn = _draw(spectra, draws, held)
    middle, without = (_medians(v, drawn.ok) for v in (drawn.inside, drawn.outside))
    third, shifts = _shifts(spectra, held)
    middle, drawn_values = middle + third, drawn.inside + third
    out: list[Budget | None] = []
    for row in range(len(spectra.mu)):
        ok = drawn.ok[:, row]
        if ok.sum() < len(draws) / 2:
            out.append(None)
            continue
        values = np.where(ok[:, None], drawn_values[:, row], middle[row])
        causes: dict[str, list[Array]] = {
            "shells": [(middle[row] - third[row] - without[row]) / 2],
            "cumulant": [third[row] / np.sqrt(3)],  # of a value anywhere within the two ends
        }
        for cause, shift in shifts:
            causes.setdefault(cause, []).append(shift[row])
        out.append(
            Budget(
                keys=drawn.keys,
                values=middle[row],
                draws=values,
                noise=np.median(drawn.noise[ok, row], axis=0),
                shifts={cause: np.stack(s) for cause, s in causes.items()},
            )
        )
    return out


def _medians(values: Array, ok: NDArray[np.bool_]) -> Array:
    """Medians (m, n keys) over the draws that ended at a minimum; NaN where none did."""
    masked = np.where(ok[:, :, None], values, np.nan)
    masked[:, ~ok.any(axis=0)] = values[:, ~ok.any(axis=0)]
    return np.asarray(np.nanmedian(masked, axis=0))


def _shifts(spectra: Spectra, held: Mapping[str, Foil]) -> tuple[Array, list[tuple[str, Array]]]:
    """Half of what a third cumulant moves all values (m, n keys), and the shift with each cause that no draw holds.

    Fits of changed models to the same data, all at once. The truth lies between no third cumulant and one that is all
    thermal: the estimate is put in the middle.
    """
    k, chi, response = spectra.chi(*_PLAIN)
    values = {name: float(np.median(foil.draws)) for name, foil in held.items()}
    case = Case(k, chi, spectra.model.range, response, values)
    start = Fitter.of(spectra.model).fit(case)
    data = chi - _shells(spectra, start, k) @ response
    # what is held is, like a change, a number of each row
    model = replace(
        changeable(spectra.model), params=tuple(p for p in spectra.model.params if p.name not in held)
    )
    unchanged = values | dict.fromkeys(changed_names(spectra.model), 0.0)
    each: list[Change] = [("", {}), ("cumulant", ANHARMONIC)]
    each += [("foil", {name: values[name] + foil.error}) for name, foil in held.items()]
    each += changes(spectra.model, spectra.step_error, spectra.energy_scale)
    numbers = np.array([[*(unchanged | change).values()] for _, change in each])
    fitter = Fitter(spectra.model, compile_model(model, variables=unchanged))
    case = replace(case, chi=np.tile(data, (len(each), 1)))
    found = fitter.fit(case, np.repeat(numbers, len(chi), axis=0)).values
    reference, third, *others = found.reshape(len(each), len(chi), -1)
    shifts = [(cause, other - reference) for (cause, _), other in zip(each[2:], others, strict=True)]
    return (third - reference) / 2, shifts
