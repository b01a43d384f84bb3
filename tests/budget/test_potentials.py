"""The mean over several potentials: of foil and sample alike, with half of their difference as the error of theory."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import SpecError
from xasuite.exafs.budget.model_changes import own_share
from xasuite.exafs.budget.record import difference
from xasuite.references import fits_dir
from xasuite.specs.load import parse_spec
from xasuite.workflow import audit_spec
from xasuite.workflow.paths import program_of
from xasuite.workflow.run import SpecResult, run_spec
from xasuite.workflow.summary import footnotes

PATH = fits_dir() / "ccro" / "s4b_co.toml"


@lru_cache
def result(*potentials: str) -> SpecResult:
    """The CCRO row, simulated with feff6l's potentials and fitted with feff8l's, errors with these."""
    named = ", ".join(f'"{p}"' for p in potentials)
    text = PATH.read_text() + (f"\n[errors]\npotentials = [{named}]\n" if potentials else "")
    return run_spec(parse_spec(text, PATH), variants=False)


def test_the_fit_s_own_potentials_alone_change_nothing() -> None:
    own, named = (result(*p).rows[0].paths[0] for p in ((), ("feff8l",)))
    for q in ("n", "r", "sigma2"):
        assert getattr(named, q).value == pytest.approx(getattr(own, q).value, rel=1e-9)
        assert getattr(named, q).stderr == pytest.approx(getattr(own, q).stderr, rel=1e-9)


def test_foil_and_sample_have_the_same_potentials() -> None:
    """Against both specs written with feff6l throughout; the draws there are fitted with feff6l's paths, which is the difference left."""
    text, foil = PATH.read_text(), (fits_dir() / "foils" / "co_foil_closure.toml").read_text()
    asked = 'scatterer = "O"\nn = "n_o"'
    assert asked in text
    changed = {}
    for name, spec, path, old in (
        ("sample", text, PATH, asked),
        ("foil", foil, fits_dir() / "foils" / "co_foil_closure.toml", 'scatterer = "Co"\nn = 12'),
    ):
        assert old in spec
        changed[name] = run_spec(
            parse_spec(spec.replace(old, f'program = "feff6l"\n{old}'), path), variants=False
        )
    ours, stated = result("feff6l").rows[0], result().rows[0]
    s02 = changed["foil"].rows[0].stated.parameter("s02").value.value / stated.parameter("s02").value.value
    # the sample alone with feff6l, S02 of the foil still feff8l's: N is off by what the foil's S02 moves
    alone = changed["sample"].rows[0].paths[0]
    assert ours.paths[0].n.value == pytest.approx(alone.n.value / s02, rel=0.01)
    assert ours.paths[0].r.value == pytest.approx(alone.r.value, abs=5e-4)
    assert abs(ours.paths[0].n.value - stated.paths[0].n.value) > 0.1


def test_two_potentials_give_their_mean_and_half_their_difference() -> None:
    """The value is the analytic mean; the error's part: the half difference and that of other compounds, 1.6 % of N, in equal weights."""
    both = result("feff6l", "feff8l").rows[0].paths[0]
    each = [result(p).rows[0].paths[0] for p in ("feff6l", "feff8l")]
    for q in ("n", "r", "sigma2"):
        values = [getattr(p, q).value for p in each]
        assert getattr(both, q).value == pytest.approx(sum(values) / 2, rel=1e-6)
    assert both.e0.value == pytest.approx(
        result().rows[0].paths[0].e0.value, rel=1e-9
    )  # each has a Fermi level of its own
    apart = abs(each[0].n.value - each[1].n.value) / 2
    wanted = math.sqrt(apart**2 + (0.016 * both.n.value) ** 2 / 2)
    assert both.n.parts["theory"] == pytest.approx(wanted, rel=0.05)
    # the row's truth has feff6l's potentials: nearer to the mean than to feff8l's
    truth = 6.0
    assert abs(both.n.value - truth) < abs(each[1].n.value - truth)


@pytest.mark.parametrize(
    ("count", "deviations"), [(2, (-1.0, 1.0)), (3, (-1.0, 0.0, 1.0)), (4, (1.0, 1.0, -1.0, -1.0))]
)
def test_shares_of_variance(count: int, deviations: tuple[float, ...]) -> None:
    """The variance of a truth that has any of the potentials: the mean square of the deviations."""
    own = sum((own_share(count) * d) ** 2 for d in deviations)
    assert own == pytest.approx(np.var(deviations))


def test_larch_repeats_the_stated_fit() -> None:
    assert audit_spec(result("feff6l", "feff8l")).passed
    stated, own = result("feff6l", "feff8l").rows[0].stated, result().rows[0].stated
    assert stated.parameter("n_o").value.value == own.parameter("n_o").value.value


def test_the_table_says_so() -> None:
    said = "means over potentials of feff6l and feff8l"
    assert any(said in note for note in footnotes(result("feff6l", "feff8l")))
    assert not any("means over" in note for note in footnotes(result()))


def test_a_name_that_is_none() -> None:
    with pytest.raises(SpecError, match="feff6l"):
        result("feff9")


def test_a_path_from_a_file_has_no_other_potentials(tmp_path: Path) -> None:
    """The fit stands; its errors are its own, and the warning says why."""
    file = tmp_path / "feff0001.dat"
    file.write_text(result().rows[0].model.paths[0].feff.text)
    text = PATH.read_text().replace('crystal = "CCRO"\nscatterer = "O"\nn =', f'feff = "{file}"\nn =', 1)
    assert str(file) in text
    made = run_spec(parse_spec(text + '\n[errors]\npotentials = ["feff6l"]\n', PATH), variants=False)
    assert made.rows[0].budget is None
    assert any("comes from a file of FEFF; name its crystal" in w for w in made.warnings)


def test_rows_fitted_together_have_them_too() -> None:
    """Each row's own paths, by labels that begin with the row's; the two rows share N's error of theory, which cancels in their difference."""
    text = (fits_dir() / "ccro" / "s7_co.toml").read_text()
    head, *rows = text.split("[[data]]")
    rest = rows[-1].partition("[sample]")[2].partition("[[variant]]")[0]
    text = "[[data]]".join([head, *rows[:2]]) + "[sample]" + rest
    text = text.replace(
        "n_o  = { guess = 6.0, min = 0 }", "n_o  = { guess = 6.0, min = 0, each = true }"
    ).replace("kweight = [3] ", "together = true\nkweight = [3] ")
    assert "each = true" in text
    assert "together = true" in text
    path = fits_dir() / "ccro" / "s7_co.toml"
    found = {}
    for pots in ('"feff6l"', '"feff8l"', '"feff6l", "feff8l"'):
        made = run_spec(parse_spec(f"{text}\n[errors]\npotentials = [{pots}]\n", path), variants=False)
        found[pots] = made.rows[0]
    both, *each = (found[p] for p in ('"feff6l", "feff8l"', '"feff6l"', '"feff8l"'))
    for i, p in enumerate(both.paths):
        assert p.n.value == pytest.approx(sum(e.paths[i].n.value for e in each) / 2, rel=1e-6)
    assert abs(each[0].paths[0].n.value - each[1].paths[0].n.value) > 0.1
    keys = [f"{p.data}/{p.label}.n" for p in both.paths]
    apart = difference(both.budget, *keys)
    assert apart.parts.get("theory", 0.0) < 0.2 * both.paths[0].n.parts["theory"]


def test_the_names_of_potentials() -> None:
    assert program_of("feff8l scf") == {"program": "feff8l", "scf": True}
    assert program_of("feff6l") == {"program": "feff6l", "scf": False}
