"""Two models of the same data: AIC, BIC, the F test of Hamilton, and an evidence with all correlations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SpecError
from ..exafs.evidence import log_evidence
from ..exafs.result import FitResult
from ..records.quantities import Quantity
from ..records.table import Presented, Table, plain
from ..specs.load import LoadedSpec, as_loaded
from ..specs.schema import Spec
from .fits import Progress, fit_rows, silent
from .resolve import Context, Resolved, resolve_spec

# keys of [fit] that must be equal for two fits of the same data
_SAME = ("k", "kweight", "r", "space", "window", "dk", "dk2", "dr", "rwindow", "epsilon_k", "together")
# a difference of the logarithms of evidence below this, odds of 3 to 1, decides nothing
UNDECIDED = 1.1
# characters of a spec's title that fit into a table's first column
LONGEST = 24
# the numbers of a model, as table and JSON list them
_NUMBERS = ("n_varys", "n_idp", "chi2", "chi2_reduced", "rfactor", "aic", "bic", "evidence")
# chance below which the F test takes the smaller model for refuted
REFUTED = 0.05


@dataclass(frozen=True)
class Judged:
    """One model, with the sums over its fits of all rows.

    `aic` and `bic` are Larch's, for noise of unknown size; `evidence` is a natural logarithm, up to a constant that both models
    share.
    """

    name: str
    n_varys: int
    n_idp: float
    chi2: float
    rfactor: float
    evidence: float

    @property
    def chi2_reduced(self) -> float:
        """chi-square over the degrees of freedom."""
        return self.chi2 / (self.n_idp - self.n_varys)

    @property
    def aic(self) -> float:
        """Akaike's criterion, N ln(chi-square / N) + 2 k with N independent points and k variables."""
        return self.n_idp * math.log(self.chi2 / self.n_idp) + 2 * self.n_varys

    @property
    def bic(self) -> float:
        """Schwarz's criterion, N ln(chi-square / N) + k ln N."""
        return self.n_idp * math.log(self.chi2 / self.n_idp) + self.n_varys * math.log(self.n_idp)

    @property
    def numbers(self) -> dict[str, float]:
        """Everything but its name."""
        return {name: getattr(self, name) for name in _NUMBERS}


@dataclass(frozen=True)
class Comparison(Presented):
    """Two models of the same data. `p` of the F test is the probability that noise alone causes the larger one's gain, or None."""

    models: tuple[Judged, Judged]
    p: float | None
    no_test: str = ""

    @property
    def odds(self) -> float:
        """The evidence for the second over that for the first: how many times more probable the data are under it."""
        first, second = self.models
        return math.exp(min(max(second.evidence - first.evidence, -700.0), 700.0))

    @property
    def preferred(self) -> dict[str, str]:
        """By criterion the name of the model that it prefers, "" where it decides nothing."""
        first, second = self.models
        by = {c: min(self.models, key=lambda m: m.numbers[c.lower()]).name for c in ("AIC", "BIC")}
        gain = second.evidence - first.evidence
        by["evidence"] = "" if abs(gain) < UNDECIDED else second.name if gain > 0 else first.name
        if self.p is not None:
            small, large = sorted(self.models, key=lambda m: m.n_varys)
            by["F test"] = large.name if self.p < REFUTED else small.name
        return by

    def summary(self) -> Table:
        """One row per model, and what each criterion says."""
        rows = [(m.name, *(m.numbers | {"n_idp": round(m.n_idp, 1)}).values()) for m in self.models]
        first, second = self.models
        better, odds = (second, self.odds) if self.odds >= 1 else (first, 1 / self.odds)
        said = "decides nothing" if not self.preferred["evidence"] else f"prefers {better.name}"
        notes = [
            f"Evidence {said}: the data are {odds:.3g} times as probable under {better.name}.",
            f"AIC prefers {self.preferred['AIC']}, BIC {self.preferred['BIC']}: the lower value.",
            f"F test (Hamilton): {self.no_test}."
            if self.p is None
            else f"F test (Hamilton): the larger model's gain comes from noise with p = {self.p:.2g}; it is "
            + ("needed at 5 %." if self.p < REFUTED else "not needed at 5 %."),
        ]
        columns = (
            Quantity("model", "Model"), "n_varys", "n_idp", Quantity("chi2", "χ²", form=".4g"), "chi2_reduced", "rfactor",
            Quantity("aic", "AIC", form=".2f"), Quantity("bic", "BIC", form=".2f"), Quantity("evidence", "ln evidence", form=".2f"),
        )  # fmt: skip
        return Table.of(f"{first.name} against {second.name}", columns, rows, notes=tuple(notes))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        found = {name: getattr(self, name) for name in ("odds", "p", "no_test", "preferred")}
        document: dict[str, Any] = plain(
            {"models": [{"name": m.name} | m.numbers for m in self.models], **found}
        )
        return document


def compare_specs(
    first: str | Path | Spec,
    second: str | Path | Spec,
    *,
    data_root: str | Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare the models of two specs on the same data.

    Parameters
    ----------
    first, second : str, Path or Spec
        Two specs with the same rows, reduction and ranges.
    data_root : str or Path, optional
        Where data are looked for, in addition to the specs' folders; left out, the environment variable XASUITE_DATA.
    progress : callable, optional
        Called with a word on each step.

    Returns
    -------
    Comparison
        AIC, BIC, the F test and the evidence of both.

    Raises
    ------
    SpecError
        Where data, reduction, ranges, k weights or restraints differ.
    FitError
        And the other errors of fitting.

    Examples
    --------
    >>> import xasuite as xs
    >>> from xasuite.references import fits_dir
    >>> from xasuite.workflow import compare_specs
    >>> spec = xs.load_spec(fits_dir() / "foils" / "co_foil_closure.toml").spec
    >>> held = spec.replace(title="E0 held", params={"enot": {"guess": None, "value": 0.0}})
    >>> compare_specs(held, spec).p > 0.05
    True
    """
    context, say = Context.of(data_root), progress or silent
    loaded = [as_loaded(s, Spec) for s in (first, second)]
    resolved = []
    for one in loaded:
        say(f"{one.path.name}: data and paths")
        resolved.append(resolve_spec(one, context))
    _check_same(*resolved)
    names = _names(loaded)
    fits = [_fit(one) for one in resolved]
    judged = [_judged(n, r, f) for n, r, f in zip(names, resolved, fits, strict=True)]
    p, why = _f_test(resolved, judged)
    return Comparison((judged[0], judged[1]), p, why)


def _names(loaded: list[LoadedSpec]) -> list[str]:
    """Short titles, else the files' names, else long titles: the first of these that differ; else A and B."""
    titles, stems = [one.spec.title for one in loaded], [one.path.stem for one in loaded]
    short = titles if max(map(len, titles)) <= LONGEST else stems
    return next((names for names in (short, stems, titles) if len(set(names)) == 2), ["A", "B"])


def _check_same(first: Resolved, second: Resolved) -> None:
    """Raises SpecError with what differs."""
    one, other = first.loaded, second.loaded
    where = f"{one.path.name} and {other.path.name}"
    for key in _SAME:
        a, b = getattr(one.spec.fit, key), getattr(other.spec.fit, key)
        if a != b:
            raise SpecError(
                f"{where} differ in [fit] {key}: {a} and {b}; models are compared on the same data, in the same ranges"
            )
    labels = [[r.label for r in found.rows] for found in (first, second)]
    if labels[0] != labels[1]:
        raise SpecError(f"{where} hold other rows: {', '.join(labels[0])} and {', '.join(labels[1])}")
    for a, b in zip(first.rows, second.rows, strict=True):
        if a.chi.chi.shape != b.chi.chi.shape or not np.allclose(a.chi.chi, b.chi.chi, rtol=0, atol=1e-12):
            raise SpecError(
                f"{where}: chi(k) of {a.label} is not the same: give both specs the same file, E0 and [reduce]"
            )
    if one.spec.restraint != other.spec.restraint:
        raise SpecError(
            f"{where} have other restraints; a restraint is an observation, and both models must meet it"
        )


def _fit(resolved: Resolved) -> tuple[FitResult, ...]:
    fits, failed = fit_rows(resolved.model, resolved.rows, resolved.loaded.spec.fit)
    for label, error in failed.items():
        raise type(error)(f"{resolved.loaded.path.name}, {label}: {error}")
    return fits


def _judged(name: str, resolved: Resolved, fits: tuple[FitResult, ...]) -> Judged:
    rows = {r.label: r.chi for r in resolved.rows}
    epsilon = resolved.loaded.spec.fit.epsilon_k
    return Judged(
        name=name,
        n_varys=sum(f.n_varys for f in fits),
        n_idp=sum(f.n_idp + len(f.restraints) for f in fits),
        chi2=sum(f.chi2 for f in fits),
        rfactor=sum(f.rfactor for f in fits) / len(fits),
        evidence=sum(log_evidence(f, [rows[d.label] for d in f.data], epsilon_k=epsilon) for f in fits),
    )


def f_test(small: Judged, large: Judged) -> float:
    """The chance that noise alone gives the larger of two nested models its gain in chi-square.

    Hamilton's test of the ratio of R factors is the same number: 1 - I_z((N - k) / 2, b / 2) of Downward, Booth, Lukens and Bridges
    (AIP Conf. Proc. 882, 129 (2007)) with z the ratio of chi-squares, N the independent points, b the variables more.
    """
    from scipy.special import betainc

    free, more = large.n_idp - large.n_varys, large.n_varys - small.n_varys
    ratio = min(large.chi2 / small.chi2, 1.0)
    return float(betainc(free / 2, more / 2, ratio))


def _f_test(resolved: list[Resolved], judged: list[Judged]) -> tuple[float | None, str]:
    """The F test where the models are nested, else why there is none."""
    if judged[0].n_varys == judged[1].n_varys:
        return None, "both models have as many variables, so neither is a part of the other"
    order = sorted((0, 1), key=lambda i: judged[i].n_varys)
    paths = [{p.feff.sha256 for p in resolved[i].model.paths} for i in order]
    small, large = (judged[i] for i in order)
    if not paths[0] <= paths[1]:
        return None, f"a path of {small.name} is none of {large.name}, so the models are not nested"
    if large.chi2 > small.chi2 * (1 + 1e-9):
        return None, f"{large.name} with more variables has the larger χ², so the models are not nested"
    return f_test(small, large), ""
