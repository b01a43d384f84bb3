"""Athena projects as specs: the groups' own settings, against the numbers in the file and what Larch makes of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.cli import main
from xasuite.errors import ReadError, SpecError
from xasuite.io import read_chi
from xasuite.specs.schema import Reduce
from xasuite.workflow import check_spec
from xasuite.workflow.convert import convert
from xasuite.workflow.resolve import Data, reduce_row

FE = "formats/athena/fe_athena.prj"  # Athena with Larch
AU = "formats/athena/athena_json.prj"  # the JSON flavour; 17 groups, 5 with an energy shift


def reduced(spec: Path) -> tuple[xs.Normalized, xs.Chi]:
    """mu(E) of a converted group by its own [reduce]."""
    tables = tomllib.loads(spec.read_text())
    data = tables["data"][0]
    spectrum = xs.read(spec.parent / data["file"]).mu()
    return reduce_row(spectrum, Reduce.model_validate(tables["reduce"]), Data.model_validate(data))


# The edge steps that Athena wrote into the file. What Larch computed under it comes back to the digits written; the
# values of Ifeffit's time were stored with four digits, before the last change of the group's ranges.
@pytest.mark.parametrize(("project", "groups", "within"), [(FE, 3, 1e-6), (AU, 17, 0.01)])
def test_edge_steps_are_those_in_the_file(
    project: str, groups: int, within: float, data_root: Path, tmp_path: Path
) -> None:
    from larch.io import read_athena

    done = convert(data_root / project, tmp_path)
    assert len(done.specs) == groups
    assert not done.runs
    larch = {str(g.label).strip(): g for g in read_athena(str(data_root / project)).groups.values()}
    for spec in done.specs:
        norm, _ = reduced(spec)
        stored = float(larch[norm.label].athena_params.bkg.step)
        assert float(norm.edge_step) == pytest.approx(stored, rel=within), norm.label


def test_settings_and_chi_are_larchs(data_root: Path, tmp_path: Path) -> None:
    from larch import Group
    from larch.io import read_athena
    from larch.xafs import autobk

    convert(data_root / FE, tmp_path)
    for group in read_athena(str(data_root / FE)).groups.values():
        pars, fft = group.athena_params.bkg, group.athena_params.fft
        spec = tmp_path / f"{group.label}.toml"
        tables = tomllib.loads(spec.read_text())
        settings = tables["reduce"]
        assert settings["e0"] == float(pars.e0)
        assert settings["pre_range"] == [float(pars.pre1), float(pars.pre2)]
        assert settings["norm_range"] == [float(pars.nor1), float(pars.nor2)]
        assert settings["bkg_k"] == [float(pars.spl1), float(pars.spl2)]
        assert (settings["rbkg"], settings["bkg_kweight"]) == (float(pars.rbkg), int(pars.kw))
        assert tables["fit"]["k"] == [float(fft.kmin), float(fft.kmax)]
        norm, chi = reduced(spec)
        # over the edge step, as our clamps are (docs/decisions/background.md)
        made = Group(energy=group.energy, mu=group.mu / float(norm.edge_step))
        autobk(
            made, e0=float(pars.e0), edge_step=1.0, rbkg=float(pars.rbkg), kmin=float(pars.spl1), kmax=float(pars.spl2),
            kweight=int(pars.kw), dk=float(pars.dk), win=pars.kwindow, clamp_lo=float(pars.clamp1), clamp_hi=float(pars.clamp2),
        )  # fmt: skip
        size = min(chi.k.size, made.chi.size)
        # Larch's minimiser stops at 1e-6
        assert np.abs(chi.chi[:size] - made.chi[:size]).max() < 1e-4 * np.abs(made.chi).max()


def test_energy_shift_is_applied(data_root: Path, tmp_path: Path) -> None:
    convert(f"{data_root / AU}::2.42", tmp_path)
    stored = xs.read(f"{data_root / AU}::2.42")
    assert xs.read(tmp_path / "data/2.42.xdi").energy == pytest.approx(stored.energy - 0.26, abs=1e-6)


def test_with_a_crystal_the_spec_runs(data_root: Path, tmp_path: Path) -> None:
    done = convert(f"{data_root / 'standards/Co_oxides.prj'}::CoO", tmp_path, crystal="CoO")
    spec = xs.load_spec(done.specs[0]).spec
    assert done.runs
    assert (spec.reduce.e0, spec.reduce.rbkg, spec.reduce.clamp, spec.fit.k, spec.fit.dk) == (
        7718.0, 1.0, (0, 24), (2.0, 17.958), 2.0,
    )  # fmt: skip
    fit = xs.fit(spec.replace(errors="fit"), data_root=tmp_path).rows[0]
    # CoO is rock salt: 6 O at a/2 = 2.130 A; energy scales of beamlines and k to 18 1/A move a fitted R by 0.02 A
    assert fit.paths[0].r.value == pytest.approx(2.130, abs=0.03)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("'bkg_z','Fe'", "'bkg_z',''"), "group 'fe' names no absorber and edge"),
        (("'is_chi','0'", "'is_bkg','1'"), "group 'fe' is a background; a spec begins with mu(E) or chi(k)"),
        (("@y = ('1',", "@y = ("), "30 energies and 29 values of mu are no spectrum"),
        (("[record]", ""), "ends inside a group"),
    ],
)
def test_groups_that_are_no_spectrum(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ReadError, match=said.replace("(", r"\(").replace(")", r"\)")):
        convert(project(tmp_path, *change), tmp_path / "out")


def test_what_a_spec_has_no_key_for_is_said(tmp_path: Path) -> None:
    path = project(tmp_path, "'bkg_fixstep','0'", "'bkg_fixstep','1','bkg_step','0.9','bkg_stan','foil'")
    text = convert(path, tmp_path / "out").specs[0].read_text()
    assert "# Not carried over: Athena held the edge step at 0.9" in text
    assert "# Not carried over: Athena used group foil as the standard of the background." in text


def test_a_group_of_chi_is_data_of_chi(tmp_path: Path) -> None:
    path = project(
        tmp_path, "'is_chi','0'", "'is_chi','1','fft_kmin','3','fft_kmax','12','bft_rmin','1','bft_rmax','3'"
    )
    text = path.read_text()
    wave = [(0.05 * i, 0.1 * np.sin(0.2 * i)) for i in range(300)]
    for name, at in (("x", 0), ("y", 1)):
        start = text.index(f"@{name} = (")
        end = text.index(");", start)
        text = text[:start] + f"@{name} = (" + ",".join(f"'{w[at]}'" for w in wave) + text[end:]
    path.write_text(text)
    spec = convert(path, tmp_path / "out").specs[0]
    tables = tomllib.loads(spec.read_text())
    assert tables["data"][0]["kind"] == "chi"
    assert "reduce" not in tables
    chi = read_chi(spec.parent / tables["data"][0]["file"], element="Fe", edge="K")
    assert np.interp(5.0, chi.k, chi.chi) == pytest.approx(0.1 * np.sin(20.0), abs=1e-6)
    with pytest.raises(ReadError, match=r"it is chi\(k\), which new specs are not made of"):
        convert(path, tmp_path / "again", crystal="Fe")


def test_a_transform_beyond_the_data_ends_where_they_do(data_root: Path, tmp_path: Path) -> None:
    """Athena clips a range that a longer scan left behind; `xasuite check` refuses it."""
    spec = convert(f"{data_root / 'standards/Mn_oxides.prj'}::Mn2O3x", tmp_path, crystal="Mn2O3").specs[0]
    assert "# Not carried over: the transform to k = 8.9; the data end at 8.65 1/A." in spec.read_text()
    check_spec(xs.load_spec(spec))


def test_group_and_crystal_that_do_not_fit(
    tmp_path: Path, data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["convert", f"{project(tmp_path, '', '')}::foil", "-o", str(tmp_path / "out")])
    assert caught.value.code == 1
    assert "holds no group 'foil'; there are fe" in capsys.readouterr().err
    with pytest.raises(SpecError, match="holds fits with their own paths: leave --crystal out"):
        convert(data_root / "projects/FeS2.apj", tmp_path / "out", crystal="FeS2")


def project(folder: Path, old: str, new: str) -> Path:
    """An Athena project of one group with one thing changed."""
    energy = ",".join(f"'{7000 + 20 * i}'" for i in range(30))
    mu = ",".join("'1'" for _ in range(30))
    text = (
        "# Athena project file -- Demeter version 0.9.26\n\n$old_group = 'abcde';\n"
        "@args = ('label','fe','bkg_z','Fe','fft_edge','k','bkg_e0','7112','is_chi','0','bkg_fixstep','0');\n"
        f"@x = ({energy});\n@y = ({mu});\n[record]   # create object\n\n1;\n"
    )
    assert old in text
    path = folder / "one.prj"
    path.write_text(text.replace(old, new, 1) if old else text)
    return path
