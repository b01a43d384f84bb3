"""A first spec from data and a crystal: paths that matter, k range from the noise, R range from the paths."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import CrystalError, DataError, SpecError
from ..exafs.chi import path_chi
from ..feff.paths import FeffPath
from ..feff.search import Shell, find_paths, shells
from ..model import Array, Chi, Transform
from .load import LoadedSpec, load_spec, parse_spec

# Shells no farther than this beyond the nearest one overlap with it in |chi(R)| (A): they are fitted together.
OVERLAP = 0.6
# A shell below this share of the strongest path's amplitude is lost in the noise of the others (%).
WEAK = 10.0
KMIN = 3.0  # 1/A; below, the edge itself and multiple scattering are in the way
KMAX = 14.0  # 1/A; a first shell says little beyond
MARGIN = 0.5  # 1/A kept off the end of the data, where the background's spline is loose
SHORTEST = 4.0  # 1/A of k, below which no fit of a shell is possible
METAL = 2.3  # A; nearest distances above are a metal's, for which a larger rbkg does no harm
FADED = 0.1  # of the peak of |chi(R)|, where a shell's range ends
ROOM = 0.1  # A left on either side: the sample's bonds and E0 are not the crystal's
DK = 1.0
RADIUS = 6.0  # A; the spec's own default
LEAST_R = 0.8  # A; a narrower range cuts a peak
COMMENT = 40  # column where comments begin
# S02 where no foil was measured: usual values are 0.7 to 1.0 (Li, Bridges and Booth 1995, Phys. Rev. B 52, 6332)
USUAL_S02, USUAL_S02_ERR = 0.85, 0.10


@dataclass(frozen=True, eq=False)
class Draft:
    """A spec's text, its check, and what was decided, a sentence each."""

    text: str
    loaded: LoadedSpec
    decisions: tuple[str, ...]


@dataclass(frozen=True)
class Amplitude:
    """Where S02 comes from: a foil's spec, or a value with its standard error; neither, the usual one."""

    foil: Path | None = None
    value: float | None = None
    stderr: float = 0.0


@dataclass(frozen=True, eq=False)
class _Measured:
    file: str
    label: str
    element: str
    edge: str
    end: float
    usable: float
    epsilon: float


def new_spec(
    files: Sequence[str | Path],
    *,
    crystal: str,
    target: str | Path = "new.toml",
    absorber: str | None = None,
    edge: str | None = None,
    mu: str | None = None,
    foil: bool | None = None,
    amplitude: Amplitude | None = None,
    rmax: float | None = None,
    radius: float = RADIUS,
) -> Draft:
    """A commented spec that passes `check_spec` and fits sensibly.

    Parameters
    ----------
    files: data, one row each; all of one element and edge.
    crystal: what load_crystal takes.
    target: where the spec is to lie; data are named relative to it where they lie beside or below.
    absorber, edge, mu: found from the data where left out.
    foil: N of the crystal and S02 free; left out, whether the crystal is the absorber's metal.
    amplitude: S02 of a sample that is no foil.
    rmax: shells out to this distance (A) instead of the first group alone.
    radius: half the longest path, A.

    Returns
    -------
    Draft. Raises ReadError, DataError, CrystalError, FeffError, SpecError.
    """
    from ..feff import load_crystal

    if not files:
        raise DataError("a spec needs a data file; name one")
    target = Path(target)
    local = target.parent / crystal
    structure = load_crystal(str(local) if local.is_file() else crystal)
    first = _element(str(files[0]), absorber, edge, mu)
    if first[0] not in structure.elements:
        raise CrystalError(
            f"{structure.name} holds {', '.join(structure.elements)} and no {first[0]}, which the data are of; name "
            "the right crystal, or put the absorber on a site of it with absorber = in the spec"
        )
    paths = find_paths(structure, absorber=first[0], edge=first[1], radius=radius)
    chosen = matter(paths, rmax)
    if foil is None:
        foil = structure.elements == (first[0],)
    rbkg, weight = (1.0, 2) if chosen[0].reff > METAL else (0.8, 3)
    rows = [_measure(str(f), first, mu, rbkg, weight) for f in files]
    amplitude = amplitude or Amplitude()
    k, kweight, why_k = k_range(rows, None if foil else amplitude.foil)
    r, others = r_range(chosen, paths, k, kweight)
    r = (max(r[0], rbkg), r[1])
    sketch = _Sketch(
        files=[_beside(str(f), target) for f in files], rows=rows, crystal=crystal, chosen=chosen, foil=foil,
        amplitude=amplitude, rbkg=rbkg, bkg_kweight=weight, k=k, kweight=kweight, r=r, why_k=why_k, others=others,
        mu=mu, radius=radius, target=target,
    )  # fmt: skip
    text = write(sketch)
    return Draft(text, parse_spec(text, target), tuple(sketch.decisions))


def _element(file: str, absorber: str | None, edge: str | None, mu: str | None) -> tuple[str, str]:
    from .. import io

    scan = io.read(file, element=absorber, edge=edge, mu=mu)
    if not scan.element:
        raise DataError(f"{file}: no edge was found in it; name the absorber with --absorber")
    return scan.element, scan.edge or "K"


def _measure(file: str, of: tuple[str, str], mu: str | None, rbkg: float, weight: int) -> _Measured:
    """What the range depends on: where chi(k) ends and where its signal does."""
    from .. import io, reduce

    scan = io.read(file, element=of[0], edge=of[1], mu=mu)
    spectrum = replace(scan.mu(), element=of[0], edge=of[1])
    chi = reduce.background(reduce.normalize(spectrum), rbkg=rbkg, kweight=weight)
    label = Path(file.partition("::")[0]).name.split(".")[0]
    label = file.partition("::")[2] or label
    epsilon = float(np.asarray(chi.epsilon_k)) if chi.epsilon_k is not None else math.nan
    return _Measured(file, label, *of, float(chi.k[-1]), float(reduce.usable_k(chi)), epsilon)


def matter(paths: Sequence[FeffPath], rmax: float | None = None) -> tuple[Shell, ...]:
    """The shells to fit: all whose peaks overlap with the nearest one's, or all out to `rmax`; none that is weak."""
    elements = dict.fromkeys(p.scatterers[0].strip() for p in paths if p.nleg == 2)
    found = sorted((s for e in elements for s in shells(paths, e)), key=lambda s: s.reff)
    if not found:
        raise CrystalError("no single-scattering path within the radius; take a larger radius")
    end = rmax if rmax is not None else found[0].reff + OVERLAP
    chosen = tuple(s for s in found if s.reff <= end and max(p.relative_amplitude for p in s.paths) >= WEAK)
    if not chosen:
        raise CrystalError(f"no shell within {end:g} A; the nearest lies at {found[0].reff:.2f} A")
    return chosen


def k_range(rows: Sequence[_Measured], foil: Path | None) -> tuple[tuple[float, float], int, str]:
    """k range (1/A), k weight, and why: the noise's, or the foil's where the noise allows it."""
    noise = min(r.usable for r in rows)
    end = min(noise, min(r.end for r in rows) - MARGIN)
    kmax = math.floor(2 * min(end, KMAX)) / 2
    if kmax - KMIN < SHORTEST:
        raise DataError(
            f"{rows[0].file}: chi(k) can be used to k = {end:.1f} 1/A only, too short for a fit; "
            "measure longer, merge more scans, or use the XANES alone"
        )
    why = (
        f"the signal stands above the noise to {noise:.1f} 1/A"
        if noise < min(r.end for r in rows) - MARGIN
        else f"the data end at {min(r.end for r in rows):.1f} 1/A, above the noise throughout"
    )
    if foil is None:
        return (KMIN, kmax), 2, why
    other = load_spec(foil).spec.fit
    if other.k[1] <= end:
        return (
            tuple(other.k),
            other.kweight[-1],
            f"as {foil.name} has it: an S02 belongs to its range ({why})",
        )  # type: ignore[return-value]
    return (
        (KMIN, kmax),
        other.kweight[-1],
        f"{why}; {foil.name} goes farther, lower its k to this and fit it again",
    )


def r_range(
    chosen: Sequence[Shell], paths: Sequence[FeffPath], k: tuple[float, float], kweight: int
) -> tuple[tuple[float, float], str]:
    """R range (A, not corrected for phase) where FEFF's chosen shells stand above a tenth and above the others."""
    used = {p.index for s in chosen for p in s.paths}
    wanted = _magnitude([p for p in paths if p.index in used], k, kweight)
    rest = _magnitude([p for p in paths if p.index not in used], k, kweight)
    r, height = wanted.r, wanted.magnitude
    near = _peak(chosen[0], k, kweight)
    far = _peak(chosen[-1], k, kweight)
    above = height >= FADED * height.max()
    start = int(np.argmin(np.abs(r - near)))
    while start > 0 and above[start - 1] and height[start - 1] <= height[start] + 1e-12:
        start -= 1
    stop = int(np.argmin(np.abs(r - far)))
    beaten = rest.magnitude > height
    while stop < r.size - 1 and above[stop] and not beaten[stop]:
        stop += 1
    others = "farther shells begin at its end" if beaten[stop] else "where these shells stand out"
    low = max(1.0, math.floor(20 * (r[start] - ROOM)) / 20)
    end = float(r[stop]) if beaten[stop] else float(r[stop]) + ROOM
    return (low, max(math.ceil(20 * end - 1e-9) / 20, low + LEAST_R)), others


def _peak(shell: Shell, k: tuple[float, float], kweight: int) -> float:
    one = _magnitude(shell.paths, k, kweight)
    return float(one.r[int(np.argmax(one.magnitude))])


def _magnitude(paths: Sequence[FeffPath], k: tuple[float, float], kweight: int) -> Transform:
    """FEFF's chi(R) of some paths, with disorder that grows with distance as at room temperature."""
    from ..exafs.fourier import fourier

    axis = np.arange(0, k[1] + 2.0, 0.05)
    chi: Array = np.zeros(axis.size)
    for p in paths:
        chi = chi + path_chi(p, axis, n=p.degen, sigma2=0.002 * p.reff).imag
    return fourier(Chi(k=axis, chi=chi, e0=0.0, edge_step=1.0), k=k, kweight=kweight, dk=DK)


def _beside(file: str, target: Path) -> str:
    """A data file's name as the spec has it: relative where it lies beside or below the spec."""
    name, mark, group = file.partition("::")
    where = Path(name).resolve()
    try:
        named = str(where.relative_to(target.resolve().parent))
    except ValueError:
        named = str(where)
    return named + mark + group


@dataclass(eq=False)
class _Sketch:
    files: list[str]
    rows: list[_Measured]
    crystal: str
    chosen: tuple[Shell, ...]
    foil: bool
    amplitude: Amplitude
    rbkg: float
    bkg_kweight: int
    k: tuple[float, float]
    kweight: int
    r: tuple[float, float]
    why_k: str
    others: str
    mu: str | None
    radius: float
    target: Path

    @property
    def decisions(self) -> list[str]:
        """What was decided, a sentence each."""
        first = self.rows[0]
        names = ", ".join(
            f"{first.element}-{s.element} at {s.reff:.3f} A ({s.n:g} atoms)" for s in self.chosen
        )
        return [
            f"{first.element} {first.edge} edge; fitted: {names}",
            f"k = {self.k[0]:g} to {self.k[1]:g} 1/A: {self.why_k}",
            f"R = {self.r[0]:g} to {self.r[1]:g} A: {self.others}",
            "N is the crystal's and S02 free (a foil)"
            if self.foil
            else f"N is free and S02 {self.amplitude_text}",
        ]

    @property
    def amplitude_text(self) -> str:
        """Where S02 comes from, in words."""
        if self.amplitude.foil is not None:
            return f"comes from {self.amplitude.foil.name}, its error goes into every N"
        if self.amplitude.value is not None:
            return f"is {self.amplitude.value:g}({self.amplitude.stderr:g}) as given"
        return f"is taken as {USUAL_S02:g}({USUAL_S02_ERR:g}): fit a foil of the same session instead"


def write(s: _Sketch) -> str:
    """The spec's text."""
    first = s.rows[0]
    title = f"{first.label}: {first.element} {first.edge} edge, first shell of {Path(s.crystal).stem}"
    parts = ["xasuite = 1", f"title = {_quoted(title)}", ""]
    for file, row in zip(s.files, s.rows, strict=True):
        noise = f"noise of chi(k) {row.epsilon:.1e}, usable to k = {row.usable:.1f} 1/A"
        parts += [_line("[[data]]", noise), f"label = {_quoted(row.label)}", f"file = {_quoted(file)}"]
        parts += [f"mu = {_quoted(s.mu)}"] if s.mu else []
        parts += [""]
    parts += [
        "[sample]",
        f"element = {_quoted(first.element)}",
        f"edge = {_quoted(first.edge)}",
        "",
        _line("[reduce]", "E0 and the pre- and post-edge ranges are found; e0 = ..., pre = [...] set them"),
        _line(f"rbkg = {s.rbkg:g}", "A; the background takes what lies below: keep it under the first shell"),
        f"bkg_kweight = {s.bkg_kweight}",
        "",
        "[fit]",
        _line(f"k = [{s.k[0]:g}, {s.k[1]:g}]", f"1/A; {s.why_k}"),
        f"kweight = [{s.kweight}]",
        'window = "hanning"',
        f"dk = {DK:g}",
        _line(f"r = [{s.r[0]:g}, {s.r[1]:g}]", f"A, not corrected for phase; {s.others}"),
        "",
        *_params(s),
    ]
    for i, shell in enumerate(s.chosen, 1):
        parts += ["", *_path(s, i, shell)]
    return "\n".join(parts) + "\n"


def _line(code: str, comment: str) -> str:
    return f"{code.ljust(COMMENT - 2)}  # {comment}"


def _params(s: _Sketch) -> list[str]:
    """[params]: shells of one element expand alike and keep the crystal's ratio of N, so that they can be told apart."""
    lines = ["[params]", _s02(s)]
    lines.append(_line("enot = { guess = 0.0, min = -15, max = 15 }", "eV"))
    for element in dict.fromkeys(shell.element for shell in s.chosen):
        tag = element.lower()
        first = next(x for x in s.chosen if x.element == element)
        if not s.foil:
            lines.append(
                _line(f"n_{tag} = {{ guess = {first.n:g}, min = 0 }}", f"the crystal has {first.n:g}")
            )
        lines.append(_line(f"dr_{tag} = {{ guess = 0.0 }}", f"A, from the crystal's {first.reff:.3f} A"))
    for i, shell in enumerate(s.chosen, 1):
        lines.append(
            _line(f"ss_{i} = {{ guess = 5e-3, min = 0, max = 0.03 }}", f"A^2, {first_label(s, shell)}")
        )
    return lines


def _s02(s: _Sketch) -> str:
    """The line of S02: free, from a foil's fit, given, or the usual one."""
    if s.foil:
        return _line("s02 = { guess = 0.8, min = 0 }", "free: N is the crystal's")
    if s.amplitude.foil is not None:
        name = str(load_spec(s.amplitude.foil).spec.path[0].s02)
        if name not in load_spec(s.amplitude.foil).spec.params:
            raise SpecError(f"{s.amplitude.foil}: its s02 = {name} is no parameter that could be taken over")
        where = os.path.relpath(s.amplitude.foil.resolve(), s.target.resolve().parent)
        return _line(f"s02 = {{ from = {_quoted(where)}, param = {_quoted(name)} }}", "its error goes into N")
    given = s.amplitude.value is not None
    value = s.amplitude.value if given else USUAL_S02
    error = s.amplitude.stderr if given else USUAL_S02_ERR
    word = "as given" if given else "a usual value, not measured: take it from a foil's fit"
    return _line(f"s02 = {{ value = {value:g}, stderr = {error:g} }}", f"{word}; its error goes into N")


def first_label(s: _Sketch, shell: Shell) -> str:
    """A path's label: Co-O, with a number where the element comes twice."""
    absorber = s.rows[0].element
    several = sum(x.element == shell.element for x in s.chosen) > 1
    return f"{absorber}-{shell.element}" + (f" {shell.number}" if several else "")


def _path(s: _Sketch, i: int, shell: Shell) -> list[str]:
    first = next(x for x in s.chosen if x.element == shell.element)
    tag, scale, ratio = shell.element.lower(), shell.reff / first.reff, shell.n / first.n
    n = f"{shell.n:g}" if s.foil else _quoted(f"n_{tag}" if ratio == 1 else f"{ratio:.6g} * n_{tag}")
    spread = [p.reff for p in shell.paths]
    merged = f" ({min(spread):.3f} to {max(spread):.3f} A, as one)" if len(spread) > 1 else ""
    said = f"{shell.n:g} {shell.element} at {shell.reff:.3f} A{merged}"
    lines = [
        _line("[[path]]", said),
        f"label = {_quoted(first_label(s, shell))}",
        f"crystal = {_quoted(_structure(s))}",
        f"scatterer = {_quoted(shell.element)}",
    ]
    lines += [f"shell = {shell.number}"] if shell.number > 1 else []
    lines += [f"radius = {s.radius:g}"] if s.radius != RADIUS else []
    return [
        *lines,
        _line(f"n = {n}", "the crystal's, held") if s.foil else f"n = {n}",
        's02 = "s02"',
        'e0 = "enot"',
        f"deltar = {_quoted(f'dr_{tag}' if scale == 1 else f'{scale:.6g} * dr_{tag}')}",
        f'sigma2 = "ss_{i}"',
    ]


def _structure(s: _Sketch) -> str:
    """A crystal's name as the spec has it: a file by its path, anything else by its name."""
    return _beside(s.crystal, s.target) if Path(s.crystal).is_file() else s.crystal


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
