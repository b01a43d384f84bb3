"""Numbers that are no numbers: named when the spec is loaded, or in the fit; none becomes a result that is good."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from xasuite.errors import CrystalError, FitError, SeriesError, SpecError
from xasuite.feff.crystal import load_crystal
from xasuite.io import sources
from xasuite.references import fits_dir
from xasuite.specs import parse_spec
from xasuite.workflow import run_spec

SPEC = (fits_dir() / "foils" / "co_foil_closure.toml").read_text()
S02 = "s02  = { guess = 0.7, min = 0 }"

AT_LOAD = {
    "division by zero": ("n = 12", 'n = "12*1/0"', "'12\\*1/0' is no number"),
    "power beyond any number": ("n = 12", 'n = "9**9**9"', "is no number"),
    "root of a negative number": ("n = 12", 'n = "12+(-8)**0.5"', "is no number"),
    "infinite guess": ("guess = 0.7", "guess = inf", "found inf; must be a finite number"),
    "guess that is none": ("guess = 0.7", "guess = nan", "found nan; must be a finite number"),
    "bound that is none": ("min = 0 }", "min = nan }", "min = nan is not below max = inf"),
    "negative error": (S02, "s02 = { value = 0.7, stderr = -0.1 }", "found -0.1; must be at least 0"),
    "infinite error": (S02, "s02 = { value = 0.7, stderr = inf }", "found inf; must be a finite number"),
    "error that is none": (S02, "s02 = { value = 0.7, stderr = nan }", "found nan; must be a finite number"),
    "brackets 3000 deep": ("n = 12", f'n = "{"(" * 3000}1{")" * 3000}"', "is not an expression"),
    "signs 3000 deep": ("n = 12", f'n = "{"-" * 3000}1"', "is not an expression"),
    "lists 3000 deep": ("n = 12", f"n = {'[' * 3000}{']' * 3000}", "not TOML that can be read"),
    "5000 digits": ("n = 12", f"n = {'9' * 5000}", "not TOML that can be read"),
    "5000 digits in an expression": ("n = 12", f'n = "{"9" * 5000}"', "is not an expression|is no number"),
    "400 digits": ("rbkg = 1.0", f"rbkg = {'9' * 400}", "rbkg: found 9+ ... 9+"),
    "k range of 0.01": ("k = [3.0, 11.0]", "k = [3.0, 3.01]", "4 variables against 1.0 independent points"),
    "r range of 0.01": ("r = [1.0, 3.0]", "r = [2.0, 2.01]", "4 variables against 1.1 independent points"),
    "end of k that is none": ("k = [3.0, 11.0]", "k = [3.0, nan]", "both ends must be numbers"),
    "noise that is none": ("noise = 3e-4", "noise = nan", "found nan; must be a finite number"),
    "empty label": ('label = "Co foil"', 'label = " "', "label: is empty; results are named by it"),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_LOAD)
def test_at_load(name: str) -> None:
    old, new, says = AT_LOAD[name]
    assert old in SPEC
    with pytest.raises(SpecError, match=says) as caught:
        parse_spec(SPEC.replace(old, new, 1), "m.toml", None)
    assert all(m.startswith("m.toml") and len(m) < 500 for m in caught.value.mistakes)


@pytest.mark.parametrize("value", ["ln(dr1-5)", "dr1/(enot-enot)"])
def test_no_number_at_the_start_of_the_fit(value: str) -> None:
    with pytest.raises(FitError, match="deltar is nan at the start of the fit"):
        run_spec(
            parse_spec(SPEC.replace('deltar = "dr1"', f'deltar = "{value}"'), "m.toml", None), variants=False
        )


@pytest.mark.parametrize(
    ("old", "new"), [('deltar = "dr1"', 'deltar = "0.01*sqrt(dr1)"'), ("guess = 6e-3, min = 0, max = 0.03", "guess = 1e12")]
)  # fmt: skip
def test_no_number_in_mid_fit_is_not_a_fit(old: str, new: str) -> None:
    """The root of what becomes negative; a start from which nothing moves. Said, and in silence otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = run_spec(parse_spec(SPEC.replace(old, new), "m.toml", None), variants=False)
    verdict = next(iter(made.verdicts.values()))
    assert verdict.level == "not a fit"
    assert made.rows[0].status != "ok"


def test_a_pattern_that_backtracks_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PATTERN_SECONDS", 1.0)
    with pytest.raises(
        SeriesError,
        match=r"does not come to an end on names such as 'a+b'; write it without a repeat in a repeat",
    ):
        sources.check_pattern("(a+)+$", ["a" * 40 + "b"])
    with pytest.raises(SeriesError, match="is no regular expression"):
        sources.check_pattern("(a", ["a"])
    sources.check_pattern(r"scan_(?P<number>\d+)", ["scan_12", "other"])


@pytest.mark.parametrize("key", ["_cell_length_a", "_cell_angle_beta", "atom"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "1e400", "?"])
def test_a_cif_whose_cell_is_no_number(tmp_path: Path, key: str, value: str) -> None:
    cell = {f"_cell_length_{x}": "4.26" for x in "abc"} | {
        f"_cell_angle_{x}": "90" for x in ("alpha", "beta", "gamma")
    }
    if key in cell:
        cell[key] = value
    elif value not in ("nan", "inf"):
        pytest.skip("a place in the cell may be any number")
    lines = [
        "data_x",
        *(f"{k} {v}" for k, v in cell.items()),
        "_symmetry_space_group_name_H-M 'P 1'",
        "loop_",
    ]
    lines += [
        "_atom_site_label",
        "_atom_site_type_symbol",
        "_atom_site_fract_x",
        "_atom_site_fract_y",
        "_atom_site_fract_z",
    ]
    lines += [f"Co1 Co {value if key == 'atom' else 0} 0 0"]
    (tmp_path / "x.cif").write_text("\n".join(lines) + "\n")
    with pytest.raises(CrystalError, match="cannot be read as a CIF"):
        load_crystal(str(tmp_path / "x.cif"))
