"""The temperature at which a budget takes farther shells: what a row says, else 300 K, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import constants
from scipy.integrate import quad
from scipy.special import sici

from xasuite.exafs.budget.model_changes import expansion
from xasuite.feff import find_paths
from xasuite.references import fits_dir
from xasuite.specs.load import LoadedSpec, parse_spec
from xasuite.workflow import budgets
from xasuite.workflow.run import run_spec
from xasuite.workflow.temperature import temperature_of

SPEC = fits_dir() / "foils" / "co_foil_closure.toml"


@pytest.mark.parametrize(
    ("variables", "meta", "kelvin"),
    [
        ({"T": 80.0}, {"Sample.temperature": "300 K"}, 80.0),
        ({"theta": 80.0}, {"Sample.temperature": "25 C"}, 298.15),
        ({}, {"sample.temperature": "-196.15 degC"}, 77.0),
        ({}, {"Sample.temperature": "room temperature"}, 300.0),
        ({}, {"Sample.temperature": "RT"}, 300.0),
        ({}, {"Sample.temperature": "10"}, 10.0),
        ({}, {"Sample.temperature": "32 F"}, 273.15),
        ({}, {"Sample.temperature": "cryostat"}, None),
        ({}, {"Sample.temperature": "12 counts"}, None),
        ({}, {"Sample.temperature": "-5 K"}, None),
        ({}, {"Column.1": "energy eV"}, None),
    ],
)
def test_what_a_row_says(variables: dict[str, float], meta: dict[str, str], kelvin: float | None) -> None:
    assert temperature_of(variables, meta) == (kelvin if kelvin is None else pytest.approx(kelvin))


def spec(more: str = "") -> LoadedSpec:
    return parse_spec(SPEC.read_text().replace("simulate = {", f"{more}\nsimulate = {{"), SPEC)


def independent(kelvin: float, theta: float = 445.0, mass: float = 58.93) -> float:
    """sigma2 (A^2) of two atoms that move independently, each <u2> = 3 hbar^2 / (m k theta) (1/4 + (T/theta)^2 int x / (e^x - 1))."""
    heat = quad(lambda x: x / np.expm1(x), 1e-12, theta / kelvin)[0]
    unit = 3 * constants.hbar**2 / (mass * constants.atomic_mass * constants.k * theta)
    return float(2 * unit * (0.25 + (kelvin / theta) ** 2 * heat) * 1e20)


def test_a_cold_row_has_cold_farther_shells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk Co, Debye temperature 445 K, pairs 3.5 to 6 A apart, which still move together a little.

    In the classical limit by Si(x) / x, x = R times the Debye wave vector (6 pi^2 density)^1/3; in the ground state by
    2 (1 - cos x) / x^2. 20 K is a little more: 3 %.
    """
    found = []
    made = budgets.farther
    monkeypatch.setattr(budgets, "farther", lambda *a: found.append(made(*a)) or found[-1])
    notes = {}
    for more in ("", "variables = { T = 20 }"):
        result = run_spec(spec(more), variants=False)
        notes[more] = result.summary().notes
    warm, cold = ({p.reff: s for p, _, s in f.paths if p.nleg == 2} for f in found)
    for distance, sigma2 in warm.items():
        x = distance * (6 * np.pi**2 * 0.0909) ** (1 / 3)  # atoms of Co per A^3
        assert sigma2 == pytest.approx(independent(300.0) * (1 - sici(x)[0] / x), rel=0.03)
        still = 2 * (1 - np.cos(x)) / x**2
        assert cold[distance] == pytest.approx(independent(20.0) * (1 - still), rel=0.03)
    said = "Farther shells have the Debye sigma2 of"
    assert f"{said} 300 K (no variable T and no header says one)." in notes[""]
    assert f"{said} 20 K." in notes["variables = { T = 20 }"]


@pytest.mark.parametrize(
    ("crystal", "absorber", "coefficient"),
    [("NiO", "Ni", 14.1e-6), ("MnO", "Mn", 13.5e-6), ("SnO2", "Sn", 4.5e-6), ("Co_hcp", "Co", 13.0e-6)],
)
def test_bonds_become_longer_as_crystals_do(crystal: str, absorber: str, coefficient: float) -> None:
    """Mean linear expansion between 20 and 1000 C (Y. S. Touloukian, Thermophysical Properties of Matter 12 and 13, from memory), to the 25 % that the rule of bond strengths scatters by."""
    path = find_paths(crystal, absorber=absorber, radius=2.6)[0]
    assert expansion(path, 300.0) / (300.0 * path.reff) == pytest.approx(coefficient, rel=0.25)
    assert expansion(path, 20.0) == pytest.approx(expansion(path, 300.0) / 15)


def test_a_cold_row_has_no_thermal_third_cumulant() -> None:
    """Its shift of R is that of 300 K in the ratio of the temperatures; farther shells, which differ too, change sigma2 by less than 5 %."""
    shift = []
    for more in ("", "variables = { T = 20 }"):
        budget = run_spec(spec(more), variants=False).rows[0].budget
        assert budget is not None
        shift.append(float(budget.shifts["cumulant"][0][budget.keys.index("dr1")]))
    assert shift[1] / shift[0] == pytest.approx(20 / 300, rel=0.05)
    assert shift[0] > 0.5e-3


def test_a_header_says_it(data_root: Path) -> None:
    """A copper foil measured at 10 K, whose header says so."""
    import xasuite as xs

    file = next((data_root / "formats" / "xdi").glob("*10K*.xdi"))
    fit = xs.fit(xs.read(file), crystal="Cu", shells=1, k=(3, 12), r=(1.5, 2.8))
    assert "Farther shells have the Debye sigma2 of 10 K." in fit.summary().notes
