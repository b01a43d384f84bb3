"""Reproduction of published tables: specs are run and scored, alone or by folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import SpecError, XasuiteError
from ..exafs.result import STRONG_CORRELATION
from ..records.table import Presented, Table, plain
from ..references import fits_dir
from ..specs.load import Loaded, LoadedSpec, as_loaded, load_spec
from ..specs.published import spec_folders, table_of
from ..specs.schema import Spec
from . import claims, closure
from .claims import ClaimCheck
from .closure import Choice, Recovery
from .fits import Progress, silent
from .resolve import Context
from .run import SpecResult, run_spec
from .score import COMBINED_ERRORS, Cell
from .scoreboard import Scorer, TableScore
from .summary import cells_table

Source = str | Path | Spec | LoadedSpec


@dataclass(frozen=True, eq=False)
class Reproduction(Presented):
    """Results of specs, compared with the published tables.

    `cells` are the published numbers with ours; `cannot_tell` is what the data cannot determine; `doubts` are about what is
    printed; `missing` and `failed` hold reasons by spec or row. `matched` are closure fits at the noise of the printed errors,
    `potentials` what other potentials change, `scores` the score of each table.
    """

    results: tuple[SpecResult, ...]
    cells: tuple[Cell, ...]
    cannot_tell: tuple[str, ...]
    doubts: tuple[str, ...]
    missing: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)
    matched: tuple[Recovery, ...] = ()
    claims: tuple[ClaimCheck, ...] = ()
    potentials: tuple[Choice, ...] = ()
    scores: tuple[TableScore, ...] = ()

    def summary(self) -> Table:
        """Published, ours, difference: one row per cell."""
        tables = ", ".join(dict.fromkeys(c.table for c in self.cells)) or "Reproduction"
        made = cells_table(f"{tables}: published and this work", self.cells)
        left = {"no data": self.missing, "failed": self.failed}
        notes = tuple(f"{word}: {k}: {v}" for word, of in left.items() for k, v in of.items())
        facts = (("cells", f"{len(self.cells)}, {self.within} within, {self.outside} outside"),)
        return replace(made, notes=notes, facts=facts)

    @property
    def within(self) -> int:
        """How many cells are within."""
        return sum(c.within for c in self.cells)

    @property
    def outside(self) -> int:
        """How many cells are outside."""
        return len(self.cells) - self.within

    def to_dict(self) -> dict[str, Any]:
        """Cells, what the data cannot determine, doubts and statements (docs/guide/json.md)."""
        document = {n: [asdict(x) for x in getattr(self, n)] for n in ("cells", "claims", "potentials")}
        told = ("within", "outside", "cannot_tell", "doubts", "missing", "failed")
        document |= {n: getattr(self, n) for n in told}
        document["matched"] = [asdict(r) | {"reason": r.reason} for r in self.matched]
        document["scores"] = [s.to_dict() for s in self.scores]
        made: dict[str, Any] = plain(document)
        return made

    @property
    def good(self) -> bool:
        """Whether every published cell is within and nothing failed; cells of models do not count."""
        return all(c.within for c in self.cells if c.counted) and not self.failed


def find_specs(targets: Sequence[str | Path]) -> list[Path]:
    """The spec files among files and in folders; where nothing is named, those that reproduce the shipped papers' tables.

    Raises SpecError when a target is absent or a folder holds no spec.
    """
    found: list[Path] = []
    for target in targets or [fits_dir() / name for name in spec_folders()]:
        places = (Path(target), fits_dir().parent / target)  # fits/... is found from everywhere
        path = next((p for p in places if p.exists()), None)
        if path is None:
            raise SpecError(f"{target}: there is no such spec or folder of specs")
        specs = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not specs and targets:
            raise SpecError(f"{path} holds no spec (.toml)")
        found += specs
    return found


def loaded_specs(given: Source | Sequence[Source]) -> list[LoadedSpec]:
    """Files, folders of specs or specs made in Python, as loaded specs. Raises SpecError."""
    each = [given] if isinstance(given, str | Path | Spec | Loaded) else given
    if not each:
        return [load_spec(path) for path in find_specs(())]
    loaded: list[LoadedSpec] = []
    for one in each:
        if isinstance(one, str | Path):
            loaded += [load_spec(path) for path in find_specs([one])]
        else:
            loaded.append(as_loaded(one, Spec))
    return loaded


def reproduce_specs(
    spec: Source | Sequence[Source] = (),
    *,
    data_root: str | Path | None = None,
    studies: bool = True,
    keep: Callable[[SpecResult], None] | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Run every spec and score it against the published table it names.

    With `studies` the simulated rows are also fitted at the noise that matches their published errors, and
    every row under other settings. `keep` is called with each result as it is made, so that what is done is
    not lost. Rows whose measured data are not there are named in `missing`. A spec that fails is named in
    `failed` while the others go on; mistakes in a spec are raised at once, before anything runs.

    Parameters
    ----------
    spec : str, Path, Spec, Loaded, or a sequence of them
        Specs, or folders of specs; left out, those of the shipped papers.
    data_root : str or Path, optional
        Where data are looked for, in addition to the spec's folder.
    studies : bool
        Fit the simulated rows at matching noise and under other settings as well.
    keep : callable, optional
        Called with each result as it is made.
    progress : callable, optional
        Called with a word on each step.

    Returns
    -------
    Reproduction
        Results, scored cells and claims by table.

    Examples
    --------
    >>> from xasuite.errors import SpecError
    >>> try:
    ...     xs.reproduce("no_such.toml")
    ... except SpecError as exc:
    ...     print("not there")
    not there
    """
    context = Context.of(data_root)
    say = progress or silent
    scorer = Scorer(context, scan=studies)
    results: list[SpecResult] = []
    cells: list[Cell] = []
    missing: dict[str, str] = {}
    failed: dict[str, str] = {}
    doubts: list[str] = []
    matching: list[Recovery] = []
    costs: list[Choice] = []
    for loaded in loaded_specs(spec):
        say(f"{loaded.name}: {loaded.spec.title}")
        begun = time.perf_counter()
        try:
            result = run_spec(loaded, context, skip_missing=True)
        except SpecError:
            raise
        except XasuiteError as exc:
            failed[loaded.name] = str(exc)
            continue
        missing |= {f"{loaded.name} {row}": why for row, why in result.missing.items()}
        failed |= {f"{loaded.name} {row}": why for row, why in result.failed.items()}
        if not result.rows:
            continue
        results.append(result)
        if keep:
            keep(result)
        cells += scorer.add(result, time.perf_counter() - begun)
        doubts += _doubts(loaded)
        if studies and loaded.spec.simulated and not loaded.spec.fit.together:
            say(f"{loaded.name}: the noise that matches the published errors")
            at_match = closure.matched(loaded, context)
            matching += at_match
            costs += closure.potential_costs(loaded, context)
            doubts += [f"{loaded.spec.reproduces} {line}" for line in closure.incompatible(at_match)]
    scores = tuple(scorer.scores(say))
    say("statements of the papers")
    return Reproduction(
        tuple(results),
        tuple(cells),
        tuple(dict.fromkeys(line for r in results for line in cannot_tell(r))),
        tuple(dict.fromkeys(doubts)) + tuple(line for r in results for line in contradictions(r)),
        missing,
        failed,
        tuple(matching),
        tuple(claims.check_claims(results, context)),
        tuple(costs),
        scores,
    )


def _doubts(spec: LoadedSpec) -> list[str]:
    """What is doubtful in the rows of the published table that a spec uses."""
    if not spec.spec.reproduces:
        return []
    rows = {d.published_row for d in spec.spec.data}
    return [f"{spec.spec.reproduces} {d.row}: {d.text}" for d in table_of(spec).doubt if d.row in rows]


def cannot_tell(result: SpecResult) -> list[str]:
    """What the data cannot determine: strong correlations, bounds, variables against independent points."""
    lines = []
    for fit in result.rows:
        said = [f"{fit.n_varys} variables against {fit.n_idp:.1f} independent points"]
        pairs = fit.correlations.items()
        if strong := [f"{a}/{b} {c:+.2f}" for (a, b), c in pairs if abs(c) >= STRONG_CORRELATION]:
            said.append(f"correlations above {STRONG_CORRELATION:g}: {', '.join(strong)}")
        said += [f"{p.name} {p.state}: its error is not valid" for p in fit.parameters if p.state]
        lines += [f"{fit.label}: {what}" for what in said]
    return lines


def contradictions(result: SpecResult) -> list[str]:
    """Where printed values contradict each other: a variant holds some of them, and its fit differs from the others."""
    lines = []
    for variant in result.loaded.spec.variant:
        for fit in result.variants.get(variant.label, ()):
            found = []
            for name, printed in variant.expects.items():
                if name == "rfactor":
                    if fit.rfactor > 2 * printed:
                        found.append(f"R factor {fit.rfactor:.3f} where {printed:g} is printed")
                    continue
                value = fit.parameter(name).value
                errors = (value.value - printed) / value.stderr
                if abs(errors) > COMBINED_ERRORS:
                    found.append(
                        f"{name} {value} where {printed:g} is printed ({errors:+.1f} standard errors)"
                    )
            if found:
                lines.append(
                    f"{fit.label}, {variant.label}: {'; '.join(found)}: the printed cells do not hold together "
                    "on this data"
                )
    return lines
