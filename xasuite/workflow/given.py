"""Files and records given in Python as rows of a spec: [[data]], the [reduce] that made them, the spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..choices import NCLAMP
from ..errors import DataError, SpecError
from ..records import Chi, Scan, Source, Spectrum, Step
from ..specs.load import slug
from ..specs.schema import BACKGROUND

# Steps that a spec can repeat from the file. A record with other steps is kept in memory, and saved beside the spec
REPEATED = {"mu", "normalize", "background"}
LAST = "correct_overabsorption"  # of chi(k), after all others
Given = str | Path | Scan | Spectrum | Chi


@dataclass(frozen=True, eq=False)
class Input:
    """A row: its [[data]] table, the [reduce] that its record was made with, its mu(E), and the chi(k) given."""

    data: dict[str, Any]
    spectrum: Spectrum
    reduce: dict[str, Any] = field(default_factory=dict)
    held: bool = False  # whether no file gives the spectrum back
    chi: Chi | None = None


def inputs(
    given: Given | Sequence[Given],
    *,
    element: str | None = None,
    edge: str | None = None,
    mu: str | None = None,
) -> list[Input]:
    """The rows of files and records. Raises what reading raises, DataError and SpecError for what a spec cannot repeat."""
    from .. import io

    rows: list[Input] = []
    for item in [given] if isinstance(given, Given) else list(given):
        if isinstance(item, str | Path):
            found = io.read(item, element=element, edge=edge, mu=mu)
            scans = found if isinstance(found, list) else [found]
            rows += [_of_scan(scan, str(item), mu) for scan in scans]
        else:
            rows.append(_of_record(item, mu))
    if not rows:
        raise DataError("a spec needs a data file or a record; name one")
    labels: dict[str, int] = {}
    for row in rows:
        label = row.data["label"]
        labels[label] = labels.get(label, 0) + 1
        if labels[label] > 1:
            row.data["label"] = f"{label} {labels[label]}"
        if row.held:
            row.data["file"] = f"{slug(row.data['label'])}.csv"
    return rows


def _of_scan(scan: Scan, name: str, mu: str | None) -> Input:
    file, _, group = name.partition("::")
    where = Source(path=scan.source.path or file, group=group or scan.source.group)
    data = {"label": group or Path(file).name.split(".")[0], "file": str(where)}
    return Input(data | ({"mu": mu} if mu else {}), scan.mu())


def _of_record(record: Scan | Spectrum | Chi, mu: str | None) -> Input:
    if isinstance(record, Scan):
        row = _of_record(record.mu(mu), None)
        if row.data.get("mu") == record.mu_expr and not mu:
            del row.data["mu"]  # what the reader finds by itself
        return row
    if getattr(record, "stacked", False):
        raise DataError(
            f"{record.label}: a stack of rows; a spec has one spectrum per row, record.rows() gives them"
        )
    spectrum, steps = _spectrum(record), {s.name: s.settings for s in record.history}
    corrected = isinstance(record, Chi) and bool(record.history) and record.history[-1].name == LAST
    others = [s.name for s in record.history[: -1 if corrected else None] if s.name not in REPEATED]
    source, made_of = record.source, steps.get("mu", {})
    data: dict[str, Any] = {"label": " ".join(record.label.split()) or "data"}
    held = bool(others) or not source.path or not Path(source.path).exists()
    if not held:
        data["file"] = str(replace(source, path=str(Path(source.path).resolve())))
        data |= {"mu": str(made_of["expr"])} if "expr" in made_of else {}
    settings: dict[str, Any] = {}
    if "normalize" in steps:
        settings |= _normalized(steps["normalize"])
        data["e0"] = float(np.asarray(record.e0))  # type: ignore[union-attr]
    if isinstance(record, Chi):
        if "background" not in steps:
            raise SpecError(
                f"{data['label']}: how its chi(k) was made is not known; give mu(E), or chi of xs.background"
            )
        settings |= _background(steps["background"], record)
        if corrected:
            settings["overabsorption"] = {
                k: v for k, v in vars(steps[LAST]["geometry"]).items() if v is not None
            }
    return Input(data, spectrum, settings, held, record if isinstance(record, Chi) else None)


def _spectrum(record: Spectrum | Chi) -> Spectrum:
    """mu(E) as it was before it was normalised."""
    if record.energy is None or record.mu is None:
        raise SpecError(f"{record.label}: it holds no mu(E), from which a spec begins; give the spectrum")
    kept = {n: getattr(record, n) for n in ("element", "edge", "label", "notes", "meta", "source")}
    history: tuple[Step, ...] = tuple(
        s for s in record.history if s.name not in ("normalize", "background", LAST)
    )
    more = {n: getattr(record, n) for n in ("mu_err", "reference")} if isinstance(record, Spectrum) else {}
    return Spectrum(energy=record.energy, mu=record.mu, history=history, **kept, **more)


def _normalized(used: Any) -> dict[str, Any]:
    """[reduce] of a Step of normalize."""
    out = {"method": used["method"]}
    if used["method"] != "atomic":
        out["nnorm"] = used["nnorm"]
    if used.get("ranges_given", True):
        out |= {"pre_range": used["pre_range"], "norm_range": used["norm_range"]}
    return out


def _background(used: Any, chi: Chi) -> dict[str, Any]:
    """[reduce] of a Step of background. Raises SpecError for what a spec has no key for."""
    if (
        used["nclamp"] != NCLAMP[used["algorithm"]]
        or used["clamp_scale"] != "edge_step"
        or not math.isclose(used["e0"], float(np.asarray(chi.e0)))
    ):
        raise SpecError(
            f"{chi.label}: nclamp, clamp_scale and an e0 of the background alone have no key in a spec; leave them"
        )
    out = {key: used[name] for name, key in BACKGROUND.items() if name != "k"}
    low, high = used["k"]
    if low > 0 or high < float(chi.k[-1]) - 0.05:
        out["bkg_k"] = (low, high)
    return out


def reduction(rows: Sequence[Input]) -> dict[str, Any]:
    """The [reduce] that the rows' records have in common. Raises SpecError where they differ."""
    made = [r.reduce for r in rows if r.reduce]
    for other in made[1:]:
        if other != made[0]:
            differ = sorted(k for k in {*other, *made[0]} if other.get(k) != made[0].get(k))
            raise SpecError(
                f"the records were reduced differently ({', '.join(differ)}), and a spec has one [reduce]; reduce them alike, "
                "or give mu(E)"
            )
    return dict(made[0]) if made else {}


def same_chi(row: Input, chi: Chi) -> None:
    """Raises SpecError unless [reduce] makes of a row's mu(E) the chi(k) that was given."""
    if row.chi is None:
        return
    n = min(row.chi.k.size, chi.k.size)
    scale = float(np.abs(chi.chi).max()) or 1.0
    off = float(np.abs(row.chi.chi[:n] - chi.chi[:n]).max()) / scale
    if off > 1e-6 or abs(row.chi.k.size - chi.k.size) > 1:
        raise SpecError(
            f"{row.data['label']}: a spec's [reduce] makes another chi(k) of its mu(E) than the one given (by {100 * off:.2g} %); "
            "it went through steps that a spec does not have: give mu(E)"
        )
