"""The text of a first spec: what was decided, a commented line each."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import SpecError
from ..feff.search import Shell
from ..specs.load import load_spec
from .ranges import DK, Measured

RADIUS = 6.0  # A; the spec's own default
COMMENT = 40  # column where comments begin
# S02 where no foil was measured: usual values are 0.7 to 1.0 (Li, Bridges and Booth 1995, Phys. Rev. B 52, 6332)
USUAL_S02, USUAL_S02_ERR = 0.85, 0.10


@dataclass(frozen=True)
class Amplitude:
    """Where S02 comes from: a foil's spec, or a value with its standard error; neither, the usual one."""

    foil: Path | None = None
    value: float | None = None
    stderr: float = 0.0


@dataclass(eq=False)
class Sketch:
    files: list[str]
    rows: list[Measured]
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
    sites: int

    @property
    def decisions(self) -> list[str]:
        """What was decided, a sentence each."""
        first = self.rows[0]
        names = ", ".join(
            f"{first.element}-{s.element} at {s.reff:.3f} A ({s.n:g} atoms)" for s in self.chosen
        )
        several = [
            f"{Path(self.crystal).stem} has {first.element} on {self.sites} different sites and the spec holds one of them: "
            "its N, or a foil's S02, is not the sample's"
        ]
        return [
            f"{first.element} {first.edge} edge; fitted: {names}",
            f"k = {self.k[0]:g} to {self.k[1]:g} 1/A: {self.why_k}",
            f"R = {self.r[0]:g} to {self.r[1]:g} A: {self.others}",
            "N is the crystal's and S02 free (a foil)"
            if self.foil
            else f"N is free and S02 {self.amplitude_text}",
            *(several if self.sites > 1 else []),
        ]

    @property
    def amplitude_text(self) -> str:
        """Where S02 comes from, in words."""
        if self.amplitude.foil is not None:
            return f"comes from {self.amplitude.foil.name}, its error goes into every N"
        if self.amplitude.value is not None:
            return f"is {self.amplitude.value:g}({self.amplitude.stderr:g}) as given"
        return f"is taken as {USUAL_S02:g}({USUAL_S02_ERR:g}): fit a foil of the same session instead"


def write(s: Sketch) -> str:
    """The spec's text."""
    first = s.rows[0]
    title = f"{first.label}: {first.element} {first.edge} edge, first shell of {Path(s.crystal).stem}"
    parts = ["xasuite = 2", f"title = {_quoted(title)}", ""]
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
        _line(
            "[reduce]", "E0 and the pre- and post-edge ranges are found; e0 = ..., pre_range = [...] set them"
        ),
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


def _params(s: Sketch) -> list[str]:
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


def _s02(s: Sketch) -> str:
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


def first_label(s: Sketch, shell: Shell) -> str:
    """A path's label: Co-O, with a number where the element comes twice."""
    absorber = s.rows[0].element
    several = sum(x.element == shell.element for x in s.chosen) > 1
    return f"{absorber}-{shell.element}" + (f" {shell.number}" if several else "")


def _path(s: Sketch, i: int, shell: Shell) -> list[str]:
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


def _structure(s: Sketch) -> str:
    """A crystal's name as the spec has it: a file by its path, anything else by its name."""
    return beside(s.crystal, s.target) if Path(s.crystal).is_file() else s.crystal


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def beside(file: str, target: Path) -> str:
    """A data file's name as the spec has it: relative where it lies beside or below the spec."""
    name, mark, group = file.partition("::")
    where = Path(name).resolve()
    try:
        named = str(where.relative_to(target.resolve().parent))
    except ValueError:
        named = str(where)
    return named + mark + group
