"""What matters of each kind of record, in the few lines that fit beside a small figure."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records import Chi, Normalized, Scan, Series, Spectrum, Transform, Wavelet
from .display import Card, Grid, of_frame

if TYPE_CHECKING:
    from .._series.record import SeriesRun
    from ..exafs.result import FitResult
    from ..exafs.wavelet_transform import Lobes
    from ..simulate import Simulated
    from ..theory import TheoryXanes
    from ..workflow.reproduce import Reproduction
    from ..workflow.run import SpecResult
    from ..workflow.valence import ValenceResult
    from ..xanes import EdgeEnergy
    from ..xanes.valence import Calibration

# By class name, so that nothing is imported to look one up; a class is looked for before its bases.
KINDS: dict[str, str] = {
    "Scan": "cards:scan",
    "Normalized": "cards:normalized",
    "Spectrum": "cards:spectrum",
    "Chi": "cards:chi",
    "Transform": "cards:transform",
    "Wavelet": "cards:wavelet",
    "Series": "cards:series",
    "Simulated": "cards:simulated",
    "FitResult": "cards:fit",
    "SpecResult": "cards:spec",
    "Lobes": "cards:lobes",
    "Reproduction": "cards:reproduction",
    "ValenceResult": "cards:valence",
    "SeriesRun": "cards:run",
    "EdgeEnergy": "cards:edge",
    "TheoryXanes": "cards:theory",
    "Record": "cards:anything",
}
MOST_NOTES = 4


def _figure(record: Any) -> Any:
    from .plots.dispatch import plot

    return lambda: plot(record)


def _title(record: Any, kind: str) -> str:
    edge = f"{record.element} {record.edge} edge".strip() if record.element else ""
    return ", ".join(x for x in (record.label, edge, kind) if x)


def _notes(notes: tuple[str, ...]) -> tuple[str, ...]:
    more = len(notes) - MOST_NOTES
    return notes[:MOST_NOTES] + ((f"and {more} more notes",) if more > 0 else ())


def _energies(energy: Any) -> tuple[str, str]:
    return "energy", f"{energy[0]:.1f} to {energy[-1]:.1f} eV, {energy.size} points"


def _source(record: Any) -> tuple[tuple[str, str], ...]:
    if not record.source.path:
        return ()
    name = Path(record.source.path).name
    return (("from", f"{name}::{record.source.group}" if record.source.group else name),)


def _settings(record: Any, step: str) -> dict[str, Any]:
    return next((dict(s.settings) for s in reversed(record.history) if s.name == step), {})


def _one(values: Any, form: str) -> str:
    """A number, or the span of those of a stack."""
    values = np.asarray(values, float)
    if values.ndim == 0:
        return format(float(values), form)
    return f"{np.nanmin(values):{form}} to {np.nanmax(values):{form}} ({values.size} rows)"


def _pair(value: Any) -> str:
    return "found" if value is None else f"{value[0]:g} to {value[1]:g}"


def scan(record: Scan) -> Card:
    """Channels, range and how mu is made of them."""
    channels = ", ".join(list(record.channels)[:8]) + (", …" if len(record.channels) > 8 else "")
    facts = [*_source(record), _energies(record.energy), ("channels", channels), ("mu", record.mu_expr)]
    if record.reference_expr:
        facts.append(("reference", record.reference_expr))
    return Card(_title(record, "scan"), tuple(facts), notes=_notes(record.notes), figure=_figure(record))


def spectrum(record: Spectrum) -> Card:
    """Range and what was done to it."""
    steps = " > ".join(s.name for s in record.history)
    facts = [*_source(record), _energies(record.energy)]
    if record.stacked:
        facts.append(("rows", str(record.mu.shape[0])))
    if record.reference is not None:
        facts.append(("reference", "measured with it"))
    if steps:
        facts.append(("steps", steps))
    return Card(_title(record, "μ(E)"), tuple(facts), notes=_notes(record.notes), figure=_figure(record))


def normalized(record: Normalized) -> Card:
    """E0, edge step and the ranges they were found with."""
    used = _settings(record, "normalize")
    facts = [
        ("E0", f"{_one(record.e0, '.2f')} eV"),
        ("edge step", _one(record.edge_step, ".4g")),
        _energies(record.energy),
    ]
    facts += [
        (f"{name}-edge line", f"{_pair(used.get(key))} eV from E0")
        for name, key in (("pre", "pre_range"), ("post", "norm_range"))
        if used.get(key) is not None
    ]
    return Card(_title(record, "normalised"), tuple(facts), figure=_figure(record))


def chi(record: Chi) -> Card:
    """k range, background and noise."""
    used = _settings(record, "background")
    facts = [("k", f"to {record.k[-1]:.2f} 1/Å"), ("E0", f"{_one(record.e0, '.2f')} eV")]
    if used:
        facts.append(("background", f"rbkg {used.get('rbkg', '-')} Å, k weight {used.get('kweight', '-')}"))
    if record.epsilon_k is not None:
        facts.append(("noise of χ(k)", f"{_one(record.epsilon_k, '.1e')} (ε_k)"))
    return Card(_title(record, "χ(k)"), tuple(facts), figure=_figure(record))


def transform(record: Transform) -> Card:
    """Range, weight, window and where |chi(R)| is highest."""
    used = _settings(record, "fourier")
    facts = [("k", f"{_pair(used.get('k'))} 1/Å, weight {record.kweight:g}")]
    if used:
        facts.append(("window", f"{used.get('window')}, dk {used.get('dk')}"))
    if record.magnitude.ndim == 1:
        above = np.flatnonzero(record.r > 1.0)  # below 1 A is what the background left
        top = above[int(np.argmax(record.magnitude[above]))]
        facts.append(
            ("highest", f"{record.magnitude[top]:.3g} at R = {record.r[top]:.2f} Å, not corrected for phase")
        )
    else:
        facts.append(("rows", str(record.magnitude.shape[0])))
    return Card(_title(record, "χ(R)"), tuple(facts), figure=_figure(record))


def wavelet(record: Wavelet) -> Card:
    """Kind and where |W| is highest."""
    facts = [("kind", f"{record.kind}, k weight {record.kweight:g}")]
    if record.wt.ndim == 2:
        j, i = np.unravel_index(int(np.argmax(record.magnitude)), record.wt.shape)
        facts.append(("highest", f"k = {record.k[i]:.2f} 1/Å, R = {record.r[j]:.2f} Å"))
    else:
        facts.append(("rows", str(record.wt.shape[0])))
    return Card(_title(record, "wavelet transform"), tuple(facts), figure=_figure(record))


def series(record: Series) -> Card:
    """How many rows can be used, and the table's first."""
    counts = Counter(record.status)
    facts = (
        ("rows", str(len(record))),
        ("status", ", ".join(f"{n} {status}" for status, n in counts.most_common())),
        ("data", type(record.data).__name__),
    )
    reasons = [f"{i + 1}: {why}" for i, why in enumerate(record.reason) if why]
    return Card(
        f"{record.label or 'series'} of {len(record)} spectra", facts, (of_frame(record.table, 4),),
        _notes(tuple(reasons)), figure=_figure(record),
    )  # fmt: skip


def simulated(record: Simulated) -> Card:
    """What was put in, beside the spectrum that came of it."""
    truth = record.truth
    rows = tuple(
        (
            p.label,
            *(_one(getattr(p, name), form) for name, form in (("n", ".3g"), ("r", ".4f"), ("sigma2", ".2e"))),
        )
        for p in truth.paths[:6]
        if all(hasattr(p, name) for name in ("label", "n", "r", "sigma2"))
    )
    facts = [("paths", str(len(truth.paths))), ("E0", f"{_one(truth.e0, '.2f')} eV")]
    if truth.epsilon_k is not None:
        facts.append(("noise of χ(k)", f"{_one(truth.epsilon_k, '.1e')} (ε_k)"))
    grids = (Grid(("path", "N", "R (Å)", "σ² (Å²)"), rows),) if rows else ()
    label = getattr(record.spectrum, "label", "") or "simulated"
    return Card(f"{label}, simulated from known truth", tuple(facts), grids, figure=_figure(record.spectrum))


_PATH = (
    ("n", "N", 1.0),
    ("r", "R (Å)", 1.0),
    ("sigma2", "σ² (10⁻³ Å²)", 1e3),
    ("s02", "S₀²", 1.0),
    ("e0", "ΔE₀ (eV)", 1.0),
)


def fit(record: FitResult) -> Card:
    """The coordination table, the statistics, and every warning."""
    from .tables import _held

    rows = tuple(
        (p.data or record.label, p.label, *(_held(getattr(p, q), p, q, scale) for q, _, scale in _PATH))
        for p in record.paths
    )
    facts = (
        ("R factor", f"{record.rfactor:.4f}"),
        ("reduced χ²", f"{record.chi2_reduced:.4g}"),
        ("variables", f"{record.n_varys} against {record.n_idp:.1f} independent points"),
        ("status", record.status),
    )
    grid = Grid(("sample", "path", *(head for _, head, _ in _PATH)), rows)
    return Card(f"{record.label}, fit", facts, (grid,), record.warnings, figure=_figure(record))


def spec(record: SpecResult) -> Card:
    """The papers' table with its footnotes; rows that failed or whose data are not there, each with the reason."""
    from .tables import coordination_table

    table = coordination_table(record)
    left = {**record.failed, **record.missing}
    # A folder's name belongs to one machine: a card, kept in a notebook, names the file alone
    said = list(table.footnotes)
    for path in (r.chi.source.path for r in record.inputs.values() if r.chi.source.path):
        said = [line.replace(path, Path(path).name) for line in said]
    notes = (
        *said,
        *(w for r in record.rows for w in r.warnings),
        *(f"{k}: {v}" for k, v in left.items()),
    )
    figure = _figure(record.rows[0]) if record.rows else None
    return Card(table.title, (), (Grid(table.header, table.rows),), notes, figure=figure)


def lobes(record: Lobes) -> Card:
    """A row a lobe, values with their errors as in a paper."""
    from ..records.quantities import as_printed

    header = ("k (1/Å)", "R (Å)", "|W|", "width in k", "width in R", "kept")
    names = ("k", "r", "height", "width_k", "width_r")
    rows = tuple((*(as_printed(getattr(x, n), x.error(n)) for n in names), f"{x.found:.0%}") for x in record)
    noise = (("noise of χ(k)", f"{record.epsilon_k:.1e} (ε_k), {record.resamples} resamples"),)
    return Card(f"{record.label}, wavelet lobes", noise if record.resamples else (), (Grid(header, rows),))


def reproduction(record: Reproduction) -> Card:
    """Published, ours, difference: a line a cell, those outside marked."""
    from ..records.quantities import as_printed

    def text(value: float, stderr: float | None, quantity: str) -> str:
        scale = 1e3 if quantity == "sigma2" else 1.0
        return as_printed(value * scale, float("nan") if stderr is None else stderr * scale)

    names = {"n": "N", "r": "R (Å)", "sigma2": "σ² (10⁻³ Å²)", "s02": "S₀²", "rfactor": "R factor"}
    rows = tuple(
        (
            c.row, c.path, names.get(c.quantity, c.quantity), text(c.published, c.published_err, c.quantity),
            text(c.ours, c.ours_err, c.quantity), "within" if c.within else "OUTSIDE", c.label,
        )
        for c in record.cells
    )  # fmt: skip
    facts = (("cells", f"{len(record.cells)}, {record.within} within, {record.outside} outside"),)
    notes = (
        *(f"not there: {k}: {v}" for k, v in record.missing.items()),
        *(f"failed: {k}: {v}" for k, v in record.failed.items()),
    )
    header = ("row", "path", "quantity", "published", "ours", "", "label")
    figure = _figure(record.results[0].rows[0]) if record.results else None
    tables = ", ".join(dict.fromkeys(c.table for c in record.cells)) or "reproduction"
    return Card(f"{tables}: published and ours", facts, (Grid(header, rows),), notes, figure=figure)


def valence(record: ValenceResult) -> Card:
    """Standards and line at the first fraction that gave one, and every unknown's valence with its interval."""
    from .plots import xanes

    good = [r for r in record.results if r.calibration is not None]
    facts = [
        (f"{p.name}, E({r.fraction:g})", f"{p.energy:.2f} eV, valence {p.text}")
        for r in good
        for p in r.predictions
    ]
    notes = [f"at {r.fraction:g}: {r.refused}" for r in record.results if r.refused]
    notes += [f"at {r.fraction:g}: {text}" for r in good if r.calibration for text in r.calibration.remarks]
    grids = tuple(_standards(r.calibration) for r in good[:1] if r.calibration)
    figure = (lambda: xanes.valence(good[0], kind=record.kind)) if good else None
    return Card(record.loaded.spec.title, tuple(facts), grids, tuple(notes), record.kind, figure)


def edge(record: EdgeEnergy) -> Card:
    """The edge energy and the parts of its error."""
    where = f"E({record.fraction:g})" if record.fraction is not None else record.method
    facts = (
        (where, f"{_one(record.value, '.2f')} eV"),
        ("from noise", f"{_one(record.noise_err, '.3f')} eV"),
        ("from normalisation ranges", f"{_one(record.norm_err, '.3f')} eV"),
    )
    return Card(_title(record, "edge energy"), facts, notes=_notes(record.notes))


def theory(record: TheoryXanes) -> Card:
    """What was computed, and what it leaves out."""
    facts = (
        ("atoms", f"{record.atoms} within {record.radius:g} Å"),
        ("angular momentum", f"to {record.lmax}"),
        ("potentials", "self-consistent" if record.scf else "overlapped atoms"),
        ("core hole", "without" if record.nohole else f"with, {record.gamma:.2f} eV wide"),
    )
    title = f"{record.label}, {record.absorber} {record.edge} edge"
    return Card(title, facts, notes=record.limits, label="theory", figure=_figure(record))


def anything(record: Any) -> Card:
    """A record without a card of its own: its arrays and their shapes; no figure, as there may be none."""
    facts = tuple(
        (f.name, " x ".join(map(str, value.shape)) or f"{float(value):.6g}")
        for f in fields(record)
        if isinstance(value := getattr(record, f.name), np.ndarray) and not np.iscomplexobj(value)
    )
    label = getattr(record, "label", "")
    return Card(", ".join(x for x in (label, type(record).__name__) if x), facts)


def _standards(calibration: Calibration) -> Grid:
    left = {x.standard.name: x for x in calibration.left_out}
    rows = tuple(
        (
            s.name, f"{s.valence:g}", f"{s.energy:.2f} ± {s.energy_err:.2f}", s.scale,
            left[s.name].prediction.text if s.name in left else s.reason,
        )
        for s in calibration.standards
    )  # fmt: skip
    return Grid(("standard", "formal", f"E({calibration.fraction:g}) (eV)", "scale", "from the others"), rows)


def run(record: SeriesRun) -> Card:
    """Rows, statuses, the audit by Larch, and rows along the series with their errors."""
    from ..records.quantities import as_printed

    table = record.table
    counts = Counter(table["status"])
    names = [c for c in table.columns if c.endswith((".n", ".r", ".sigma2")) and f"{c}_err" in table][:6]
    shown = np.unique(np.linspace(0, len(table) - 1, 6).astype(int))
    times, unit = record.along()
    rows = tuple(
        (
            table["label"].iloc[i], f"{times[i]:.4g}", table["status"].iloc[i],
            *(as_printed(table[c].iloc[i], table[f"{c}_err"].iloc[i]) for c in names),
        )
        for i in shown
    )  # fmt: skip
    audit = record.audit
    facts = (
        ("rows", f"{len(record)}: " + ", ".join(f"{n} {s}" for s, n in counts.most_common())),
        ("audit", f"{audit['statement']}; largest difference {audit['largest']:.1e}"),
        ("kept in", f"{record.path.parent.name}/{record.path.name}"),
    )
    grid = Grid(("label", unit, "status", *names), rows)
    title = tomllib.loads(record.spec_text).get("title", record.path.parent.name)
    return Card(title, facts, (grid,), _notes(record.warnings), record.kind, lambda: record.plot())
