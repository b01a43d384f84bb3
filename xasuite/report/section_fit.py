"""What a report says of a fit: its result.json and the curves beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError
from ..exafs.result import STRONG_CORRELATION
from .curves import load_curves
from .sections import CLOSURE_NOTE, GOOD_RFACTOR, Section
from .tables import COLUMNS, ERRORS, PaperTable, number, table_of
from .viewer import Stack, Trend, padded, together


def result_section(path: Path, errors: str = ERRORS[0]) -> Section:
    """The section of a result.json and the curves beside it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ReadError(f"{path} is no result.json: {exc}") from None
    if not isinstance(document, dict) or "table" not in document:
        raise ReadError(f"{path} is no result of this version; fit its spec again")
    good = [row for row in document["rows"] if row["paths"]]
    kinds = list(dict.fromkeys(row["kind"] for row in good))
    table = table_of(document, errors=errors)
    stack = _result_stack(path, document, good)
    return Section(
        title=document["title"],
        kind=" and ".join(kinds) or "failed",
        source=str(document["spec"]),
        facts=_facts(document, good),
        warnings=_warnings(document, good),
        tables=(table, *_variants(document, errors)),
        quality=_quality(good),
        audit=_audit(document),
        stack=stack,
        provenance=_provenance(document["provenance"]),
        spec_text=document["spec_text"],
        outside=_outside(document, table),
    )


def _facts(document: dict[str, Any], good: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    fit = document["range"]
    weights = ", ".join(str(w) for w in fit["kweight"])
    worst = max((r["rfactor"] for r in good if r["rfactor"] is not None), default=math.nan)
    return (
        ("Spectra", f"{len(good)} fitted of {len(document['rows'])}"),
        ("Edge", f"{document['sample']['element']} {document['sample']['edge']}"),
        ("k", f"{fit['k'][0]:g} to {fit['k'][1]:g} 1/Å, weight {weights}, {fit['window']}, dk {fit['dk']:g}"),
        ("R", f"{fit['r'][0]:g} to {fit['r'][1]:g} Å, not corrected for phase"),
        ("Largest R factor", f"{worst:.4f}" if math.isfinite(worst) else "-"),
    )


def _warnings(document: dict[str, Any], good: list[dict[str, Any]]) -> tuple[str, ...]:
    said = [CLOSURE_NOTE] if any(r["kind"] == "closure" for r in good) else []
    for row in document["rows"]:
        if not row["paths"]:
            said.append(f"{row['label']} is not in the tables: {row['reason']}")
            continue
        if row["rfactor"] is not None and row["rfactor"] > GOOD_RFACTOR:
            said.append(
                f"{row['label']}: the fit leaves {100 * row['rfactor']:.1f} % of the signal unexplained (R factor); "
                f"above {100 * GOOD_RFACTOR:g} % look at the figure before using its numbers."
            )
        if row["status"] == "at bound" and not any("at its bound" in w for w in row["warnings"]):
            said.append(f"{row['label']}: a parameter stopped at its limit, so its error means nothing.")
        said += [f"{row['label']}: {w}" for w in row["warnings"]]
    return tuple(dict.fromkeys([*said, *document["warnings"]]))


def _quality(good: list[dict[str, Any]]) -> PaperTable:
    rows = []
    for r in good:
        strong = max(r["correlations"], key=lambda c: abs(c["value"] or 0), default=None)
        said = "-" if strong is None else f"{strong['a']}, {strong['b']}: {strong['value'] or 0:+.2f}"
        mark = " !" if strong is not None and abs(strong["value"] or 0) >= STRONG_CORRELATION else ""
        noise = ", ".join(f"{d['epsilon_k'][0]:.1e}" for d in r["data"] if d["epsilon_k"][0])
        rows.append(
            (
                r["label"], f"{_float(r['rfactor']):.4f}", f"{_float(r['chi2_reduced']):.3g}", str(r["n_varys"]),
                f"{r['n_idp']:.1f}", noise, said + mark, r["status"],
            )
        )  # fmt: skip
    header = (
        "Sample",
        "R factor",
        "χ²/ν",
        "Variables",
        "Independent points",
        "Noise ε(k)",
        "Strongest correlation",
        "Status",
    )
    return PaperTable("Fit quality", header, tuple(rows))


def _variants(document: dict[str, Any], errors: str) -> tuple[PaperTable, ...]:
    """The same data fitted in other ways, beside the main fit."""
    if not document.get("variants"):
        return ()
    held = [("as the spec says", r) for r in document["rows"] if r["paths"]]
    held += [(name, r) for name, rows in document["variants"].items() for r in rows]
    names = list(dict.fromkeys(n for _, r in held for n in r["params"]))
    rows = []
    for name, r in held:
        cells = []
        for n in names:
            p = r["params"].get(n)
            text = "-" if p is None else number(_float(p["value"]), _float(p["stderr"]), errors)
            cells.append(text + ("" if p is None or p["vary"] else "*"))
        rows.append((name, r["label"], *cells, f"{_float(r['rfactor']):.4f}"))
    return (
        PaperTable(
            "The same data fitted in other ways", ("Variant", "Sample", *names, "R factor"), tuple(rows)
        ),
    )


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _outside(document: dict[str, Any], table: PaperTable) -> frozenset[tuple[int, int]]:
    """Cells (row, column) of the table that lie outside what was published."""
    found = set()
    for i, line in enumerate(document["table"]["lines"]):
        entries = {COLUMNS[q][0]: e for q, e in line["values"].items()}
        entries |= {"R factor": line["rfactor"]} if line["rfactor"] else {}
        found |= {(i, table.header.index(head)) for head, e in entries.items() if e["within"] is False}
    return frozenset(found)


def _audit(document: dict[str, Any]) -> tuple[str, ...]:
    """What stands behind the errors and the comparison."""
    judged = [
        e["within"]
        for line in document["table"]["lines"]
        for e in (*line["values"].values(), *([line["rfactor"]] if line["rfactor"] else []))
        if e["within"] is not None
    ]
    said = [next((r["errors"] for r in document["rows"] if "errors" in r), "")]
    if judged:
        said.append(
            f"{sum(judged)} of {len(judged)} published values lie within what is allowed; others are marked."
        )
    noise = sorted({d["noise"] for r in document["rows"] for d in r.get("data", []) if d["noise"]})
    said += [f"Noise: {n}" for n in noise]
    return tuple(f"{s[0].upper()}{s[1:].rstrip('.')}." for s in said if s)


def _provenance(held: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    lines = [("Spec", f"{held['spec']} (sha256 {held['spec_sha256']})"), ("Made", held["time"])]
    lines += [("Versions", ", ".join(f"{n} {v}" for n, v in held["versions"].items()))]
    lines += [
        (f"Data {n}", f"{d['kind']}: {d['path']} {d['group']} (sha256 {d['sha256']})")
        for n, d in held["data"].items()
    ]
    lines += [(f"FEFF path {n}", f"sha256 {h}") for n, h in held["feff"].items()]
    return tuple(lines)


def _result_stack(path: Path, document: dict[str, Any], good: list[dict[str, Any]]) -> Stack | None:
    beside = path.with_name("curves.h5")
    if not good or not beside.is_file():
        return None
    curves = load_curves(beside)
    fit = document["range"]
    energy, norm = together([c.energy for c in curves], [c.norm for c in curves])
    longest = max(curves, key=lambda c: c.k.size)
    data = {d["label"]: r for r in good for d in r["data"]}
    labels = tuple(c.label for c in curves)
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
        krange=tuple(fit["k"]),
        rrange=tuple(fit["r"]),
        kweight=int(fit["kweight"][-1]),
        window=fit["window"],
        dk=float(fit["dk"]),
        trends=_result_trends(document, labels),
    )


def _result_trends(document: dict[str, Any], labels: tuple[str, ...]) -> tuple[Trend, ...]:
    """N, R and sigma2 of every path that the fit moves, along the rows."""
    held: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    sample = ""
    for line in document["table"]["lines"]:
        sample = line["sample"] or sample
        for q in ("n", "r", "sigma2"):
            e = line["values"][q]
            if not e["held"]:
                held.setdefault((line["path"], q), {})[sample] = (_float(e["value"]), _float(e["stderr"]))
    out = []
    for (path, q), values in held.items():
        head, scale = COLUMNS[q]
        name, _, unit = head.partition(" (")
        pairs = np.array([values.get(n, (np.nan, np.nan)) for n in labels]) * scale
        out.append(Trend(f"{name}({path})", unit.rstrip(")"), pairs[:, 0], pairs[:, 1]))
    return tuple(out)
