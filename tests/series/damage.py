"""What goes wrong at a beamline, done to text scans on purpose: the tests' proof that damage is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xasuite import files
from xasuite._series import quality
from xasuite.records import Array


@dataclass(frozen=True)
class Columns:
    """A scan as columns: energy (n,) in eV, i0 and it (n,)."""

    energy: Array
    i0: Array
    it: Array

    def text(self) -> str:
        """The scan as a labelled text file."""
        rows = np.column_stack([self.energy, self.i0, self.it])
        lines = (f"{e:.4f} {a:.8e} {b:.8e}" for e, a, b in rows)
        return "# energy i0 it\n" + "\n".join(lines) + "\n"


Random = np.random.Generator


def truncated(scan: Columns, rng: Random) -> bytes:
    """The disk was full: half of the file is there."""
    text = scan.text().encode()
    return text[: int(len(text) * rng.uniform(0.3, 0.6))]


def binary(scan: Columns, rng: Random) -> bytes:
    """Something else was written over it."""
    return rng.bytes(4000)


def beam_lost(scan: Columns, rng: Random) -> bytes:
    """The ring dumped for a while: both chambers fall to their dark current."""
    i0, it = scan.i0.copy(), scan.it.copy()
    start = int(rng.integers(scan.energy.size // 2, scan.energy.size - 60))
    i0[start : start + 40] *= 0.01
    it[start : start + 40] = i0[start : start + 40] * rng.uniform(0.5, 1.5, 40)
    return Columns(scan.energy, i0, it).text().encode()


def clipped(scan: Columns, rng: Random) -> bytes:
    """The amplifier of the second chamber saturates below the edge."""
    top = np.quantile(scan.it, rng.uniform(0.75, 0.85))
    return Columns(scan.energy, scan.i0, np.minimum(scan.it, top)).text().encode()


def spiked(scan: Columns, rng: Random) -> bytes:
    """A glitch of two points in the EXAFS."""
    it = scan.it.copy()
    at = int(rng.integers(scan.energy.size // 2, scan.energy.size - 20))
    it[at : at + 2] *= np.exp(-rng.uniform(0.1, 0.3))
    return Columns(scan.energy, scan.i0, it).text().encode()


def other_edge(scan: Columns, rng: Random) -> bytes:
    """The monochromator was at the edge of the element before (Co for Ni, 624 eV below)."""
    return Columns(scan.energy - 596.8, scan.i0, scan.it).text().encode()


def no_sample(scan: Columns, rng: Random) -> bytes:
    """The sample was out of the beam."""
    it = scan.i0 * np.exp(-0.3) * (1 + 1e-4 * rng.standard_normal(scan.it.size))
    return Columns(scan.energy, scan.i0, it).text().encode()


def drowned(scan: Columns, rng: Random) -> bytes:
    """Hardly a photon: the noise is a tenth of the step."""
    it = scan.it * np.exp(0.15 * rng.standard_normal(scan.it.size))
    return Columns(scan.energy, scan.i0, it).text().encode()


# each damage and the status words it may rightly get
DAMAGES: dict[str, tuple[Callable[[Columns, Random], bytes], tuple[str, ...]]] = {
    "truncated": (truncated, (quality.SHORT, quality.UNREADABLE)),
    "binary": (binary, (quality.UNREADABLE,)),
    "beam lost": (beam_lost, (quality.BEAM_LOSS,)),
    "clipped": (clipped, (quality.SATURATED,)),
    "spiked": (spiked, (quality.GLITCH,)),
    "other edge": (other_edge, (quality.WRONG_EDGE, quality.SHORT)),
    "no sample": (no_sample, (quality.NO_EDGE, quality.NOISY)),
    "drowned": (drowned, (quality.NOISY,)),
}


def write_scan(path: str | Path, scan: Columns, damage: str = "", seed: int = 0) -> Path:
    """Write a scan as text, damaged in one of the ways of DAMAGES where one is named."""
    raw = scan.text().encode() if not damage else DAMAGES[damage][0](scan, np.random.default_rng(seed))
    with files.replacing(path) as temporary:
        temporary.write_bytes(raw)
    return Path(path)
