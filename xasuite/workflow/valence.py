"""Running a valence spec: scans are read and put on an energy scale; edge energies, calibration, valences of unknowns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import CalibrationError
from ..notices import warn
from ..records import Normalized, Scan, Spectrum
from ..records.quantities import Quantity
from ..records.table import Entry, Presented, Table
from ..specs.load import Loaded, as_loaded
from ..specs.valence import Measured, SimulateEdge, StandardTable, ValenceSpec
from ..xanes.edge import EdgeEnergy, edge_energy
from ..xanes.prediction import predict
from ..xanes.standards import PROVEN, STATED, UNPROVEN, Calibration, Prediction, Standard
from ..xanes.valence import calibrate_valence
from .fits import Progress
from .resolve import Context

SPREAD_WARN = 1.0  # eV, some quarter of a unit of valence: normalisation that moves an edge more is warned of
FOIL_INFLECTION = 0.3  # of the steepest slope; a thin or noisy foil's first inflection can be that weak
FOIL_ERR = 0.1  # eV, least error of a foil's first inflection: repeated scans of one foil differ by that much


@dataclass(frozen=True)
class Scale:
    """What is added to a scan's energies with its error (eV), and the evidence for it."""

    shift: float
    stderr: float
    kind: str
    evidence: str


@dataclass(frozen=True)
class Compound:
    """A measured compound: its scans normalised on the energy scale, and how that scale is known."""

    entry: Measured
    scans: tuple[Normalized, ...]
    scale: Scale


@dataclass(frozen=True)
class EdgeOf:
    """A compound's edge energy, the mean of its scans, and the parts of its error (all eV)."""

    label: str
    value: float
    noise: float
    ranges: float
    scans: float
    scale: float
    spread: float
    n_scans: int

    @property
    def stderr(self) -> float:
        """All four in quadrature."""
        return float(np.sqrt(self.noise**2 + self.ranges**2 + self.scans**2 + self.scale**2))


@dataclass(frozen=True)
class AtFraction:
    """The calibration at one fraction of the jump, or the sentence why it is refused."""

    fraction: float
    edges: tuple[EdgeOf, ...]
    calibration: Calibration | None
    predictions: tuple[Prediction, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class ValenceResult(Presented):
    """Everything a valence spec gives: compounds on their energy scale, and a calibration for each fraction."""

    loaded: Loaded[ValenceSpec]
    compounds: tuple[Compound, ...]
    results: tuple[AtFraction, ...]
    sources: tuple[str, ...] = field(default_factory=tuple)

    def at(self, fraction: float) -> AtFraction:
        """The result at one fraction of the jump. Raises CalibrationError when the spec has none there."""
        for r in self.results:
            if abs(r.fraction - fraction) < 1e-9:
                return r
        have = ", ".join(f"{r.fraction:g}" for r in self.results)
        raise CalibrationError(
            f"{self.loaded.path.name} calibrates at {have} of the jump, not at {fraction:g}"
        )

    @property
    def kind(self) -> str:
        """Whether the compounds are measured, closure, or both."""
        kinds = {"closure" if c.entry.simulate else "measured" for c in self.compounds}
        return " and ".join(sorted(kinds, reverse=True))

    def summary(self) -> Table:
        """Every unknown's valence with its interval, at each fraction of the jump."""
        rows, notes = [], []
        for r in self.results:
            notes += [f"At {r.fraction:g} of the edge jump: {r.refused}"] if r.refused else []
            for p in r.predictions:
                energy = Entry(p.energy, p.energy_err)
                rows.append((p.name, r.fraction, energy, p.text, p.method, p.scale))
            for text in _line_notes(r, self.loaded) if r.calibration else ():
                notes.append(f"At {r.fraction:g} of the edge jump: {text}")
        notes += [f"Data: {'; '.join(self.sources)}."] if self.sources else []
        if self.kind != "measured":
            notes.append(
                "Arithmetic check: a simulated edge gives back the shift that was put in, and nothing of a sample."
            )
        columns = ("label", _FRACTION, "energy", "valence", Quantity("method", "Method"), "scale")
        return Table.of(self.loaded.spec.title, columns, rows, notes=tuple(notes), label=self.kind)

    def edges(self) -> Table:
        """One row per compound and fraction: the edge energy and each part of its error, eV."""
        scales = {c.entry.label: c.scale for c in self.compounds}
        rows = [
            (
                e.label, r.fraction, Entry(e.value, e.stderr), e.noise, e.ranges, e.spread, e.scans, e.scale, e.n_scans,
                scales[e.label].shift, scales[e.label].kind,
            )
            for r in self.results
            for e in r.edges
        ]  # fmt: skip
        columns = (
            "label", _FRACTION, "energy", "noise_err", "norm_err", "norm_spread", Quantity("scan_err", "scan to scan", "eV", form=".3f"),
            Quantity("scale_err", "from the scale", "eV", form=".3f"), Quantity("scans", "Scans"),
            Quantity("shift", "Shift", "eV", form=".2f"), "scale",
        )  # fmt: skip
        return Table.of("Edge energies and the parts of their errors", columns, rows)


_FRACTION = Quantity("fraction", "Of the jump", form="g")


def _line_notes(r: AtFraction, loaded: Loaded[ValenceSpec]) -> list[str]:
    """The calibration line in words: slope, scatter, and how many standards lie in their interval when they are left out."""
    assert r.calibration is not None
    line, asked = r.calibration.line, loaded.spec.calibration
    notes = [
        f"dE/dvalence {float(line.slope(sum(r.calibration.valence_range) / 2)):.2f} eV, scatter between compounds {line.tau:.2f} eV, "
        f"{line.dof} residual degree{'s' * (line.dof != 1)} of freedom."
    ]
    if asked.slope is not None:
        tested = "the standards test it too" if line.dof else "no standard here tests it"
        slope, error = asked.slope
        notes.append(f"slope stated, {slope:g}({error:g}) eV ({asked.slope_source}); {tested}.")
    known = [x for x in r.calibration.left_out if x.inside is not None]
    if known:
        inside = sum(bool(x.inside) for x in known)
        of = f"{inside} of {len(known)} standards"
        notes.append(f"left out one at a time, {of} lie inside their own interval.")
    return notes


def run_valence(
    spec: str | Path | ValenceSpec | Loaded[ValenceSpec],
    *,
    data_root: str | Path | None = None,
    progress: Progress | None = None,
) -> ValenceResult:
    """Run a valence spec at each of its fractions.

    Parameters
    ----------
    spec : str, Path, ValenceSpec or Loaded
        The file, or a spec made in Python.
    data_root : str or Path, optional
        Where data are looked for, in addition to the spec's folder; left out, the environment variable XASUITE_DATA.
    progress : callable, optional
        Called with a compound's name, how many are done and how many there are.

    Returns
    -------
    ValenceResult
        Compounds on their energy scale, and for each fraction its calibration and predictions.

    Raises
    ------
    SpecError
        A mistake in the spec, with its line.
    ReadError
        A compound's file cannot be read.
    ChannelError
        A compound's file has no mu.
    RangeError
        A range lies outside a compound's data.
    CalibrationError
        Every fraction was refused. A fraction is refused with a sentence where the normalisation range alone moves
        a fitted standard by more than `max_spread`.

    Examples
    --------
    >>> from xasuite.errors import XasuiteError
    >>> try:
    ...     xs.valence("no_such.toml")
    ... except XasuiteError as exc:
    ...     print("not there")
    not there
    """
    loaded = as_loaded(spec, ValenceSpec)
    context = Context.of(data_root)
    tables = (("standard", loaded.spec.standard), ("unknown", loaded.spec.unknown))
    entries = [(table, i, entry) for table, items in tables for i, entry in enumerate(items)]
    compounds = []
    for done, (table, i, entry) in enumerate(entries):
        if progress:
            progress(entry.label, done, len(entries))
        compounds.append(_compound(loaded, entry, table, i, context))
    results = tuple(_at(loaded, tuple(compounds), f) for f in loaded.spec.calibration.fraction)
    if all(r.refused for r in results):
        raise CalibrationError(results[0].refused)
    sources = tuple(dict.fromkeys(c.entry.source for c in compounds if c.entry.source))
    return ValenceResult(loaded, tuple(compounds), results, sources)


def _compound(loaded: Loaded[ValenceSpec], entry: Measured, table: str, i: int, context: Context) -> Compound:
    from .. import io

    c = loaded.spec.calibration
    scans: list[Normalized] = []
    scales: list[Scale] = []
    if entry.simulate is not None:
        known = Scale(0.0, 0.0, STATED, "simulated: its scale is known")
        spectrum = simulated_edge(entry.simulate, c.element, c.edge, entry.label)
        return Compound(entry, (_normalized(loaded, entry, spectrum, known),), known)
    for name in entry.files:
        file = context.find(loaded, name, f'{table} "{entry.label}"', table, i, "files")
        scan = io.read(file, mu=entry.mu, reference=entry.reference)
        if scan.element and scan.element != c.element:
            raise CalibrationError(
                f'{loaded.at(table, i, "files")}: {table} "{entry.label}" is a {scan.element} {scan.edge} scan, '
                f"the calibration is of {c.element} {c.edge}; take it out"
            )
        spectrum = replace(scan.mu(), element=c.element, edge=c.edge, label=entry.label)
        scale = _scale(loaded, entry, scan, spectrum, context, (table, i))
        scales.append(scale)
        scans.append(_normalized(loaded, entry, spectrum, scale))
    mean = replace(scales[0], shift=float(np.mean([s.shift for s in scales])))
    return Compound(entry, tuple(scans), mean)


def simulated_edge(how: SimulateEdge, element: str, edge: str, label: str) -> Spectrum:
    """A closure edge: arctangent step, Gaussian white line and a damped wave, all at e0 + shift, white noise.

    Every feature moves with the shift, so that E(f) moves by exactly as much at every fraction.
    """
    centre = how.e0 + how.shift
    energy = np.arange(how.e0 - 180.0, how.e0 + 700.0, 0.25)
    x = energy - centre
    wave = 0.08 * np.sin(2 * np.sqrt(np.clip(0.2625 * x, 0, None)) * 2.0) * np.exp(-x / 200) * (x > 15)
    mu = 0.5 + np.arctan(x / 1.5) / np.pi + how.white_line * np.exp(-(((x - 5) / 3.5) ** 2)) + wave
    noise = np.random.default_rng(how.seed).normal(0.0, how.noise, energy.size) if how.noise else 0.0
    return Spectrum(energy=energy, mu=mu + 0.3 - 2e-4 * x + noise, element=element, edge=edge, label=label)


def _normalized(loaded: Loaded[ValenceSpec], entry: Measured, spectrum: Spectrum, scale: Scale) -> Normalized:
    from .. import reduce

    c = loaded.spec.calibration
    if scale.shift:
        spectrum = replace(spectrum, energy=spectrum.energy + scale.shift)
    e0 = reduce.find_e0(spectrum, which="maximum")
    ranges = {key: getattr(entry, key) or getattr(c, key) for key in ("pre_range", "norm_range")}
    nnorm = c.nnorm if entry.nnorm is None else entry.nnorm
    return reduce.normalize(spectrum, e0=e0, nnorm=nnorm, method="polynomial", **ranges)


def _scale(
    loaded: Loaded[ValenceSpec],
    entry: Measured,
    scan: Scan,
    spectrum: Spectrum,
    context: Context,
    key: tuple[str, int],
) -> Scale:
    """The energy scale of one scan: by its own foil, a foil of its session, a statement, or unproven."""
    from .. import io

    c = loaded.spec.calibration
    if entry.offset is not None:
        said = f"{entry.offset:+.2f} eV stated: {entry.offset_source}"
        return Scale(entry.offset, entry.offset_err, STATED, said)
    if entry.foil is not None:
        foil = io.read(context.find(loaded, entry.foil, f"foil of {entry.label}", *key, "foil")).mu()
        foil = replace(foil, element=c.element, edge=c.edge)
        kind, evidence = STATED, "a foil scanned in the same session"
    elif entry.reference is not None:
        own = np.interp(spectrum.energy, scan.energy, np.asarray(scan.channel(entry.reference), float))
        foil = replace(spectrum, mu=own, mu_err=None)
        kind, evidence = PROVEN, "its own reference foil"
    else:
        return Scale(0.0, 0.0, UNPROVEN, "energies as in the file, no reference foil and no statement")
    shift = _foil_shift(foil, entry.label)
    return Scale(shift, FOIL_ERR, kind, f"{shift:+.2f} eV by {evidence}")


def _foil_shift(foil: Spectrum, label: str) -> float:
    """The shift (eV) that puts a foil's first inflection on the tabulated edge."""
    from ..reduce import inflections, tabulated_e0

    steps = inflections(foil, significant=FOIL_INFLECTION)
    if not steps:
        raise CalibrationError(f"{label}: its reference has no edge; check the channels of the reference")
    found = float(steps[0].energy)  # type: ignore[union-attr]
    shift = tabulated_e0(foil.element, foil.edge or "K") - found
    if abs(shift) > 50:
        raise CalibrationError(
            f"{label}: its reference has its first inflection at {found:.1f} eV, {abs(shift):.0f} eV from the "
            f"tabulated {foil.element} {foil.edge} edge; that is no foil of {foil.element}"
        )
    return shift


def _edge_of(compound: Compound, fraction: float) -> EdgeOf:
    found: list[EdgeEnergy] = [edge_energy(s, fraction=fraction) for s in compound.scans]
    values = np.array([float(f.value) for f in found])
    n = len(values)

    def mean(attribute: str) -> float:
        each = np.array([float(getattr(f, attribute)) for f in found])
        return float(np.nanmean(each)) if np.isfinite(each).any() else 0.0

    return EdgeOf(
        label=compound.entry.label,
        value=float(values.mean()),
        noise=mean("noise_err") / np.sqrt(n),
        ranges=mean("norm_err"),  # the same choice for every scan: no square root of n
        scans=float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0,
        scale=compound.scale.stderr,
        spread=mean("norm_spread"),
        n_scans=n,
    )


def _at(loaded: Loaded[ValenceSpec], compounds: tuple[Compound, ...], fraction: float) -> AtFraction:
    c = loaded.spec.calibration
    edges = tuple(_edge_of(x, fraction) for x in compounds)
    refused = _refusal(loaded, compounds, edges, fraction)
    if refused:
        warn(refused)
        return AtFraction(fraction, edges, None, (), refused)
    standards, unknowns = [], []
    for compound, edge in zip(compounds, edges, strict=True):
        entry, scale = compound.entry, compound.scale
        if isinstance(entry, StandardTable):
            standards.append(Standard(
                entry.label, entry.valence, edge.value, edge.stderr, valence_err=entry.valence_err, element=c.element,
                scale=scale.kind, evidence=scale.evidence, used=entry.use, reason=entry.why,
            ))  # fmt: skip
        else:
            unknowns.append((edge, scale))
    calibration = calibrate_valence(
        standards, fraction=fraction, degree=c.degree, element=c.element, slope=c.slope,
        leave_out_outliers=c.outliers == "leave out",
    )  # fmt: skip
    predictions = tuple(_predict(calibration, edge, scale, c.level) for edge, scale in unknowns)
    return AtFraction(fraction, edges, calibration, predictions)


def _predict(calibration: Calibration, edge: EdgeOf, scale: Scale, level: float) -> Prediction:
    known = {"name": edge.label, "scale": scale.kind, "evidence": scale.evidence}
    p = predict(calibration, edge.value, edge.stderr, level=level, **known)
    if p.extrapolated:
        low, high = calibration.valence_range
        span = (
            f"outside the standards' {low:g} to {high:g}"
            if low < high
            else f"off the standards' only {low:g}"
        )
        warn(f"{p.name}: valence {p.value:.2f} lies {span}; it is extrapolated")
    if scale.kind == UNPROVEN:
        warn(f"{p.name}: its energy scale is unproven; {scale.evidence}")
    return p


def _refusal(
    loaded: Loaded[ValenceSpec], compounds: tuple[Compound, ...], edges: tuple[EdgeOf, ...], fraction: float
) -> str:
    """Why a fraction is refused; warns of standards that normalisation moves, but not by as much."""
    limit = loaded.spec.calibration.max_spread
    fitted = [(x, e) for x, e in zip(compounds, edges, strict=True) if x.entry.use]
    moved = [(x, e) for x, e in fitted if e.spread > SPREAD_WARN]
    if not moved:
        return ""
    compound, edge = max(moved, key=lambda pair: pair[1].spread)
    scan = compound.scans[0]
    end = float(scan.energy[-1] - np.asarray(scan.e0))
    sentence = (
        f"at {fraction:g} of the jump the choice of normalisation range alone moves {edge.label} by "
        f"{edge.spread:.1f} eV (its scans end {end:.0f} eV above the edge)"
    )
    if edge.spread > limit:
        return f"{sentence}: refused, the limit is {limit:g} eV; choose a lower fraction or set max_spread"
    others = [e.label for _, e in moved if e is not edge]
    also = f"; also {', '.join(others)} by more than {SPREAD_WARN:g} eV" if others else ""
    warn(f"{sentence}{also}; this is in its error")
    return ""
