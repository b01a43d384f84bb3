"""The checks that a referee asks of XAS data and of fits, each as pass, note or fail with its number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..constants import KTOE
from ..errors import RangeError, ReadError, ReductionError, SpecError, XasuiteError
from ..records import Normalized, Spectrum, name_of
from ..records.quantities import Quantity
from ..records.table import Presented, Table
from ..reduce import background, edge_step_error, find_glitches, normalize, usable_k
from ..reduce.edge import tabulated_e0
from ..reduce.edge_step import normalization_of
from .verdict import CORRELATION, DOUBTFUL, E0_SHIFT, GOOD, OTHER_EDGE, S02_POSSIBLE, S02_USUAL

Outcome = Literal["pass", "note", "fail"]
Limits = tuple[float, float]
_COLUMNS = tuple(Quantity(n, n.capitalize()) for n in ("check", "outcome", "found", "limit"))

# Each pair: pass to the first, note to the second, fail beyond it
# eV below E0: a line through less than 50 eV is not determined; the usual range ends at -30, tables begin at -150 or -200
PRE_EDGE = (100.0, 50.0)
# 1/A: two free shells need 2 k R / pi of about 10 points; below 8 shells 0.2 A apart are one (pi / 2k)
END_OF_K = (10.0, 8.0)
# Edge steps in mu d of transmission: thinner is noise, thicker suffers from harmonics and pinholes
STEP_THIN, STEP_THICK = 0.2, 2.0
# eV: an energy scale is wrong by up to 20 eV, and an oxide lies 15 eV above the table
E0_OFF = (20.0, OTHER_EDGE)
# Points within EDGE eV of E0, and of the half rise, because too few points misplace E0: the core hole's width is 1 to 5 eV and needs steps below 1 eV
EDGE, EDGE_POINTS = 10.0, (20, 10)
# Relative error of the edge step, which goes into every N: 10 % is the usual error of N
STEP_ERROR = (0.03, 0.10)
# Points that are glitches: one or two can be removed, more are a monochromator at fault
GLITCHES = (0, 3)
CORRELATED = (0.95, CORRELATION)


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it came out, what was found and what is asked."""

    check: str
    outcome: Outcome
    found: str
    limit: str


@dataclass(frozen=True)
class Checked(Presented):
    """All checks of one spectrum or one fit."""

    title: str
    label: str
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether no check fails."""
        return all(f.outcome != "fail" for f in self.findings)

    def summary(self) -> Table:
        """One row per check."""
        rows = [(f.check, f.outcome, f.found, f.limit) for f in self.findings]
        counts = {o: sum(f.outcome == o for f in self.findings) for o in ("pass", "note", "fail")}
        said = ", ".join(f"{n} {o}" for o, n in counts.items())
        return Table.of(self.title, _COLUMNS, rows, facts=(("Checks", said),), label=self.label)


def check_spectrum(spectrum: Spectrum) -> Checked:
    """The checks of one spectrum: ranges, points at the edge, edge step, lines, glitches, noise.

    Parameters
    ----------
    spectrum : Spectrum
        mu (n,) on energy (n,) in eV; one spectrum, no stack.

    Returns
    -------
    Checked
        A finding a check. What cannot be normalised fails the check "normalisation", with the reason.

    Raises
    ------
    RangeError
        A stack of spectra.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> from xasuite.workflow.checkxas import check_spectrum
    >>> check_spectrum(spectrum).findings[0].outcome
    'pass'
    """
    what = name_of(spectrum)
    if spectrum.mu.ndim > 1:
        raise RangeError(f"{what}: the checks take one spectrum; this is a stack of {len(spectrum.mu)}")
    try:
        norm = normalize(spectrum)
    except (ReductionError, RangeError) as exc:
        return Checked(what, "", (Finding("normalisation", "fail", str(exc), "an edge with its lines"),))
    return Checked(what, "", tuple(_of_data(spectrum, norm)))


def _of_data(spectrum: Spectrum, norm: Normalized) -> Iterator[Finding]:
    energy, e0 = spectrum.energy, float(norm.e0)
    yield graded("pre-edge range", e0 - float(energy[0]), PRE_EDGE, "{:.0f} eV")
    end = math.sqrt(max(float(energy[-1]) - e0, 0.0) / KTOE)
    yield graded("end of k", end, END_OF_K, "{:.1f} 1/Å")
    if spectrum.element and spectrum.edge:
        off = abs(e0 - tabulated_e0(spectrum.element, spectrum.edge))
        yield graded("E0 against the table", off, E0_OFF, "{:.1f} eV")
    half = float(energy[int(np.argmax(norm.norm >= 0.5))])
    points = min(int(np.count_nonzero(np.abs(energy - at) <= EDGE)) for at in (e0, half))
    yield graded(f"points within {EDGE:g} eV of the edge", points, EDGE_POINTS, "{:.0f}")
    step = float(norm.edge_step)
    usual: Outcome = "pass" if STEP_THIN <= step <= STEP_THICK else "note"
    asked = f"{STEP_THIN:g} to {STEP_THICK:g} in transmission; fluorescence has no unit"
    yield Finding("edge step", usual, f"{step:.3g}", asked)
    yield graded("error of the edge step", float(edge_step_error(norm)), STEP_ERROR, "{:.1%}")
    how = normalization_of(norm).settings
    ranges = " and ".join("{:.0f} to {:.0f} eV".format(*how[r]) for r in ("pre_range", "norm_range"))
    atomic: Outcome = "pass" if how["method"] == "atomic" else "note"
    yield Finding(
        "normalisation", atomic, f"{how['method']}, {ranges}", "lies on the tabulated cross section"
    )
    try:
        flags = find_glitches(spectrum)
    except ReductionError as exc:
        yield Finding("glitches", "fail", str(exc), "0")
    else:
        at = ", ".join(f"{e:.1f}" for e in energy[flags][:5])
        yield graded("glitches", int(flags.sum()), GLITCHES, "{:.0f}", f" at {at} eV" if at else "")
    try:
        chi = background(norm)
    except (ReductionError, RangeError) as exc:
        yield Finding("usable k", "fail", str(exc), "chi(k)")
    else:
        yield graded("usable k", float(usable_k(chi)), END_OF_K, "{:.1f} 1/Å")


def check_fits(document: Mapping[str, Any]) -> list[Checked]:
    """The checks of every fit of a result: variables, S02, E0 shifts, correlations, errors, k range, verdict.

    Parameters
    ----------
    document : mapping
        What result.json holds (docs/guide/json.md), or `SpecResult.to_dict()`.

    Returns
    -------
    list of Checked
        One per row; a row without a fit fails the check "fit", with its reason.

    Examples
    --------
    >>> from xasuite.workflow.checkxas import check_fits
    >>> [done] = check_fits({"range": {}, "rows": [{"label": "foil", "status": "missing", "reason": "no data"}]})
    >>> done.good
    False
    """
    out = []
    for row in document["rows"]:
        if "params" in row:
            findings = tuple(_of_fit(row))
        else:
            findings = (Finding("fit", "fail", row.get("reason", row["status"]), "a fit"),)
        out.append(Checked(row["label"], row.get("kind", ""), findings))
    return out


def check_sources(document: Mapping[str, Any]) -> list[Checked]:
    """The checks of the spectra that a result was fitted to, read again as its spec says.

    Parameters
    ----------
    document : mapping
        What result.json holds; its provenance names the spec.

    Returns
    -------
    list of Checked
        One a fitted row. Where the spec or the data are no longer there, or no longer what was fitted, a note says so.

    Examples
    --------
    >>> from xasuite.workflow.checkxas import check_sources
    >>> check_sources({"provenance": {"spec": "gone.toml", "data": {"foil": {}}}})[0].findings[0].outcome
    'note'
    """
    from ..specs.load import load_spec
    from .resolve import Context, read_row

    made = document.get("provenance", {})
    done = []
    for label, fitted in made.get("data", {}).items():
        try:
            loaded = load_spec(made["spec"])
            index = next((i for i, d in enumerate(loaded.spec.data) if d.label == label), -1)
            if index < 0:
                raise SpecError(f'{made["spec"]} has no data "{label}" any more')
            if loaded.spec.data[index].kind == "chi":
                raise SpecError(f'data "{label}" is chi(k), which has no edge to check')
            spectrum = read_row(loaded, index, Context()).spectrum
            source = spectrum.source.sha256
            if source and source != fitted["sha256"]:
                raise ReadError(f"{fitted['path']} is not the file that was fitted: its checksum differs")
            done.append(replace(check_spectrum(spectrum), title=f"{label}, data"))
        except (XasuiteError, OSError) as exc:
            why = (Finding("data", "note", str(exc), "the spectrum that was fitted"),)
            done.append(Checked(f"{label}, data", "", why))
    return done


def _of_fit(row: Mapping[str, Any]) -> Iterator[Finding]:
    # more variables than points has no answer; above two thirds of them no misfit can be seen
    used, points = row["n_varys"], row["n_idp"]
    outcome: Outcome = "fail" if used >= points else "note" if used > 2 / 3 * points else "pass"
    yield Finding("variables", outcome, f"{used} of N_idp {points:.1f}", "up to 2/3 of N_idp; never N_idp")
    (low, high), (least, most) = S02_USUAL, S02_POSSIBLE
    for s02 in sorted({p["s02"]["value"] for p in row["paths"]}):
        inside = low <= s02 <= high
        s02_usual: Outcome = "pass" if inside else "note" if least <= s02 <= most else "fail"
        yield Finding("S0²", s02_usual, f"{s02:.2f}", f"{low:g} to {high:g}; {least:g} to {most:g} at all")
    shift = max((abs(p["e0"]["value"]) for p in row["paths"]), default=0.0)
    yield graded("largest E0 shift", shift, E0_SHIFT, "{:.1f} eV")
    pairs = {f"{c['a']}, {c['b']}": abs(c["value"]) for c in row["correlations"]}
    worst = max(pairs, key=lambda p: pairs[p], default="")
    yield graded("largest correlation", pairs.get(worst, 0.0), CORRELATED, "{:.2f}", f" {worst}".rstrip())
    without = [n for n, p in row["params"].items() if p["kind"] == "varied" and p["stderr"] is None]
    stated = f"none of {', '.join(without)}" if without else "all"
    yield Finding("errors stated", "fail" if without else "pass", stated, "every variable has one")
    level, reasons = row["verdict"]["level"], row["verdict"]["reasons"]
    worth: Outcome = "pass" if level == GOOD else "note" if level == DOUBTFUL else "fail"
    yield Finding("verdict", worth, "; ".join([level, *reasons]), GOOD)


def graded(check: str, value: float, limits: Limits, form: str, more: str = "") -> Finding:
    """A number that passes up to the first limit, is a note up to the second, else fails; falling limits are lower limits."""
    most = limits[0] < limits[1]
    passes, noted = (value <= x if most else value >= x for x in limits)
    outcome: Outcome = "pass" if passes else "note" if noted else "fail"
    return Finding(
        check, outcome, form.format(value) + more, limit_text(limits, form, "up to" if most else "from")
    )


def limit_text(limits: Limits, form: str, word: str) -> str:
    """What is asked, in words."""
    return f"{word} {form.format(limits[0])}; a note {word} {form.format(limits[1])}"


def checks_table(done: Sequence[Checked]) -> Table:
    """The checks of several spectra or fits in one table, each with what it is about."""
    rows = [(d.title, f.check, f.outcome, f.found, f.limit) for d in done for f in d.findings]
    return Table.of("What a referee asks", ("sample", *_COLUMNS), rows)
