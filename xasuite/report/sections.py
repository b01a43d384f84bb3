"""What a report says of each input: of a result folder (result.json, curves.h5) and of a series (series.h5)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError
from ..exafs.result import STRONG_CORRELATION, paper
from ..model import OK
from .curves import load_curves
from .tables import COLUMNS, ERRORS, PaperTable, number, table_of
from .viewer import Stack, Trend, padded, together

if TYPE_CHECKING:
    from ..series.record import SeriesRun

GOOD_RFACTOR = 0.02  # below, the field calls a fit good
SHOWN_ROWS = 24
CLOSURE_NOTE = (
    "Closure: these spectra were simulated from published numbers and fitted blind. They show what the data and "
    "ranges can determine; they say nothing about the sample."
)


@dataclass(frozen=True, eq=False)
class Section:
    """One input of a report."""

    title: str
    kind: str
    source: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    tables: tuple[PaperTable, ...]
    quality: PaperTable | None
    audit: tuple[str, ...]
    stack: Stack | None
    provenance: tuple[tuple[str, str], ...]
    spec_text: str
    outside: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def find_inputs(paths: Sequence[str | Path]) -> list[Path]:
    """result.json and series.h5 files of what was named: files, result folders, or folders of such folders.

    Raises ReadError when a name holds none.
    """
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        if path.is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise ReadError(f"{path}: there is no such file or folder of results")
        here = sorted([*path.rglob("result.json"), *path.rglob("series.h5")])
        if not here:
            raise ReadError(
                f"{path} holds no result.json and no series.h5; run xasuite fit, reproduce or series first"
            )
        found += here
    return list(dict.fromkeys(found))


def section_of(path: Path, errors: str = ERRORS[0]) -> Section:
    """The section of one file. Raises ReadError when it is neither."""
    if path.suffix in (".h5", ".hdf5"):
        return series_section(path)
    if path.suffix == ".json":
        return result_section(path, errors)
    raise ReadError(f"{path} is no result: a report takes folders of results, result.json and series.h5")


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
        if row["status"] == "at bound":
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


def series_section(path: Path) -> Section:
    """The section of a series: its table thinned, status counts, audit, and the slider's curves."""
    import tomllib

    from ..series.record import open_run

    run = open_run(path)
    spec = tomllib.loads(run.spec_text)
    return Section(
        title=str(spec.get("title", path.parent.name)),
        kind=run.kind,
        source=str(path),
        facts=_series_facts(run, spec),
        warnings=_series_warnings(run),
        tables=(_series_table(run),),
        quality=_status_table(run),
        audit=_series_audit(run),
        stack=_series_stack(run, spec),
        provenance=_series_provenance(run),
        spec_text=run.spec_text,
    )


def _series_facts(run: SeriesRun, spec: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    fit = spec["fit"]
    x, label = run.along()
    span = f"{np.nanmin(x):.4g} to {np.nanmax(x):.4g}" if np.isfinite(x).any() else "not known"
    return (
        ("Spectra", f"{int(run.ok.sum())} good of {len(run)}"),
        ("Edge", f"{spec['sample']['element']} {spec['sample'].get('edge', 'K')}"),
        (label, span),
        ("k", f"{fit['k'][0]:g} to {fit['k'][1]:g} 1/Å"),
        ("R", f"{fit['r'][0]:g} to {fit['r'][1]:g} Å, not corrected for phase"),
        ("Median R factor", f"{run.table['rfactor'].median():.4f}"),
    )


def _series_warnings(run: SeriesRun) -> tuple[str, ...]:
    said = [CLOSURE_NOTE] if run.kind == "closure" else []
    table = run.table
    for status, rows in table[table["status"] != OK].groupby("status"):
        first = rows.iloc[0]
        said.append(
            f"{len(rows)} spectra are marked “{status}”; the first, {first['label']}: {first['reason']}"
        )
    poor = int((table["rfactor"] > GOOD_RFACTOR).sum())
    if poor:
        said.append(
            f"In {poor} of {len(table)} spectra the fit leaves more than {100 * GOOD_RFACTOR:g} % of the signal "
            "unexplained (R factor); look at them before using their numbers."
        )
    return tuple(dict.fromkeys([*said, *run.warnings]))


def _series_table(run: SeriesRun) -> PaperTable:
    from .viewer import thinned

    varied = [p["name"] for p in run.parameters if p["vary"]]
    x, label = run.along()
    rows = []
    for i in thinned(len(run), SHOWN_ROWS):
        record = run.table.iloc[i]
        lost = set(str(record["undetermined"]).split(", "))
        cells = ["-" if n in lost else paper(record[n], record[f"{n}_err"]) for n in varied]
        rows.append((str(i + 1), f"{x[i]:.4g}", *cells, f"{record['rfactor']:.4f}", record["status"]))
    notes = [
        f"{len(rows)} of {len(run)} rows, evenly chosen; all of them are in {run.path.with_suffix('.csv').name}."
    ]
    for p in run.parameters:
        if p["stderr"]:
            origin = p["origin"] or "given"
            notes.append(
                f"{p['name']} held at {paper(p['value'], p['stderr'])} ({origin}); its error is in every row."
            )
    notes.append("- : the data do not determine it.")
    return PaperTable(
        "Parameters along the series",
        ("Row", label, *varied, "R factor", "Status"),
        tuple(rows),
        tuple(notes),
    )


def _status_table(run: SeriesRun) -> PaperTable:
    counts = run.table["status"].value_counts()
    rows = tuple((str(word), str(count)) for word, count in counts.items())
    return PaperTable("What became of the spectra", ("Status", "Spectra"), rows)


def _series_audit(run: SeriesRun) -> tuple[str, ...]:
    a = run.audit
    if not a["n"]:
        return ("No row was fitted again with Larch.",)
    return (
        f"{a['n']} rows were fitted again with Larch; the largest difference is {a['largest']:.1e} standard errors"
        + (f" (row {a['row'] + 1}, {a['parameter']})." if a["parameter"] else "."),
    )


def _series_provenance(run: SeriesRun) -> tuple[tuple[str, str], ...]:
    held = run.provenance
    lines = [
        ("Spec", f"{held['spec']} (sha256 {held['spec_sha256']})"),
        ("Source", str(held["source"]) or "-"),
    ]
    lines += [("Versions", ", ".join(f"{n} {v}" for n, v in json.loads(held["versions"]).items()))]
    lines += [(f"FEFF path {n}", f"sha256 {h}") for n, h in json.loads(held["feff_sha256"]).items()]
    return (*lines, ("Fingerprint of the run", str(held["fingerprint"])))


def _series_stack(run: SeriesRun, spec: dict[str, Any]) -> Stack | None:
    import h5py

    with h5py.File(run.path, "r") as handle:
        if not {"norm", "chi", "fit"} <= set(handle["entry"]):
            return None
    fit = spec["fit"]
    energy, norm = run.curves("norm")
    k, chi = run.curves("chi")
    _, fitted = run.curves("fit")
    table = run.table
    norm = np.where((table["edge_step"].isna() if "edge_step" in table else False), np.nan, norm.T).T
    x, label = run.along()
    weights = fit.get("kweight", 2)
    return Stack(
        x=x,
        xlabel=label,
        labels=tuple(table["label"].astype(str)),
        status=tuple(table["status"]),
        energy=energy,
        norm=norm,
        k=k,
        chi=chi,
        fit=fitted,
        krange=tuple(fit["k"]),
        rrange=tuple(fit["r"]),
        kweight=int(weights[-1] if isinstance(weights, list) else weights),
        window=fit.get("window", "hanning"),
        dk=float(fit.get("dk", 1.0)),
        trends=_series_trends(run),
    )


def _series_trends(run: SeriesRun) -> tuple[Trend, ...]:
    """The varied parameters, then the edge's energy."""
    table = run.table
    out = []
    for name in [p["name"] for p in run.parameters if p["vary"]]:
        lost = np.array([name in u.split(", ") for u in table["undetermined"]])
        out.append(Trend(name, "", table[name].to_numpy(float), table[f"{name}_err"].to_numpy(float), lost))
    for name in [c for c in table.columns if c.startswith("E(") and c.endswith(")")][:1]:
        errors = (
            table[f"{name}_err"].to_numpy(float) if f"{name}_err" in table else np.full(len(table), np.nan)
        )
        out.append(Trend(name, "eV", table[name].to_numpy(float), errors))
    return tuple(out)
