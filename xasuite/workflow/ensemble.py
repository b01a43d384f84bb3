"""How often the truth lies within the printed errors: rows of a spec's published table with random truths, fitted blind.

Each truth is a whole table: every simulated row of the spec and its own foil (`drawn`). Its potentials are feff6l's or
feff8l's self-consistent ones, never those of the fit (docs/decisions/error_budget.md).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..choices import Potentials
from ..errors import SpecError
from ..exafs.budget import Budget, Spectra, budgets, released
from ..exafs.engine import fit_stack
from ..exafs.engine.result import BatchFit
from ..exafs.model import Model
from ..records import Spectrum
from ..records.quantities import Quantity, quantity
from ..records.table import Presented, Table, plain
from ..specs.load import LoadedSpec
from ..specs.schema import Errors
from .budgets import Conditions, DataSets, spectra_of
from .closure import QUANTITIES
from .drawn import PROGRAMS, Drawn, Source
from .fits import Progress, silent
from .resolve import Context, reduce_row, reduction_of, resolve_model

NOISES = (3e-4, 2e-3)
# the interval that holds 68.27 %: 2 / (1 - 0.6827), the price of an error outside it per unit of distance
_PENALTY = 2 / 0.3173
# whose errors: the budget's, and the misfit-scaled ones of the stated fit
SCHEMES = ("budget", "fit")
JOURNAL = "ensemble.jsonl"


@dataclass(frozen=True)
class Cell:
    """One value of one truth: a quantity of a path of a row at one noise, by one scheme, with its printed error."""

    row: str
    path: str
    quantity: str
    noise: float
    number: int
    scheme: str
    truth: float
    value: float
    stderr: float


@dataclass(frozen=True)
class Coverage:
    """Of one quantity at one noise: shares within 1 and 2 printed errors, median error, bias, rms and interval score.

    `least` is the lowest share within 1 error of any row and path. The score is the mean of the width of the interval of
    plus and minus one error and 6.3 times the distance by which the truth lies outside it: smaller is better. A value
    that is not a number, or has no error, is covered by nothing; `lost` counts them, and the means leave them out.
    """

    scheme: str
    quantity: str
    noise: float
    one: float
    two: float
    width: float
    bias: float
    rms: float
    score: float
    least: float
    least_of: str
    count: int
    lost: int


@dataclass(frozen=True, eq=False)
class Ensemble(Presented):
    """Fits of drawn truths: every value with its truth and its printed error."""

    cells: tuple[Cell, ...]
    seed: int
    potentials: tuple[str, ...] = ()
    blind: bool = False

    def coverage(self) -> list[Coverage]:
        """Pooled over rows and paths, by noise, quantity and scheme."""
        return list(_coverage(self.cells))

    def summary(self) -> Table:
        """The coverage as a table."""
        columns = (
            Quantity("noise", "ε(k)", form=".0e"), Quantity("quantity", "Value"), Quantity("scheme", "Errors"),
            Quantity("one", "Within 1", form=".2f"), Quantity("two", "Within 2", form=".2f"),
            Quantity("width", "Median error"), Quantity("bias", "Bias"), Quantity("rms", "RMS error"),
            Quantity("score", "Interval score"), Quantity("least", "Least within 1", form=".2f"), Quantity("of", "of"),
            Quantity("count", "Values"),
        )  # fmt: skip
        rows = []
        for c in self.coverage():
            of = quantity(c.quantity)
            scaled = (f"{x * 10.0**of.power:.3g}" for x in (c.width, c.bias, c.rms, c.score))
            rows.append((c.noise, of.head, c.scheme, c.one, c.two, *scaled, c.least, c.least_of, c.count))
        lost = sum(c.lost for c in self.coverage())
        notes = [
            f"truths drawn with seed {self.seed}, potentials of {' and '.join(PROGRAMS)}",
            self._fitted,
            "errors: budget, and fit: those of the stated fit alone, scaled by its misfit",
        ]
        if lost:
            notes.append(f"{lost} values have no error, or none that is a number; nothing is within it")
        return Table.of(
            "Printed errors against drawn truths", columns, rows, notes=tuple(notes), label="closure"
        )

    @property
    def _fitted(self) -> str:
        """With which potentials."""
        if not self.potentials:
            return "fitted with the spec's own potentials"
        without = "; each truth's own are left out of its fit" if self.blind else ""
        return f"fitted with the mean of {' and '.join(self.potentials)}{without}"

    def to_dict(self) -> dict[str, Any]:
        """Every number of the table, and how it was made (docs/guide/json.md)."""
        return {
            "label": "closure",
            "seed": self.seed,
            "potentials": list(self.potentials),
            "blind": self.blind,
            "coverage": [plain(asdict(c)) for c in self.coverage()],
        }


def pooled(found: Mapping[str, Ensemble]) -> Ensemble:
    """Ensembles of several specs, by the specs' names, as one; rows are then called by spec and row."""
    if len(found) == 1:
        return next(iter(found.values()))
    cells = tuple(replace(c, row=f"{name} {c.row}") for name, e in found.items() for c in e.cells)
    return replace(next(iter(found.values())), cells=cells)


def ensemble(
    loaded: LoadedSpec,
    context: Context | None = None,
    *,
    truths: int = 32,
    seed: int = 1,
    noises: Sequence[float] = NOISES,
    potentials: Sequence[Potentials] = (),
    blind: bool = False,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Ensemble:
    """Fit every simulated row of a spec with `truths` drawn truths at each noise.

    Parameters
    ----------
    loaded : LoadedSpec
    context : Context, optional
    truths : int
        Tables at each noise. Programs take turns, and half of each program's truths have a white line: best a multiple of 4.
    seed : int
    noises : sequence of float
        epsilon_k of the rows.
    potentials : sequence of str
        Of [errors] potentials, in the spec's place.
    blind : bool
        Leave a truth's own potentials out of its fit's.
    folder : Path, optional
        Where each finished table is kept (ensemble.jsonl), so that the same call continues where it stopped.
    progress : callable, optional
        Called with a sentence on each step.

    Returns
    -------
    Ensemble

    Raises
    ------
    SpecError
        No row is simulated, a foil is not, or rows are fitted together or in another space than R.
    XasuiteError
        What simulation, reduction and fit raise.

    Notes
    -----
    Self-consistent potentials take minutes a structure, once.
    """
    if loaded.spec.fit.together or loaded.spec.fit.space != "r":
        raise SpecError(
            f"{loaded.path.name}: an ensemble needs rows that are fitted one by one and in R; this spec has "
            f'together = {str(bool(loaded.spec.fit.together)).lower()}, space = "{loaded.spec.fit.space}"'
        )
    source = Source.of(loaded)
    models = Models.of(source, context or Context())
    errors = loaded.spec.errors
    among = tuple(potentials) or (errors.potentials if isinstance(errors, Errors) else ())
    journal = _Journal.of(loaded, seed, (*among, *(["blind"] if blind else [])), folder)
    wanted = [(noise, number) for noise in noises for number in range(truths)]
    start, made = time.monotonic(), 0
    for done, (noise, number) in enumerate(wanted):
        if (noise, number) in journal.tables:
            continue
        each = (time.monotonic() - start) / 60 / max(made, 1)
        left = f", some {each * (len(wanted) - done):.0f} min left" if made else ""
        progress(f"{loaded.name}: table {done + 1} of {len(wanted)}, epsilon_k {noise:g}{left}")
        drawn = source.table(number, noise, seed)
        used = tuple(p for p in among if not (blind and p == drawn.potentials))
        journal.add(noise, number, tuple(fitted(drawn, loaded, models, used)))
        made += 1
    return Ensemble(tuple(c for at in wanted for c in journal.tables[at]), seed, among, blind)


@dataclass(frozen=True, eq=False)
class _Journal:
    """Finished tables by noise and number, and the file that each is added to."""

    file: Path | None
    head: str
    tables: dict[tuple[float, int], tuple[Cell, ...]]

    @classmethod
    def of(cls, loaded: LoadedSpec, seed: int, potentials: Sequence[str], folder: Path | None) -> _Journal:
        """What is finished. Raises SpecError when the file is of another spec, seed or potentials."""
        made = {"spec": hashlib.sha256(loaded.text.encode()).hexdigest(), "seed": seed}
        head = json.dumps(made | ({"potentials": list(potentials)} if potentials else {}))
        file = None if folder is None else folder / JOURNAL
        tables: dict[tuple[float, int], tuple[Cell, ...]] = {}
        if file is not None and file.is_file():
            first, *lines = file.read_text(encoding="utf-8").splitlines()
            if first != head:
                raise SpecError(
                    f"{file} holds an ensemble of another seed or other potentials, or of {loaded.path.name} as it was; remove it, or take another --output"
                )
            for line in lines:
                cells = tuple(Cell(*values) for values in json.loads(line))
                tables[cells[0].noise, cells[0].number] = cells
        return cls(file, head, tables)

    def add(self, noise: float, number: int, cells: tuple[Cell, ...]) -> None:
        """Keep one table."""
        self.tables[noise, number] = cells
        if self.file is not None:
            lines = [json.dumps([list(asdict(c).values()) for c in t]) for t in self.tables.values()]
            files.write_text(self.file, "\n".join([self.head, *lines]) + "\n")


@dataclass(frozen=True, eq=False)
class Models:
    """The models of the rows and of each foil, resolved once."""

    rows: Model
    foils: Mapping[str, Model]

    @classmethod
    def of(cls, source: Source, context: Context) -> Models:
        foils = {name: resolve_model(foil, context) for name, (foil, _) in source.foils.items()}
        return cls(resolve_model(source.loaded, context), foils)


def fitted(
    drawn: Drawn, loaded: LoadedSpec, models: Models, potentials: Sequence[Potentials] = ()
) -> Iterator[Cell]:
    """Every value of a table by both schemes, as `xasuite fit` prints them with these potentials."""
    # the energies of a simulation are exact
    how = Errors(energy_scale=0.0, potentials=tuple(potentials))
    groups: dict[tuple[str, ...], list[int]] = {}
    for i in drawn.rows:
        paths = models.rows.of(loaded.spec.data[i].label).paths
        groups.setdefault((*loaded.spec.absorber(i), *(p.label for p in paths)), []).append(i)
    for at in groups.values():
        yield from _group(drawn, loaded, models, how, at)


def _group(
    drawn: Drawn, loaded: LoadedSpec, models: Models, how: Errors, at: Sequence[int]
) -> Iterator[Cell]:
    """Rows of one element and the same paths, which share an energy grid."""
    plain_model = models.rows.of(loaded.spec.data[at[0]].label)
    model = released(plain_model)
    stack = _stack([drawn.rows[i][0] for i in at])
    norm, chi = reduce_row(stack, reduction_of(loaded), loaded.spec.data[at[0]])
    foils: dict[str, tuple[Spectra, str]] = {}
    norms = []
    for name, (foil, spectrum, param) in drawn.foils.items():
        foil_norm, foil_chi = reduce_row(_stack([spectrum]), reduction_of(foil), foil.spec.data[0])
        norms.append(foil_norm)
        sets = DataSets.one(models.foils[name])
        foils[name] = spectra_of(foil, sets, sets.model, [foil_norm], how), param
        own = fit_stack(models.foils[name], foil_chi)
        plain_model = _with_held(plain_model, name, float(own.values[param][0]), float(own.stderr[param][0]))
    first = norms[0] if norms else None
    conditions = Conditions(loaded, how, DataSets.one(plain_model), model, foils, first, exact=True)
    made = conditions.spectra([norm])
    stated = fit_stack(plain_model, chi)
    for place, (i, budget) in enumerate(zip(at, budgets(made, *conditions.under(made.kmax)), strict=True)):
        label = loaded.spec.data[i].label
        truths = ((path, q, true) for path, of in drawn.rows[i][1].items() for q, true in of.items())
        for path, q, true in truths:
            if q in QUANTITIES and (key := f"{path}.{q}") in stated.path_values:
                printed = zip(SCHEMES, _printed(budget, stated, key, place), strict=True)
                for scheme, (value, error) in printed:
                    yield Cell(label, path, q, drawn.noise, drawn.number, scheme, true, value, error)


def _printed(budget: Budget | None, stated: BatchFit, key: str, place: int) -> Iterator[tuple[float, float]]:
    """Value and error by the budget, and by the stated fit: what is at a bound or without a budget has the fit's own."""
    own = float(stated.path_values[key][place]), float(stated.path_stderr[key][place])
    value = None if budget is None or not math.isfinite(own[1]) else budget.value(key)
    yield own if value is None else (value.value, value.stderr)
    yield own


def _stack(spectra: Sequence[Spectrum]) -> Spectrum:
    return replace(spectra[0], mu=np.stack([s.mu for s in spectra]), mu_err=None, label="ensemble")


def _with_held(model: Model, name: str, value: float, stderr: float) -> Model:
    of = (replace(p, value=value, stderr=stderr) if p.name == name else p for p in model.params)
    return replace(model, params=tuple(of))


def _coverage(cells: Sequence[Cell]) -> Iterator[Coverage]:
    groups: dict[tuple[float, str, str], list[Cell]] = {}
    for c in cells:
        groups.setdefault((c.noise, c.quantity, c.scheme), []).append(c)
    for (noise, q, scheme), of in groups.items():
        off = np.array([c.value - c.truth for c in of])
        err = np.array([c.stderr for c in of])
        good = np.isfinite(off) & np.isfinite(err)
        one = good & (np.abs(off) <= err)
        names = np.array([f"{c.row} {c.path}" for c in of])
        each = {name: float(one[names == name].mean()) for name in dict.fromkeys(names)}
        least = min(each, key=lambda name: each[name])
        a, b = off[good], err[good]
        yield Coverage(
            scheme=scheme,
            quantity=q,
            noise=noise,
            one=float(one.mean()),
            two=float((good & (np.abs(off) <= 2 * err)).mean()),
            width=float(np.median(b)),
            bias=float(a.mean()),
            rms=float(np.sqrt(np.mean(a**2))),
            score=float(np.mean(2 * b + _PENALTY * np.maximum(np.abs(a) - b, 0.0))),
            least=each[least],
            least_of=least,
            count=len(of),
            lost=int((~good).sum()),
        )
