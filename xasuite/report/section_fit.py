"""The section of a report about a fit: its result.json and curves.h5."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .._series.summary import shown_names
from ..errors import ReadError
from ..exafs.model import FitRange
from ..exafs.result import STRONG_CORRELATION
from ..records.quantities import Quantity, quantity
from ..records.table import Entry, Table
from ..workflow.checkxas import check_fits, check_sources, checks_table
from .curves import load_curves
from .methods import SPACES, WINDOWS, methods
from .samples import fit_ranges
from .sections import CLOSURE_NOTE, GOOD_RFACTOR, Section
from .viewer import Stack, Trend, padded, together

LISTED_CORRELATION = 0.5  # smallest |r| in the table of correlations
CHI2_NOTE = (
    "Reduced chi-square (χ²/ν) compares the misfit with the noise of the data; 1 would be a misfit of noise alone. For good EXAFS it "
    "is often 10 to 100, because the theory and the background, not the noise, limit the fit. Compare it between fits of the "
    "same data, not between samples. R factor: the share of the signal that the fit does not explain; below 0.02 a fit is usually called good."
)
HOW = {"varied": "fitted", "fixed": "fixed in the spec", "expression": "computed"}


def result_section(path: Path) -> Section:
    """The section of a result.json and its curves. Raises ReadError."""
    document = read_result(path)
    good = [row for row in document["rows"] if row["paths"]]
    table = replace(Table.from_dict(document["table"]).with_published(), title="Coordination table", label="")
    beside = [document.get("changes_table"), document["variants_table"]]
    return Section(
        title=document["title"],
        kind=" and ".join(dict.fromkeys(row["kind"] for row in good)) or "failed",
        facts=_facts(document, good),
        warnings=_warnings(document, good),
        tables=(table, *(Table.from_dict(t) for t in beside if t)),
        details=(
            _quality(good),
            checks_table([*check_fits(document), *check_sources(document)]),
            _parameters(document, good),
            *_correlations(good),
        ),
        audit=_audit(good, table),
        stack=_result_stack(path, document, good),
        provenance=tuple(_provenance(document["provenance"])),
        spec_text=document["spec_text"],
        methods=methods(document) if good else "",
    )


def read_result(path: Path) -> dict[str, Any]:
    """The content of a result.json. Raises ReadError when it is not a result of this version."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ReadError(f"{path} is no result.json: {exc}") from None
    if not isinstance(document, dict) or "variants_table" not in document:
        raise ReadError(f"{path} is no result of this version; fit its spec again")
    return document


def _facts(document: Mapping[str, Any], good: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    worst = max((r["rfactor"] for r in good if r["rfactor"] is not None), default=math.nan)
    largest = "R factor" if len(good) == 1 else "Largest R factor"
    return (
        ("Spectra", f"{len(good)} fitted of {len(document['rows'])}"),
        ("Edge", f"{document['sample']['element']} {document['sample']['edge']}"),
        *ranges_in_words(fit_ranges(document["range"])),
        (largest, f"{worst:.4f}" if math.isfinite(worst) else "-"),
    )


def ranges_in_words(fit: FitRange) -> tuple[tuple[str, str], ...]:
    """The k and R ranges of a fit with its k weights and window, as a paper states them."""
    weights = ", ".join(map(str, fit.kweight))
    window = f"{WINDOWS.get(fit.window, fit.window)} window with dk = {fit.dk:g} 1/Å"
    where = f"fitted in {SPACES[fit.space]} space, not corrected for phase"
    return (
        ("k", f"{fit.k[0]:g} to {fit.k[1]:g} 1/Å, weight {weights}, {window}"),
        ("R", f"{fit.r[0]:g} to {fit.r[1]:g} Å, {where}"),
    )


def _warnings(document: Mapping[str, Any], good: list[dict[str, Any]]) -> tuple[str, ...]:
    said = [CLOSURE_NOTE] if any(r["kind"] == "closure" for r in good) else []
    for row in document["rows"]:
        if not row["paths"]:
            said.append(f"{row['label']} is not in the tables: {row['reason']}")
            continue
        verdict = row.get("verdict") or {}
        if verdict.get("level", "good") != "good":
            said.append(f"{row['label']}: {verdict['level']}: {'; '.join(verdict['reasons'])}")
        elif row["rfactor"] is not None and row["rfactor"] > GOOD_RFACTOR:
            said.append(
                f"{row['label']}: the fit leaves {100 * row['rfactor']:.1f} % of the signal unexplained (R factor); "
                f"above {100 * GOOD_RFACTOR:g} % look at the figure before using its numbers."
            )
        said += [f"{row['label']}: {w}" for w in row["warnings"]]
    return tuple(dict.fromkeys([*said, *document["warnings"]]))


def _quality(good: list[dict[str, Any]]) -> Table:
    rows = []
    for r in good:
        noise = ", ".join(f"{d['epsilon_k'][0]:.1e}" for d in r["data"] if d["epsilon_k"][0])
        verdict = (r.get("verdict") or {}).get("level", r["status"])
        rows.append((r["label"], r["rfactor"], r["chi2_reduced"], r["n_varys"], r["n_idp"], noise, verdict))
    columns = ("sample", "rfactor", "chi2_reduced", "n_varys", "n_idp", "epsilon_k", "verdict")
    return Table.of("Quality of the fit", columns, rows, notes=(CHI2_NOTE,))


def _parameters(document: Mapping[str, Any], good: list[dict[str, Any]]) -> Table:
    """Every parameter of every row: value, fitted or fixed, limits, and the parts of its error."""
    names = shown_names(tomllib.loads(document["spec_text"])) if document["spec_text"] else {}
    parts = list(dict.fromkeys(n for r in good for p in r["params"].values() for n in p.get("parts", {})))
    parts = parts if len(parts) > 1 else []
    rows = []
    for r in good:
        for name, p in r["params"].items():
            q = names.get(name) or quantity(name)
            inherited = p["kind"] == "inherited" and p["origin"] != "given"
            origin = f"from {Path(p['origin']).name}" if inherited else p["expr"]
            state = f" ({p['state']})" if p["state"] else ""
            numbers = {n: p[n] for n in ("value", "stderr", "plus", "minus") if p.get(n) is not None}
            value = Entry(**{"value": math.nan} | numbers).text(q) + state
            made = (_part(p.get("parts", {}).get(n), q) for n in parts)
            how = " ".join(x for x in (HOW.get(p["kind"], "held with its error"), origin) if x)
            meaning = q.title if q.symbol else ""
            rows.append((r["label"], name, meaning, value, q.shown_unit, how, _limits(p, q), *made))
    columns = (
        "sample", "parameter", Quantity("meaning", "Is"), Quantity("value", "Value"), Quantity("unit", "Unit"),
        Quantity("how", "How"), Quantity("limits", "Limits"), *(Quantity(f"part_{n}", f"Error: {n}") for n in parts),
    )  # fmt: skip
    notes = ("The parts of an error add in quadrature to the error of the value.",) if parts else ()
    return Table.of("Parameters", columns, rows, notes=notes)


def _part(value: float | None, of: Quantity) -> str:
    return "" if value is None else f"{value * 10.0**of.power:.2g}"


def _limits(p: Mapping[str, Any], of: Quantity) -> str:
    low, high = (None if p[k] is None else f"{p[k] * 10.0**of.power:g}" for k in ("min", "max"))
    if low is None and high is None:
        return ""
    return f"from {low}" if high is None else f"to {high}" if low is None else f"{low} to {high}"


def _correlations(good: list[dict[str, Any]]) -> Iterator[Table]:
    """The pairs of strongly correlated parameters, strongest first."""
    rows = []
    for r in good:
        strong = [c for c in r["correlations"] if abs(c["value"] or 0) >= LISTED_CORRELATION]
        for c in sorted(strong, key=lambda c: -abs(c["value"])):
            mark = "strong" if abs(c["value"]) >= STRONG_CORRELATION else ""
            rows.append((r["label"], f"{c['a']}, {c['b']}", c["value"], mark))
    if rows:
        value = Quantity("correlation", "Correlation", form="+.2f")
        columns = ("sample", Quantity("pair", "Parameters"), value, Quantity("mark", " "))
        yield Table.of(f"Correlations of {LISTED_CORRELATION:g} and more", columns, rows)


def _audit(good: list[dict[str, Any]], table: Table) -> tuple[str, ...]:
    """How the noise was estimated, and how many published values the fit agrees with."""
    judged = [c.within for row in table.rows for c in row if isinstance(c, Entry) and c.within is not None]
    said = [f"Noise: {n}." for n in sorted({d["noise"] for r in good for d in r["data"] if d["noise"]})]
    if judged:
        marked = "" if all(judged) else "; the others are marked"
        said.append(f"{sum(judged)} of {len(judged)} published values lie within what is allowed{marked}.")
    return tuple(said)


def _provenance(held: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Software", ", ".join(f"{n} {v}" for n, v in held["versions"].items())
    yield "Spec", f"{Path(held['spec']).name}, fitted {held['time']} (sha256 {held['spec_sha256']})"
    for n, d in held["data"].items():
        name = " ".join(x for x in (Path(d["path"]).name, d["group"]) if x)
        yield f"Data {n}", f"{d['kind']}: {name or d['origin']} (sha256 {d['sha256']})"
    for n, h in held["feff"].items():
        yield f"FEFF path {n}", f"sha256 {h}"


def _result_stack(path: Path, document: Mapping[str, Any], good: list[dict[str, Any]]) -> Stack | None:
    kept = path.with_name("curves.h5")
    if not good or not kept.is_file():
        return None
    curves = load_curves(kept)
    longest = max(curves, key=lambda c: c.k.size)
    data = {d["label"]: r for r in good for d in r["data"]}
    labels = tuple(c.label for c in curves)
    energies = [c.energy for c in curves]
    energy, norm = together(energies, [c.norm for c in curves])
    lines = {}
    for name in ("mu", "pre_edge", "post_edge", "bkg"):
        lines[name] = together(energies, [getattr(c, name) for c in curves])[1]
    names = list(dict.fromkeys(n for c in curves for n in c.paths))
    return Stack(
        x=np.arange(1.0, len(curves) + 1),
        xlabel="Row",
        labels=labels,
        status=tuple(data[c.label]["status"] for c in curves),
        energy=energy,
        norm=norm,
        k=longest.k,
        chi=padded([c.chi for c in curves]),
        fit=padded([c.fit for c in curves]),
        range=fit_ranges(document["range"]),
        trends=_result_trends(document, labels),
        paths={n: padded([c.paths.get(n, np.full(c.k.size, np.nan)) for c in curves]) for n in names},
        lines=lines,
    )


def _result_trends(document: Mapping[str, Any], labels: tuple[str, ...]) -> tuple[Trend, ...]:
    """N, R and sigma2 of every path, row by row; those that are held fixed are left out."""
    held: dict[tuple[str, str], dict[str, Entry]] = {}
    table = Table.from_dict(document["table"])
    at = {c.name: i for i, c in enumerate(table.columns)}
    for row in table.rows:
        for q in ("n", "r", "sigma2"):
            entry = row[at[q]]
            if isinstance(entry, Entry) and not entry.held:
                held.setdefault((str(row[at["path"]]), q), {})[str(row[at["sample"]])] = entry
    out = []
    for (path, name), entries in held.items():
        shown = quantity(name).within(path)
        found = [entries.get(n, Entry(math.nan)) for n in labels]
        scale = 10.0**shown.power
        values, errors = (np.array([getattr(e, n) for e in found]) * scale for n in ("value", "stderr"))
        out.append(Trend(shown.title, shown.shown_unit, values, errors))
    return tuple(out)
