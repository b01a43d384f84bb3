"""Statements of a paper as data: the [[claim.check]] tables of references/published, a class for each kind of check."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from ..choices import ShellQuantity
from .base import Table

Range = tuple[float, float]


class _Check(Table):
    """`spec` names the spec (folder/name, as in fits/) whose result is judged; without that result there is no check."""

    spec: str


class Trend(_Check):
    """A path's value changes from one row to another by what the table prints."""

    kind: Literal["trend"]
    path: str
    start: str
    end: str
    quantity: ShellQuantity = "r"


class ToldApart(_Check):
    """A path's value is distinguished from `other`, the value of another model; `control` is the spec of that other model."""

    kind: Literal["told_apart"]
    path: str
    other: float
    control: str
    quantity: ShellQuantity = "n"


class Peaks(_Check):
    """|chi(R)| of a row's data has maxima at `at` (A, not corrected for phase), each within `within` A."""

    kind: Literal["peaks"]
    at: tuple[float, ...]
    within: float = 0.1
    k: Range = (3.0, 12.0)
    kweight: int = 3
    between: Range = (1.0, 3.2)


class Distance(_Check):
    """A path's distance lies in a range, or its projection does for atoms `height` A apart along the view."""

    kind: Literal["distance"]
    path: str
    range: Range
    height: float = 0.0


class Sigma2(Table, allow_inf_nan=True):
    """A rule for sigma2 (A^2) of paths, by scatterer, length (A) and number of legs; the first rule that matches counts."""

    value: float
    scatterer: str = ""
    within: float = math.inf
    legs: Range = (2, math.inf)


class LobeSite(Table):
    """A lobe: the structure and absorber of its spectrum, and where in R (A) it is looked for.

    alone : the scatterer whose own path is looked at: the other paths are subtracted after the reduction, as a perfect
        fit would. sigma2 : of every path, in place of the check's rules.
    """

    name: str
    structure: str
    absorber: str
    r: Range
    alone: str = ""
    sigma2: float | None = None


class LobeOrder(_Check):
    """Wavelet lobes follow each other in k, in closure spectra of structures: `order` is a list of [lower, upper]."""

    kind: Literal["lobe_order"]
    site: tuple[LobeSite, ...]
    order: tuple[tuple[str, str], ...]
    sigma2: tuple[Sigma2, ...]
    s02: float = 0.8
    radius: float = 5.0
    noise: float = 3e-4
    k: Range = (3.0, 12.0)
    kweight: int = 3
    wavelet: Literal["morlet", "cauchy"] = "morlet"
    eta: float = 14.0
    cauchy_order: int = 200


class LobeGrowth(_Check):
    """A lobe grows in while a sample turns from one simulated row into another, in a straight line over `hours`.

    spec, row : the sample at the end; before : spec and row of the start. `r`, `k` : where the lobe is looked for.
    """

    kind: Literal["lobe_growth"]
    row: str
    before: tuple[str, str]
    hours: tuple[float, ...]
    r: Range
    k: Range = (3.0, 11.0)
    kweight: int = 3
    eta: float = 10.0
    noise: float = 3e-4


class ValenceClosure(_Check):
    """An unknown's valence from simulated edges, which tests the arithmetic only.

    valence, measured : valence specs below fits/, of simulated and of measured standards. What measured standards can
    determine is printed with the check.
    """

    kind: Literal["valence"]
    valence: str
    unknown: str
    value: float
    measured: tuple[str, ...] = ()


class Undecided(_Check):
    """A statement that nothing here can test, and why."""

    kind: Literal["undecided"]
    why: str


Check = Annotated[
    Trend | ToldApart | Peaks | Distance | LobeOrder | LobeGrowth | ValenceClosure | Undecided,
    Field(discriminator="kind"),
]


class Claim(Table):
    """A statement of a paper and the checks that test it."""

    id: str
    text: str
    check: tuple[Check, ...] = ()
