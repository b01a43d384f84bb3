"""chi(k) files: read, refused with a sentence, and fitted by a spec beside mu(E) rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.copper import copper_spec
from xasuite.cli import main
from xasuite.errors import DataError, ReadError, SpecError
from xasuite.exafs.audits import audit_fit
from xasuite.io import read_chi
from xasuite.specs import parse_spec
from xasuite.workflow import check_spec, run_spec
from xasuite.workflow.resolve import Context

SPEC = copper_spec(
    'label = "Cu"\nfile = "published/Cu/cu.chi"\nkind = "chi"\nvariables = { T = 300 }',
    "s02 = { guess = 0.9 }\nenot = { guess = 1.0 }\ndr = { guess = 0.0 }\ntheta = { guess = 300, min = 50 }",
    'label = "Cu-Cu"\ncrystal = "Cu"\nscatterer = "Cu"\ns02 = "s02"\ne0 = "enot"\ndeltar = "dr"\nsigma2 = "debye(T, theta)"',
    title="Cu chi(k)", k="[3, 14]", r="[1.5, 3.0]",
)  # fmt: skip


def test_larchs_file_as_it_stands(data_root: Path) -> None:
    chi = read_chi(data_root / "published/Cu/cu.chi", element="Cu", edge="K")
    k, values = np.loadtxt(data_root / "published/Cu/cu.chi").T
    np.testing.assert_allclose(chi.k, k, atol=1e-9)
    np.testing.assert_array_equal(chi.chi, values)
    assert chi.chi_err is None


def test_other_grids_columns_and_weights(tmp_path: Path) -> None:
    """feffit's own reading: linear interpolation onto 0.05 1/A (larch.xafs.feffit: interp(model.k, data.k, data.chi))."""
    k = np.linspace(0.31, 11.97, 400)
    chi = 0.2 * np.sin(4.6 * k) * np.exp(-0.01 * k**2)
    table = np.column_stack([k, chi * k**2, 1e-3 * k**2 * (1 + k)])
    file = tmp_path / "a.dat"
    np.savetxt(file, table, header="k  chi  delta_chi")
    found = read_chi(file, kweight=2)
    grid = 0.05 * np.arange(240)
    np.testing.assert_allclose(found.k, grid, atol=1e-12)
    np.testing.assert_allclose(found.chi, np.interp(grid, k, chi), atol=1e-12)
    np.testing.assert_allclose(found.chi_err, np.interp(grid, k, 1e-3 * (1 + k)), rtol=1e-12)
    assert "interpolated linearly" in found.notes[0]
    with pytest.raises(DataError, match="chi_kweight"):
        read_chi(file)
    with pytest.raises(ReadError, match="no column 'x'; it has k, chi, delta_chi"):
        read_chi(file, chi="x")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (lambda k: [k[::-1], np.sin(k)], "does not rise"),
        (lambda k: [8900 + k, np.sin(k)], "which is no k in 1/A; for mu"),
        (lambda k: [k, 0 * k], "reaches 0 beyond"),
        (lambda k: [k, np.where(k > 6, np.nan, 0.1)], "NaN"),
    ],
)
def test_what_is_no_chi(tmp_path: Path, columns, said: str) -> None:
    k = 0.05 * np.arange(240)
    np.savetxt(tmp_path / "a.dat", np.column_stack(columns(k)))
    with pytest.raises(DataError, match=said):
        read_chi(tmp_path / "a.dat")


def test_a_group_of_an_athena_project(tmp_path: Path) -> None:
    """Athena's own form of a chi(k) group: x is k, y is chi."""
    k = 0.05 * np.arange(240)
    chi = 0.2 * np.sin(4.6 * k) * np.exp(-0.01 * k**2)
    lines = ["# Athena project file -- Demeter version 0.9.26", "$old_group = 'abcde';"]
    lines.append("@args = ('label','my chi','is_chi','1','datatype','chi','bkg_z','Cu','fft_edge','k');")
    for name, values in (("x", k), ("y", chi)):
        lines.append(f"@{name} = ({','.join(repr(repr(float(v))) for v in values)});")
    (tmp_path / "a.prj").write_text("\n".join([*lines, "[record]", "1;", ""]))
    found = read_chi(tmp_path / "a.prj")
    np.testing.assert_allclose(found.chi, chi, atol=1e-12)
    assert (found.label, found.element) == ("my chi", "Cu")


def test_fitted_by_a_spec(data_root: Path, tmp_path: Path, monkeypatch) -> None:
    """Its Debye temperature is copper's (315 K: Kittel's table of low-temperature values), within 15 %; Larch agrees; all outputs."""
    result = run_spec(parse_spec(SPEC, "cu.toml"), Context(data_root))
    row = result.rows[0]
    assert result.verdicts["Cu"].good
    assert row.parameter("theta").value.value == pytest.approx(315, rel=0.15)
    assert audit_fit(row.stated, result.inputs["Cu"].chi).difference < 0.01
    assert row.budget is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.toml").write_text(SPEC)
    for command in (
        ["fit", "cu.toml", "--data-root", str(data_root)],
        ["report", f"results/{tmp_path.name}/cu"],
    ):
        with pytest.raises(SystemExit) as done:
            main(command)
        assert not done.value.code


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "chi"', 'kind = "chi"\ne0 = 8979', 's.toml:4: data "Cu": kind = "chi" is chi(k) itself and takes no e0'),
        ('kind = "chi"', 'kind = "ch"', 's.toml:7: data "Cu": kind: found \'ch\'; allowed are "mu" or "chi"; did you mean "chi"?'),
        ('kind = "chi"', "chi_kweight = 2", 's.toml:4: data "Cu": chi, chi_err and chi_kweight belong to a chi(k) file: write kind = "chi" as well'),
        ("{ T = 300 }", "{ t = 300 }", 's.toml:30: path "Cu-Cu": sigma2 = "debye(T, theta)": T is no parameter; there are dr, enot, s02, t, theta'),
        ("{ T = 300 }", "{ theta = 300 }", "s.toml:21: [params]: theta is a variable of the data rows as well; give one of them another name"),
        ("{ T = 300 }", "{ reff = 300 }", "s.toml:8: data \"Cu\": 'reff' cannot name a variable; use letters, digits and _"),
    ],
)  # fmt: skip
def test_mistakes(old: str, new: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC.replace(old, new), "s.toml")
    assert said in caught.value.mistakes


def test_a_row_that_lacks_the_variable() -> None:
    more = '[[data]]\nlabel = "b"\nfile = "b.chi"\nkind = "chi"\n\n[sample]'
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC.replace("[sample]", more), "s.toml")
    assert caught.value.mistakes == [
        's.toml:35: path "Cu-Cu": sigma2 = "debye(T, theta)": T is a variable that data "b" does not have'
    ]


def test_a_temperature_from_the_header(data_root: Path) -> None:
    """cu_150k.xmu says temp: 150K; cu_rt01.xmu says Room Temperature, which is no number."""
    text = (
        SPEC.replace("cu.chi", "cu_150k.xmu").replace('kind = "chi"\n', "").replace("T = 300", 'T = "temp"')
    )
    result = run_spec(
        parse_spec(text.replace("[sample]", "[errors]\nshells = false\n\n[sample]"), "s.toml"),
        Context(data_root),
    )
    assert float(result.inputs["Cu"].chi.variables["T"]) == 150
    loaded = parse_spec(text.replace("cu_150k", "cu_rt01"), "s.toml")
    with pytest.raises(SpecError, match="its header says 'Room Temperature'; give the number"):
        check_spec(loaded, Context(data_root))
    with pytest.raises(SpecError, match="no such field; did you mean"):
        check_spec(parse_spec(text.replace('"temp"', '"tmep"'), "s.toml"), Context(data_root))
