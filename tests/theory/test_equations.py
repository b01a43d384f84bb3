"""The scattering equations against FEFF's own paths, and identities that hold for any cluster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xasuite.feff import Crystal, FeffPath, make_cluster, parse_feff_dat, run_feff
from xasuite.feff.inp import Cluster, feff_inp
from xasuite.feff.potentials import Phases, compute_phases
from xasuite.theory import propagators
from xasuite.theory.harmonics import angular_momenta, angular_tensor, hankel, real_harmonics
from xasuite.theory.solve import scattering, t_matrices
from xasuite.theory.symmetry import orient

CU = 3.6149


def fcc(shells: float) -> np.ndarray:
    grid = np.array(list(np.ndindex(9, 9, 9))) - 4
    xyz = grid[grid.sum(1) % 2 == 0] * CU / 2
    far = np.linalg.norm(xyz, axis=1)
    return xyz[np.argsort(far, kind="stable")][: np.count_nonzero(far <= shells)]


def cluster(symbols: tuple[str, ...], xyz: np.ndarray, name: str = "test") -> Cluster:
    n = len(symbols)
    labels = tuple(f"{s}{i}" for i, s in enumerate(symbols))
    crystal = Crystal(name, symbols, xyz, None, tuple(range(1, n + 1)), labels)
    return make_cluster(crystal, absorber=symbols[0], radius=20.0, site=1)


@pytest.fixture(scope="module")
def thirteen() -> Cluster:
    xyz = fcc(2.6)
    assert len(xyz) == 13
    return cluster(("Cu",) * 13, xyz)


@pytest.fixture(scope="module")
def exafs(thirteen: Cluster) -> Phases:
    """Phases on FEFF's EXAFS mesh, with overlapped potentials as its paths have."""
    return compute_phases(thirteen, scf=False, mesh={})


@pytest.fixture(scope="module")
def paths(thirteen: Cluster) -> list[FeffPath]:
    text = feff_inp(thirteen, radius=8.0).replace("NLEG 4", "NLEG 4\nCRITERIA 0 0")
    kept = run_feff(text).files
    return [parse_feff_dat(v.decode()) for name, v in kept.items() if name[4:8].isdigit()]


def feff_chi(path: FeffPath, at: slice) -> np.ndarray:
    """FEFF's complex chi of a path, from the columns of its file."""
    k = path.k[at]
    phase = 2 * k * path.reff + path.pha[at]
    size = path.amp[at] * np.exp(-2 * path.reff / path.lam[at]) / (k * path.reff**2)
    return path.degen * size * np.exp(1j * phase)


def test_one_neighbour_is_feffs_single_scattering(exafs: Phases, paths: list[FeffPath]) -> None:
    """Amplitude and phase of the nearest neighbour's path for k 0.2-10 1/A: FEFF's arrays are single
    precision in places, 1e-3 is what they allow."""
    path = next(p for p in paths if p.nleg == 2)
    lmax, n = 18, exafs.n_edge
    l = angular_momenta(lmax)  # noqa: E741
    directions = np.array([[0, 0, 1.0]])
    power = 1j ** (l[:, None] - l + np.arange(2 * lmax + 1)[:, None, None] + 1)
    p_states = slice(1, 4)
    tensor = angular_tensor(directions, lmax, p_states) * power[:, p_states]
    h = hankel(exafs.wavenumber[:n] * path.reff / propagators.BOHR, 2 * lmax)
    # The propagator there is the one back with its sites and harmonics exchanged (test_reversal).
    back = np.einsum("lmL,le->emL", tensor[0], h)
    t = t_matrices(exafs, lmax)[1, :n][:, l]
    g = np.einsum("emL,eL,emL->e", back, t, back) / 3
    chi = -(exafs.dipole[:, :n] ** 2).sum(0) / 3 * g
    k = path.k
    at = np.flatnonzero((k >= 0.2) & (k <= 10))
    assert k[at].min() < 0.25
    ratio = chi[at] * path.degen / feff_chi(path, at)
    assert np.abs(np.abs(ratio) - 1).max() < 1e-3
    assert np.abs(np.angle(ratio)).max() < 1e-3


def test_thirteen_atoms_are_feffs_paths_of_four_legs(exafs: Phases, paths: list[FeffPath]) -> None:
    """Every path of 2, 3 and 4 legs among 13 atoms, summed by matrices, for k 5-7.5 1/A: 0.5 %."""
    k = next(p for p in paths if p.nleg == 2).k
    at = np.flatnonzero((k >= 5) & (k <= 7.5))
    assert at.size >= 5
    total = sum(feff_chi(p, at) for p in paths)
    lmax = 11
    frame = orient(exafs.xyz - exafs.xyz[0], exafs.ipot)
    geometry = propagators.prepare(frame, lmax, np.float64)
    l = angular_momenta(lmax)  # noqa: E741
    waves = propagators.hankels(geometry, exafs.wavenumber[at])
    t = t_matrices(exafs, lmax)[:, at]
    g = np.zeros(at.size, complex)
    for block in geometry.blocks:
        full = propagators.propagator(block, lmax, waves, np.complex128).reshape(
            at.size, len(block.atoms) * l.size, -1
        )
        full = full[:, block.channels[:, None], block.channels]
        weight = (
            t[exafs.ipot[block.atoms]][:, :, l].transpose(1, 0, 2).reshape(at.size, -1)[:, block.channels]
        )
        columns = np.searchsorted(block.channels, block.columns)
        first = full[:, :, columns]
        step = first
        for _ in range(3):
            step = full @ (weight[:, :, None] * step)
            g += block.share * np.einsum("eii->e", step[:, columns]) / 3
    chi = -(exafs.dipole[:, at] ** 2).sum(0) / 3 * g
    single = sum(feff_chi(p, at) for p in paths if p.nleg == 2)
    assert np.abs(total - single).max() > 0.05 * np.abs(total).max()  # multiple scattering is there to see
    assert np.abs(chi - total).max() < 5e-3 * np.abs(total).max()


@pytest.fixture(scope="module")
def crooked() -> Phases:
    """Eight atoms of two elements without any symmetry."""
    rng = np.random.default_rng(4)
    xyz = np.array(
        [
            [0, 0, 0],
            [2, 0, 0],
            [0, 2.1, 0],
            [0, 0, 2.2],
            [-1.9, 0.2, 0],
            [0, -2, 0.3],
            [0.3, 0, -2],
            [2, 2, 2],
        ]
    )
    xyz = xyz + rng.normal(0, 0.05, xyz.shape)
    return compute_phases(cluster(("Co", *"OOOOOO", "Co"), xyz), scf=False)


def test_rotation_changes_nothing(crooked: Phases) -> None:
    """The average over directions does not know how the cluster lies."""
    from scipy.spatial.transform import Rotation

    turned = replace(crooked, xyz=crooked.xyz @ Rotation.from_euler("xyz", [0.3, 1.1, -2.0]).as_matrix().T)
    a = scattering(crooked, radius=9, dtype=complex)
    b = scattering(turned, radius=9, dtype=complex)
    assert np.abs(a - b).max() < 1e-10 * np.abs(a).max()


def test_reversal() -> None:
    """G(-R)_LL' = (-1)^(l + l') G(R)_LL', and G is symmetric under exchange of both sites and harmonics."""
    rng = np.random.default_rng(1)
    xyz = rng.normal(size=(5, 3)) * 2
    frame = orient(xyz, np.arange(5), use=False)
    lmax = 3
    geometry = propagators.prepare(frame, lmax, np.float64)
    waves = propagators.hankels(geometry, np.array([0.7 + 0.1j, 1.4 + 0.05j]))
    full = propagators.propagator(geometry.blocks[0], lmax, waves, np.complex128)
    l = angular_momenta(lmax)  # noqa: E741
    parity = (-1.0) ** (l[:, None] + l)
    assert np.allclose(full, full.transpose(0, 3, 4, 1, 2), rtol=0, atol=1e-12)
    swapped = full.transpose(0, 3, 2, 1, 4)
    assert np.allclose(swapped, full * parity[None, None, :, None, :], rtol=0, atol=1e-12)


@pytest.mark.parametrize("radius", [2.6, 3.7])
def test_symmetry_only_saves_time(radius: float) -> None:
    """Split by mirrors and twofold axes or solved as a whole: the same, and fcc has all eight sign changes."""
    xyz = fcc(radius)
    phases = compute_phases(cluster(("Cu",) * len(xyz), xyz), scf=False)
    assert len(orient(phases.xyz, phases.ipot).flips) == 8
    a = scattering(phases, radius=9, dtype=complex)
    b = scattering(phases, radius=9, dtype=complex, symmetry=False)
    assert np.abs(a - b).max() < 1e-12 * np.abs(b).max()


def test_symmetry_in_another_frame() -> None:
    """A planar CoN4 turned at random still shows its mirrors: an even number of flips above four."""
    from scipy.spatial.transform import Rotation

    xyz = np.array(
        [[0, 0, 0], [1.9, 0, 0], [-1.9, 0, 0], [0, 1.9, 0], [0, -1.9, 0], [3, 1.5, 0], [-3, -1.5, 0]]
    )
    turned = xyz @ Rotation.from_euler("xyz", [0.4, -0.7, 1.9]).as_matrix().T
    kinds = np.array([0, 1, 1, 1, 1, 2, 2])
    assert len(orient(turned, kinds).flips) == 4  # C2h: identity, C2, inversion, mirror


def test_single_precision(crooked: Phases) -> None:
    """complex64 agrees with complex128 to 1e-6 of the absorption (g is of the order of 0.5)."""
    a = scattering(crooked, radius=9, dtype=np.complex64)
    b = scattering(crooked, radius=9, dtype=np.complex128)
    assert np.abs(a - b).max() < 1e-6


def test_harmonics_are_orthonormal_and_gaunt_integrals_are_sympys() -> None:
    from sympy.physics.wigner import real_gaunt

    rng = np.random.default_rng(0)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    lmax = 2
    tensor = angular_tensor(direction[None], lmax)[0]
    y = real_harmonics(direction[None], 2 * lmax)[0]
    index = [(n, m) for n in range(2 * lmax + 1) for m in range(-n, n + 1)]
    for a, b in ((1, 2), (3, 3), (4, 7), (5, 1), (8, 8), (6, 4)):
        for l2 in range(2 * lmax + 1):
            expected = sum(
                4
                * np.pi
                * float(
                    real_gaunt(*(q for pair in zip(index[a], index[b], (l2, m), strict=True) for q in pair))
                )
                * y[l2 * l2 + l2 + m]
                for m in range(-l2, l2 + 1)
            )
            assert tensor[l2, a, b] == pytest.approx(expected, abs=1e-12)


def test_memory_at_135_atoms() -> None:
    """Under 1 GB without any symmetry, Python and its libraries included (measured: 0.37 GB).

    Linux's VmHWM belongs to the program alone; ru_maxrss would hold what the parent had when it forked.
    """
    import subprocess
    import sys
    from pathlib import Path

    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc/self/status, which this system does not have")
    code = """
from dataclasses import replace
import numpy as np
from xasuite.feff import load_crystal, make_cluster
from xasuite.feff.potentials import compute_phases
from xasuite.theory.solve import scattering
p = compute_phases(make_cluster(load_crystal("Cu"), absorber="Cu", radius=7.0), scf=False)
assert len(p.xyz) == 135
parts = {n: getattr(p, n)[..., 40:44] for n in ("energy", "reference", "atom", "norm", "dipole")}
few = replace(p, xyz=p.xyz + np.random.default_rng(0).normal(0, 0.02, p.xyz.shape), shifts=p.shifts[:, 40:44], **parts)
scattering(few, radius=9, workers=2)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 1e9
