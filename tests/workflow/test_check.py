"""What check says beyond the text: published rows, structures, inherited parameters, choices that bias."""

from __future__ import annotations

from pathlib import Path

import pytest

from xasuite.errors import SpecError
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.workflow import check_spec, run_spec


def changed(name: str, old: str, new: str):  # type: ignore[no-untyped-def]
    path = fits_dir() / name
    text = path.read_text()
    assert old in text
    return parse_spec(text.replace(old, new), path)


@pytest.mark.parametrize(
    "path",
    sorted(p for f in ("ccro", "comn", "foils") for p in (fits_dir() / f).glob("*.toml")),
    ids=lambda p: p.stem,
)
def test_shipped_specs_pass_without_a_bias_warning(path: Path, request: pytest.FixtureRequest) -> None:
    loaded = load_spec(path)
    if any(d.file for d in loaded.spec.data):
        request.getfixturevalue("data_root")  # measured: skips where the data are not there
    said = check_spec(loaded)
    assert not [s for s in said if "moves N" in s or "reaches into the fit" in s]


@pytest.mark.parametrize(
    ("old", "new", "needle"),
    [
        ("bkg_kweight = 3", "bkg_kweight = 1", "bkg_kweight = 1 moves N by -0.6 to +4.2"),
        ("rbkg = 0.8", "rbkg = 1.1", "rbkg = 1.1 A moves N"),
        ("dk = 4.0", "dk = 0.5", "dk = 0.5 lets farther shells leak in"),
        ("rbkg = 0.8", "rbkg = 1.4", "reaches into the fit"),
    ],
)
def test_choices_that_bias_are_warned_of(old: str, new: str, needle: str) -> None:
    assert any(needle in s for s in check_spec(changed("ccro/s7_co.toml", old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('crystal = "CCRO"\nscatterer', 'crystal = "CCR0"\nscatterer', 'path "Co-O"'),
        ('row = "120 min"', 'row = "121 min"', 'ccro/S7 has no row "121 min"; did you mean "120 min"?'),
        ('"foils/co_foil_closure.toml"', '"foils/co_foli.toml"', 'from = "foils/co_foli.toml" is no spec'),
        ('reproduces = "ccro/S7"', 'reproduces = "ccro/S17"', 'ccro has no table "S17"'),
        ('reproduces = "ccro/S7"', 'reproduces = "cro/S7"', 'no published paper "cro"'),
    ],
)
def test_what_the_spec_names_must_exist(old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_spec(changed("ccro/s7_co.toml", old, new))
    assert any(message in m for m in caught.value.mistakes), caught.value.mistakes
    assert all(m.startswith("s7_co.toml:") for m in caught.value.mistakes)


def test_specs_that_take_from_each_other_in_a_ring(tmp_path: Path) -> None:
    text = (fits_dir() / "ccro/s4b_co.toml").read_text()
    (tmp_path / "a.toml").write_text(text.replace("foils/co_foil_closure.toml", "b.toml"))
    (tmp_path / "b.toml").write_text(text.replace("foils/co_foil_closure.toml", "a.toml"))
    with pytest.raises(SpecError, match=r"its parameters come from a\.toml, which comes back to it: a ring"):
        run_spec(load_spec(tmp_path / "a.toml"))


def test_an_inherited_parameter_of_other_ranges_is_warned_of() -> None:
    spec = changed("ccro/s4b_co.toml", "kweight = [3]", "kweight = [2]")
    result = run_spec(spec, variants=False)
    assert any("k weight [3] there, [2] here" in w for w in result.warnings)


def test_an_inherited_parameter_that_is_not_there() -> None:
    with pytest.raises(SpecError, match='has no parameter "s20"; there are s02'):
        run_spec(changed("ccro/s4b_co.toml", 'param = "s02"', 'param = "s20"'), variants=False)


def test_missing_files_and_groups_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both rows are said at once, and the path that cannot be found too."""
    import numpy as np

    import xasuite as xs

    monkeypatch.delenv("XASUITE_DATA", raising=False)
    energy = np.arange(7500.0, 8500.0, 2.0)
    scan = xs.Spectrum(energy=energy, mu=np.arctan((energy - 7709) / 2), element="Co", edge="K", label="a")
    xs.write(tmp_path / "two.h5", [scan, scan])
    text = (fits_dir() / "foils/co_foil.toml").read_text().replace('reproduces = "ccro/S4a"', "")
    text = text.replace("foils/Co_foil_APS13ID.xdi", "two.h5::third").replace(
        'crystal = "Co_hcp"', 'crystal = "Co_hpc"'
    )
    with pytest.raises(SpecError) as caught:
        check_spec(parse_spec(text, tmp_path / "co.toml"))
    said = caught.value.mistakes
    for needle in ("no file foils/Co_foil_QAS.dat", "no group 'third'", 'path "Co-Co"'):
        assert any(needle in m and m.startswith("co.toml:") for m in said), (needle, said)


@pytest.mark.parametrize(
    ("foil", "message"),
    [
        ("xasuite = 2\ntitle = ", "b.toml:2: not TOML"),
        (
            'xasuite = 2\ntitle = "x"\n[calibration]\nelement = "Co"\n',
            "this is the spec of a valence calibration",
        ),
        (None, 'from = "b.toml" is no spec in the folder of this one'),
    ],
)
def test_from_is_followed_to_its_end(tmp_path: Path, foil: str | None, message: str) -> None:
    text = (fits_dir() / "ccro/s4b_co.toml").read_text()
    (tmp_path / "a.toml").write_text(text.replace("foils/co_foil_closure.toml", "b.toml"))
    if foil is not None:
        (tmp_path / "b.toml").write_text(foil)
    with pytest.raises(SpecError) as caught:
        check_spec(load_spec(tmp_path / "a.toml"))
    assert any(m.startswith("a.toml:") and message in m for m in caught.value.mistakes), caught.value.mistakes


def test_a_variant_is_fitted_with_the_noise_and_the_rows_of_the_main_fit() -> None:
    """Stated noise and `together` go for variants too: chi-square of a variant that changes nothing is the main fit's."""
    spec = load_spec(fits_dir() / "comn/lco1mn1_both.toml").spec
    changed = spec.replace(fit={"epsilon_k": 1e-3}, variant=[{"label": "same", "note": "nothing changed"}])
    result = run_spec(parse_spec(changed.to_toml(), fits_dir() / "comn/both.toml"))
    (same,) = result.variants["same"]
    assert len(same.data) == 2
    assert same.chi2 == pytest.approx(result.rows[0].chi2, rel=1e-9)
