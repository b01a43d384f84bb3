"""CoN3-MnN3 and CoN4: how different, at what noise distinguished, and a blind fit of coordination and distances."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import SpecError, TheoryError
from xasuite.records import Normalized
from xasuite.specs.published import study
from xasuite.specs.studies import Bond
from xasuite.theory import fit_structure, theory_xanes
from xasuite.workflow.structures import compare_structures, moved_cluster, study_grids

QUICK = {"radius": 3.3, "scf": False}
STUDY = study("comn/sites_co")
LOW, SINGLE = STUDY.grid


def coarse(grid, **values):  # type: ignore[no-untyped-def]
    bonds = {n: grid.bond[n].model_copy(update={"values": v}) for n, v in values.items()}
    return grid.model_copy(update={"bond": bonds})


def measured(theory: object, noise: float, seed: int = 5) -> Normalized:
    mu = theory.broadened(gauss=2.0).mu  # type: ignore[attr-defined]
    mu = mu + np.random.default_rng(seed).normal(0, noise, mu.size)
    energy = theory.energy + 7711.0  # type: ignore[attr-defined]
    energy, mu = (
        np.concatenate([[energy[0] - 20], energy, [energy[-1] + 20]]),
        np.concatenate([mu[:1], mu, mu[-1:]]),
    )
    return Normalized(energy=energy, mu=mu, norm=mu, flat=mu, e0=np.array(7709.0), edge_step=np.array(1.0))


def test_the_noise_that_hides_a_difference() -> None:
    """At the stated noise a likelihood ratio is three standard deviations: the formula against draws."""
    study = compare_structures(STUDY, radius=4.0, scf=False)
    d = study.differences[1]
    assert d.second == "Co1-NC"
    assert 0.01 < d.rms < 0.2
    # 141 points less 10 eV at the ends carry the difference: noise = rms sqrt(n) / 3.
    n = round((d.noise * 3 / d.rms) ** 2)
    assert 100 < n < 145
    assert len(study.verdict) == 2
    assert "distinguished at three standard deviations" in study.verdict[0]


def test_a_blind_fit_finds_three_nitrogens() -> None:
    """Truth off the grid, CoN3-MnN3 with Co-N 1.89 and Co-Mn 2.50 A, noise 0.5 %: model and distances."""
    bonds = (1.80, 1.86, 1.92, 1.98)
    grid = coarse(LOW, r_n=bonds, r_metal=(2.34, 2.46, 2.58)), coarse(SINGLE, r_n=bonds)
    grids = study_grids(STUDY.model_copy(update={"grid": grid}), **QUICK)
    truth = theory_xanes(moved_cluster(LOW, "Co", r_n=1.89, r_metal=2.50), absorber="Co", **QUICK)
    fit = fit_structure(grids, measured(truth, 0.005))
    assert fit.best.label == "CoN3-metal"
    assert fit.best.probability > 0.95
    assert fit.best.mean["r_n"] == pytest.approx(1.89, abs=3 * fit.best.stderr["r_n"] + 0.01)
    assert fit.best.mean["r_metal"] == pytest.approx(2.50, abs=3 * fit.best.stderr["r_metal"] + 0.03)
    assert "is distinguished from" in fit.sentences[0]


def test_a_cluster_is_moved_as_said() -> None:
    cluster = moved_cluster(LOW, "Co", r_n=2.0, r_metal=2.4)
    far = np.sort(np.linalg.norm(cluster.xyz - cluster.xyz[cluster.symbols.index("Co")], axis=1))
    assert far[1:4] == pytest.approx([2.0] * 3)
    mn = cluster.symbols.index("Mn")
    assert np.linalg.norm(cluster.xyz[mn] - cluster.xyz[cluster.symbols.index("Co")]) == pytest.approx(2.4)
    other = SINGLE.model_copy(update={"bond": {"r_metal": Bond(scatterer="Mn", values=(2.3, 2.4))}})
    with pytest.raises(TheoryError, match="no Mn within"):
        moved_cluster(other, "Co", r_metal=2.4)
    with pytest.raises(SpecError, match="did you mean"):
        study("comn/site_co")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xasuite", "xanes", *arguments], capture_output=True, text=True
    )


def test_command_gives_json_and_limits(tmp_path: Path) -> None:
    stem = tmp_path / "cu"
    done = run("Cu", "--absorber", "Cu", "--no-scf", "--radius", "2.7", "--json", "-o", str(stem))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)  # the files' names go to standard error
    assert stem.with_suffix(".csv").is_file()
    assert document["kind"] == "theory"
    assert document["atoms"] == 13
    assert len(document["energy"]) == len(document["mu"])
    assert any("muffin-tin" in limit for limit in document["limits"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("Cu",), "name a structure and its absorber"),
        (("Cu", "--absorber", "Cu", "--edge", "L3"), "theory computes K edges, not L3"),
        (("CCRO", "--absorber", "Zn", "--no-scf"), "CCRO has no Zn"),
    ],
)
def test_command_says_what_is_wrong_in_one_line(arguments: tuple[str, ...], sentence: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len([x for x in done.stderr.splitlines() if not x.startswith("warning")]) == 1
