"""Fluorescence in a spec: dead time, elements and over-absorption reach chi(k), each with its note and error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.reduce.conftest import E0, KTOE, known_chi, known_energy
from xasuite import reduce
from xasuite.errors import SpecError
from xasuite.specs import parse_spec
from xasuite.workflow.resolve import Context, resolve_row
from xasuite.workflow.run import run_spec

SPEC = """\
xasuite = 2
title = "cobalt in fluorescence"
[[data]]
label = "thick"
file = "scan.dat"
{data}
[sample]
element = "Co"
[reduce]
rbkg = 1.0
{reduce}
[fit]
k = [3, 12]
r = [1.0, 2.5]
[params]
n = {{ guess = 6 }}
[[path]]
label = "Co-O"
crystal = "CoO"
scatterer = "O"
n = "n"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """scan.dat: two elements of a detector, their input rates with dead time, I0."""
    energy = known_energy()
    k = np.sqrt(np.maximum(energy - E0, 0) / KTOE)
    mu = 0.1 + (1 + known_chi(k)) / (1 + np.exp(-(energy - E0) / 1.2))
    true = 4e5 * mu
    rate = true * np.exp(-true * 3e-7)
    rng = np.random.default_rng(3)
    columns = [energy, np.full(energy.size, 1e6)]
    for noise in (5e-4, 5e-3):
        columns.append(0.2 * rate * (1 + noise * rng.normal(size=energy.size)))
    columns.append(rate)
    np.savetxt(tmp_path / "scan.dat", np.transpose(columns), header="energy i0 fl1 fl2 icr", fmt="%.10g")
    return tmp_path


def reduced(folder: Path, data: str = "", extra: str = ""):  # type: ignore[no-untyped-def]
    loaded = parse_spec(SPEC.format(data=data, reduce=extra), folder / "a.toml")
    return resolve_row(loaded, 0, loaded.spec.reduce, Context())


def amplitude(row) -> float:  # type: ignore[no-untyped-def]
    k = row.chi.k
    inside = (k > 3) & (k < 10)
    return float(np.std(row.chi.chi[inside] * k[inside]))


def test_dead_time_and_elements(folder: Path) -> None:
    elements = 'elements = { channels = ["fl1", "fl2"] }'
    dead = 'deadtime = { channels = ["fl1", "fl2"], rates = ["icr"], tau = 3e-7 }'
    lost, back = reduced(folder, elements), reduced(folder, f"{elements}\n{dead}")
    assert any("dead time of 3e-07 s (paralysable) taken off fl1, fl2" in n for n in back.norm.notes)
    # the rate at the top of the edge loses more than that below it
    assert amplitude(lost) < 0.93 * amplitude(back)
    assert reduce.correction_error(back.chi) > 0.005


def test_overabsorption(folder: Path) -> None:
    plain = reduced(folder, 'mu = "fl1 / i0"')
    thick = reduced(folder, 'mu = "fl1 / i0"', 'overabsorption = { formula = "CoC30H60" }')
    assert "over-absorption taken off: CoC30H60" in thick.chi.notes[-1]
    assert amplitude(thick) == pytest.approx(
        thick.chi.history[-1].settings["factor"] * amplitude(plain), rel=0.05
    )
    assert amplitude(thick) > 1.1 * amplitude(plain)


def test_errors_of_corrections_are_in_the_budget(folder: Path) -> None:
    """N moves as one over the amplitude's scale, whose relative error the correction states."""
    for data, extra, cause in (
        ('mu = "fl1 / i0"', 'overabsorption = { formula = "CoC30H60" }', "over-absorption"),
        ('mu = "fl1 / i0"\ndeadtime = { channels = ["fl1"], rates = ["icr"], tau = 3e-7 }', "", "dead time"),
    ):
        result = run_spec(parse_spec(SPEC.format(data=data, reduce=extra), folder / "a.toml"))
        assert not any("no error budget" in w for w in result.warnings)
        row, budget = result.inputs["thick"], result.rows[0].budget
        assert row.norm is not None
        assert budget is not None
        known = row.chi.history[-1].settings.get("amplitude_err") if extra else row.norm.meta["deadtime_err"]
        shift = budget.shifts[cause][0, budget.keys.index("n")]
        # the shift is that of one fit, the value a median over 40
        assert shift == pytest.approx((1 / (1 + known) - 1) * budget.value("n").value, rel=0.3)
        assert budget.value("n").parts["choices"] >= abs(shift)


def test_what_does_not_go_together(folder: Path) -> None:
    with pytest.raises(SpecError, match="elements are mu: leave mu out"):
        reduced(folder, 'mu = "fl1 / i0"\nelements = { channels = ["fl1", "fl2"] }')
    with pytest.raises(SpecError, match="needs thickness"):
        reduced(folder, "", 'overabsorption = { formula = "CoO", thickness = 4 }')
