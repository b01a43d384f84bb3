"""The tables of a first spec, with a comment for each decision."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SpecError
from ..feff.search import Shell
from ..specs.load import load_spec
from ..specs.toml import Key
from .ranges import DK

# S02 where no foil was measured: usual values are 0.7 to 1.0 (Li, Bridges and Booth 1995, Phys. Rev. B 52, 6332)
USUAL_S02, USUAL_S02_ERR = 0.85, 0.10
RADIUS = 6.0  # A; the spec's own default


@dataclass(frozen=True)
class Amplitude:
    """Where S02 comes from: a foil's spec, or a value with its standard error; neither, the usual one."""

    foil: Path | None = None
    value: float | None = None
    stderr: float = 0.0

    def param(self, target: Path) -> tuple[dict[str, Any], str]:
        """The entry of [params] in a spec at `target`, and its comment. Raises SpecError."""
        if self.foil is not None:
            spec = load_spec(self.foil).spec
            name = str(spec.structures[0].s02)
            if name not in spec.params:
                raise SpecError(f"{self.foil}: its s02 = {name} is no parameter that could be taken over")
            where = os.path.relpath(self.foil.resolve(), target.resolve().parent)
            return {"from": where, "param": name}, "its error goes into N"
        if self.value is not None:
            return {"value": self.value, "stderr": self.stderr}, "as given; its error goes into N"
        said = "a usual value, not measured: take it from a foil's fit; its error goes into N"
        return {"value": USUAL_S02, "stderr": USUAL_S02_ERR}, said

    @property
    def text(self) -> str:
        """Where it comes from, in words."""
        if self.foil is not None:
            return f"comes from {self.foil.name}, its error goes into every N"
        if self.value is not None:
            return f"is {self.value:g}({self.stderr:g}) as given"
        return f"is taken as {USUAL_S02:g}({USUAL_S02_ERR:g}): fit a foil of the same session instead"


def parameters(
    absorber: str, chosen: Sequence[Shell], foil: bool, amplitude: Amplitude, target: Path
) -> tuple[dict[str, Any], dict[Key, str]]:
    """[params], with comments.

    Shells of one element expand alike and keep the crystal's ratio of N, so that the data can tell their values apart.
    """
    params: dict[str, Any] = {}
    said: dict[Key, str] = {}

    def add(name: str, comment: str, **table: Any) -> None:
        params[name], said["params", name] = table, comment

    if foil:
        add("s02", "free: N is the crystal's", guess=0.8, min=0.0)
    else:
        table, comment = amplitude.param(target)
        add("s02", comment, **table)
    add("enot", "eV", guess=0.0, min=-15.0, max=15.0)
    for element, first in _firsts(chosen).items():
        if not foil:
            add(f"n_{element.lower()}", f"the crystal has {first.n:g}", guess=first.n, min=0.0)
        add(f"dr_{element.lower()}", f"A, from the crystal's {first.reff:.3f} A", guess=0.0)
    for i, shell in enumerate(chosen, 1):
        add(f"ss_{i}", f"A^2, {label_of(absorber, chosen, shell)}", guess=5e-3, min=0.0, max=0.03)
    return params, said


def paths(
    absorber: str, chosen: Sequence[Shell], foil: bool, structure: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[Key, str]]:
    """[[path]], a shell each, with comments; `structure` has the keys that all share (crystal, radius)."""
    tables: list[dict[str, Any]] = []
    said: dict[Key, str] = {}
    firsts = _firsts(chosen)
    for i, shell in enumerate(chosen):
        first, tag = firsts[shell.element], shell.element.lower()
        scale, ratio = shell.reff / first.reff, shell.n / first.n
        spread = [p.reff for p in shell.paths]
        merged = f" ({min(spread):.3f} to {max(spread):.3f} A, as one)" if len(spread) > 1 else ""
        said["path", i] = f"{shell.n:g} {shell.element} at {shell.reff:.3f} A{merged}"
        if foil:
            said["path", i, "n"] = "the crystal's, held"
        tables.append(
            {
                "label": label_of(absorber, chosen, shell),
                **structure,
                "scatterer": shell.element,
                **({"shell": shell.number} if shell.number > 1 else {}),
                "n": float(f"{shell.n:g}") if foil else _times(ratio, f"n_{tag}"),
                "s02": "s02",
                "e0": "enot",
                "deltar": _times(scale, f"dr_{tag}"),
                "sigma2": f"ss_{i + 1}",
            }
        )
    return tables, said


def ranges(
    k: tuple[float, float], kweight: int, r: tuple[float, float], why_k: str, why_r: str
) -> tuple[dict[str, Any], dict[Key, str]]:
    """[fit], with comments."""
    table = {"k": list(k), "kweight": [kweight], "window": "hanning", "dk": DK, "r": list(r)}
    return table, {("fit", "k"): f"1/A; {why_k}", ("fit", "r"): f"A, not corrected for phase; {why_r}"}


def _firsts(chosen: Sequence[Shell]) -> dict[str, Shell]:
    firsts: dict[str, Shell] = {}
    for shell in chosen:
        firsts.setdefault(shell.element, shell)
    return firsts


def _times(factor: float, name: str) -> str:
    return name if factor == 1 else f"{factor:.6g} * {name}"


def label_of(absorber: str, chosen: Sequence[Shell], shell: Shell) -> str:
    """A path's label: Co-O, with a number where the element comes twice."""
    several = sum(x.element == shell.element for x in chosen) > 1
    return f"{absorber}-{shell.element}" + (f" {shell.number}" if several else "")


def beside(file: str, target: Path) -> str:
    """A data file's name as the spec has it: relative where it lies in the spec's folder or below."""
    name, mark, group = file.partition("::")
    where = Path(name).resolve()
    try:
        named = str(where.relative_to(target.resolve().parent))
    except ValueError:
        named = str(where)
    return named + mark + group
