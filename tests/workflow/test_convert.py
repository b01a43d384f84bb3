"""Projects of Artemis and Larix as specs: the logged results come back; nothing of a project is executed."""

from __future__ import annotations

import gzip
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.cli import main
from xasuite.errors import FitError, ReadError
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import parse_feff_dat
from xasuite.io.projects import read_project
from xasuite.specs import load_spec
from xasuite.specs.published import paper
from xasuite.specs.schema import Reduce
from xasuite.workflow import fit, reproduce_specs, run_spec
from xasuite.workflow.audit import audit_spec
from xasuite.workflow.convert import Conversion, convert

PROJECTS = {
    "published/FeS2/FeS2_final.fpj": ("pcydc", "xlbif", "zdcyp", "dzaon", "icuvf"),
    "projects/FeS2.apj": ("fit0001", "fit0002", "fit0003", "fit0004"),
    "projects/ZnSe_Feffit.larix": ("znseznxaf_1",),
}
# In standard errors that the project logged. With Ifeffit's own background (docs/guide/coming_from.md) the largest is
# 0.11; Ifeffit's edge step is 0.4 % smaller than ours, which is 0.05 standard errors of an amplitude.
CLOSE = 0.3


@pytest.fixture(scope="module", params=PROJECTS, ids=lambda p: Path(p).name)
def converted(
    request: pytest.FixtureRequest, data_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Conversion]:
    project = data_root / request.param
    return project, convert(project, tmp_path_factory.mktemp("converted"))


def test_logged_parameters_come_back(converted: tuple[Path, Conversion], data_root: Path) -> None:
    project, done = converted
    logged = {f.name: f for f in read_project(project).fits if f.rfactor is not None}
    assert tuple(logged) == PROJECTS[str(project.relative_to(data_root))]
    for spec in done.specs:
        if spec.stem not in logged:
            continue
        params = fit(spec).params
        fitted = [p for p in logged[spec.stem].parameters if p.best is not None and p.stderr]
        assert fitted
        for p in fitted:
            assert abs(params[p.name].n - p.best) < CLOSE * p.stderr, f"{spec.stem} {p.name}"


@pytest.mark.parametrize(
    ("project", "member"),
    [
        ("projects/FeS2.apj", "chi_data/fes2_rt01_mar02_xmu.chi"),
        ("published/FeS2/FeS2_final.fpj", "fits/icuvf/edgtw.fit"),
    ],
)
def test_chi_is_the_one_that_ifeffit_left_in_the_project(project: str, member: str, data_root: Path) -> None:
    text = zipfile.ZipFile(data_root / project).read(member).decode("latin1")
    k, stored = np.array(
        [line.split()[:2] for line in text.splitlines() if line[:1] not in ("#", "")], float
    ).T
    data = read_project(data_root / project).fits[-1].data[0]
    settings = Reduce.model_validate(data.reduce)
    norm = xs.normalize(
        xs.Spectrum(data.energy, data.mu, data.element, data.edge), e0=settings.e0, **settings.normalization()
    )
    seen = (k >= 0.5) & (k <= 12.9)

    def away(algorithm: str) -> tuple[float, float]:
        chi = xs.background(norm, **settings.of_background() | {"algorithm": algorithm})
        ours, wanted = (k**2 * v for v in (np.interp(k, chi.k, chi.chi), stored))
        step = float((ours * wanted)[seen].sum() / (wanted**2)[seen].sum())
        return float(np.linalg.norm((ours / step - wanted)[seen]) / np.linalg.norm(wanted[seen])), step

    off, step = away("ifeffit")
    assert off < 1e-4  # the project has eight digits of mu
    assert step == pytest.approx(1, abs=0.005), "Ifeffit takes the edge step of its background"
    assert away("autobk")[0] > 0.04, "as large as coming_from.md says"


def test_larch_reads_what_was_written(converted: tuple[Path, Conversion]) -> None:
    """The FEFF files that a project's records are written as are read by Larch, whose own fit of them is ours."""
    result = run_spec(load_spec(converted[1].specs[0]))
    audit = audit_spec(result)
    assert audit is not None
    assert audit.passed
    assert f"{result.rows[0].data[0].label}: from {converted[0].name}, " in "\n".join(result.summary().notes)


def test_a_path_that_larch_cannot_read_is_one_sentence() -> None:
    """The header lacks its line of potentials, which our reader does not need."""
    text = find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)[0].text
    bare = "\n".join(line for line in text.splitlines() if " Abs " not in line)
    path = PathModel("Cu-Cu", parse_feff_dat(bare, "x.dat"), parse(12.0), s02=parse("a"))
    model = Model((Parameter("a", 0.9),), (path,), FitRange((3, 12), (1.5, 3)))
    k = 0.05 * np.arange(281)
    with pytest.raises(
        FitError, match=r"Larch cannot read FEFF's file of path .*Cu-Cu: .*; check its first lines"
    ):
        fit_chi(model, xs.Chi(k=k, chi=np.sin(5 * k), e0=8979.0, edge_step=1.0), engine="larch")


def test_reproduce_scores_the_old_fits(converted: tuple[Path, Conversion]) -> None:
    _, done = converted
    assert done.published is not None
    scored = reproduce_specs([done.specs[0].parent])
    assert {c.label for c in scored.cells} == {"measured"}
    assert all(c.within for c in scored.cells)


def test_a_fit_that_was_never_run_is_not_scored(data_root: Path, tmp_path: Path) -> None:
    done = convert(data_root / "published/FeS2/FeS2_final.fpj", tmp_path)
    assert "reproduces" not in (tmp_path / "gkpad.toml").read_text()
    assert done.refused == {
        "ravfm": "path S.1: deltar = alpha*reff uses alpha, which is no parameter of the fit"
    }


# ------------------------------------------------------------------------------------------------ without data

PARAMETERS = """---
name: amp
gds: guess
mathexp: 0.9
---
name: twice
gds: def
mathexp: 2*ss*reff
---
name: ss
gds: guess
mathexp: 0.003
---
name: hold
gds: restrain
mathexp: amp-1
--- []
"""
PATHS = """---
include: 1
datagroup: d1
label: 'Cu <one>'
parentgroup: f1
n: 12
s02: AMP
sigma2: "twice/2^1"
degen: 12
reff: 2.5527
nleg: 2
geometry: "   2  12.000   2.5527    2.6   -4.2 nleg, deg\\n   x y z\\n 0.0 0.0 0.0 0 29 abs\\n 1.8050 0.0 1.8050 1 29 Cu\\n"
{more}
--- []
"""
DATA = "---\nname: foil\nbkg_z: cu\nfft_edge: k\nbkg_e0: 8979\nfft_kmin: 3\nfft_kmax: 10\nbft_rmin: 1.5\nbft_rmax: 3\nfit_k2: 1\n"


def fpj(
    folder: Path, *, parameters: str = PARAMETERS, more: str = "", feff: bool = True, log: str = ""
) -> Path:
    """A small Artemis project in the layout of the real ones."""
    energy = [8800 + 2.0 * i for i in range(300)]
    mu = [0.1 + (e > 8979) for e in energy]
    numbers = (
        "---\n" + "\n".join(f"- {e}" for e in energy) + "\n---\n" + "\n".join(f"- {m}" for m in mu) + "\n"
    )
    path = folder / "small.fpj"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("order", "---\n1: one\n")
        archive.writestr("fits/one/structure.yaml", "---\n- x\n---\n- d1\n---\n- p1\n---\n- f1\n")
        archive.writestr("fits/one/gds.yaml", parameters)
        archive.writestr("fits/one/paths.yaml", PATHS.format(more=more))
        archive.writestr("fits/one/d1.yaml", DATA + numbers)
        if log:
            archive.writestr("fits/one/fit.yaml", f"---\n{log}")
        if feff:
            archive.writestr("feff/f1/f1.inp", FEFF)
    return path


FEFF = """ TITLE Cu
 HOLE 1 1.0
 CONTROL 1 1 1 1
 PRINT 1 0 0 0
 RMAX 4.0
 POTENTIALS
  0 29 Cu
  1 29 Cu
 ATOMS
""" + "".join(
    f"  {x * 1.805:9.4f} {y * 1.805:9.4f} {z * 1.805:9.4f} {0 if (x, y, z) == (0, 0, 0) else 1} Cu\n"
    for x, y, z in sorted(
        ((x, y, z) for x in range(-2, 3) for y in range(-2, 3) for z in range(-2, 3) if (x + y + z) % 2 == 0),
        key=lambda a: sum(c * c for c in a),
    )
)


def test_expressions_carry_over(tmp_path: Path) -> None:
    convert(fpj(tmp_path), tmp_path / "out")
    text = (tmp_path / "out/one.toml").read_text()
    assert '[[restraint]]\nthat = "amp-1"\nis = 0\nwithin = 1' in text, (
        "Ifeffit adds a restraint's square to chi-square"
    )
    assert 's02 = "amp"' in text, "Ifeffit knows no letter case"
    assert 'sigma2 = "(2*ss*reff)/2**1"' in text, "a definition with reff is written into each path; ^ is **"
    assert "Cu <one>" in text
    assert (tmp_path / "out/feff/one_01.dat").is_file()


def test_a_path_of_one_distance_is_made_by_feff(tmp_path: Path) -> None:
    """Artemis's SSPath names a potential and a distance; FEFF's amplitude there is that of a neighbour's at its own."""
    path = fpj(tmp_path, more="ipot: 1\ntag: Cu")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / "ss.fpj", "w") as target:
        for name in source.namelist():
            text = source.read(name).decode()
            text = re.sub(r"(?m)^geometry: .*$", "", text).replace("reff: 2.5527", "reff: 3.2")
            target.writestr(name, text)
    convert(tmp_path / "ss.fpj", tmp_path / "out")
    made = parse_feff_dat((tmp_path / "out/feff/one_01.dat").read_text())
    assert (made.reff, made.nleg, made.scatterers) == (3.2, 2, ("Cu",))
    convert(fpj(tmp_path), tmp_path / "near")
    near = parse_feff_dat((tmp_path / "near/feff/one_01.dat").read_text())
    assert made.lam == pytest.approx(near.lam), "one potential"
    assert np.interp(8, made.k, made.amp) == pytest.approx(np.interp(8, near.k, near.amp), rel=0.05)


SEVERAL = """---
name: amp
gds: lguess
mathexp: 0.9
---
name: theta
gds: guess
mathexp: 250
---
name: t0
gds: set
mathexp: 2*theta^0
---
name: ss
gds: def
mathexp: sigma2_eins([CV], theta)*t0/2
---
name: res
gds: restrain
mathexp: 1000*penalty(theta, 100, 400)
---
name: bad
gds: penalty
mathexp: theta/10
--- []
"""


def several(folder: Path, parameters: str = SEVERAL, log: str = "") -> Path:
    """A project of three data sets, one of them left out of the fit."""
    path, one = folder / "several.fpj", fpj(folder)
    with zipfile.ZipFile(one) as source, zipfile.ZipFile(path, "w") as archive:
        data, paths = source.read("fits/one/d1.yaml").decode(), PATHS.format(more="")
        paths = paths.replace('sigma2: "twice/2^1"', "sigma2: ss").removesuffix("--- []\n")
        for key, cv, included in (("d1", 10, 1), ("d2", 300, 1), ("d3", 500, 0)):
            text = data.replace(
                "name: foil", f"name: foil {key}\ncv: {cv}\nfit_include: {included}\nfit_epsilon: 0.001"
            ).replace("bkg_e0: 8979", f"bkg_e0: {8979 + cv / 100}")
            archive.writestr(f"fits/one/{key}.yaml", text)
        archive.writestr("order", "---\n1: one\n")
        archive.writestr("fits/one/structure.yaml", "---\n- x\n---\n- d1\n- d2\n- d3\n---\n- p\n---\n- f1\n")
        archive.writestr("fits/one/gds.yaml", parameters)
        if log:
            archive.writestr("fits/one/fit.yaml", log)
        archive.writestr(
            "fits/one/paths.yaml", "".join(paths.replace("d1", f"d{n}") for n in (1, 2, 3)) + "--- []\n"
        )
        archive.writestr("feff/f1/f1.inp", source.read("feff/f1/f1.inp"))
    return path


def test_several_data_sets_keep_what_is_their_own(tmp_path: Path) -> None:
    """A local guess, a characteristic value, a set that is evaluated once, a penalty, and a data set that is left out."""
    convert(several(tmp_path), tmp_path / "out")
    text = (tmp_path / "out/one.toml").read_text()
    for line in (
        "amp = { guess = 0.9, each = true }",
        "t0 = { value = 2.0 }",
        "variables = { cv = 10 }",
        "e0 = 8982.0\nvariables = { cv = 300 }",
        "epsilon_k = 0.001",
        'that = "1000*(max((100) - (theta), 0) + max((theta) - (400), 0))"',
        'sigma2 = "(einstein(cv, theta)*t0/2)"',
        "# Not carried over: penalty bad = theta/10.",
    ):
        assert line in text, line
    spec = load_spec(tmp_path / "out/one.toml").spec
    assert [d.label for d in spec.data] == ["foil d1", "foil d2"]
    assert [p.data for p in spec.path] == ["foil d1", "foil d2"]
    inside, below, above = (parse(spec.restraint[0].that)({"theta": t}) for t in (250, 90, 403))
    assert (inside, below, above) == (0, 10_000, 3_000)


def test_logged_results_of_several_data_sets(tmp_path: Path) -> None:
    """sigma2 of each row is Larch's own Einstein model at its characteristic value; what is logged for no one row is said."""
    from larch.xafs import feffpath
    from larch.xafs.sigma2_models import sigma2_eins

    log = "---\nn_varys: 2\nr_factor: 0.01\nfitenvironment: 'Demeter 0.9.25'\n"
    done = convert(several(tmp_path, log=log), tmp_path / "local")
    assert done.published is None
    text = done.specs[0].read_text()
    assert "# Not carried over: the logged results, which have no single value of amp." in text
    assert "reproduces" not in text
    logged = SEVERAL.replace("gds: lguess\n", "gds: guess\nbestfit: 0.8\nerror: 0.1\n").replace(
        "mathexp: 250\n", "mathexp: 250\nbestfit: 240\nerror: 5\n"
    )
    done = convert(several(tmp_path, logged, log), tmp_path / "logged")
    assert done.published is not None
    (table,) = paper("several", done.published.parent).table.values()
    path = feffpath(str(tmp_path / "logged/feff/one_01.dat"))
    for cell, t in zip(table.cell, (10, 300), strict=True):
        assert cell.s02 == 0.8
        assert cell.sigma2 == pytest.approx(float(sigma2_eins(t, 240, path)), rel=1e-5)
        step = float(sigma2_eins(t, 245, path)) - float(sigma2_eins(t, 240, path))
        assert cell.sigma2_err == pytest.approx(abs(step), rel=1e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("gds: def", "gds: merge"), "parameter ss is defined twice (merge); decide in Artemis which one holds"),
        (("2*theta^0", "2*t0"), "set t0 = 2*t0 depends on itself"),
        (("2*theta^0", "2*other"), "set t0 = 2*other uses other, which is no parameter of the fit"),
        (("2*theta^0", "1/(theta-250)"), "set t0 = 1/(theta-250) has no value before the fit: float division by zero"),
    ],
)  # fmt: skip
def test_what_several_data_sets_cannot_be(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in SEVERAL
    with pytest.raises(ReadError, match=re.escape(said)):
        convert(several(tmp_path, SEVERAL.replace(*change)), tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"more": "e0: nothing"}, "e0 = nothing uses nothing, which is no parameter of the fit"),
        ({"feff": False}, "the project does not hold FEFF's input f1"),
        (
            {"parameters": PARAMETERS.replace("mathexp: 0.9", "mathexp: ss*other")},
            "guess amp = ss*other uses other, which is no parameter of the fit",
        ),
        (
            {"parameters": PARAMETERS.replace("mathexp: 0.9", "mathexp: ss*300").replace("0.003", "amp/300")},
            "amp -> ss -> amp depend on each other in a ring",
        ),
        (
            {"parameters": PARAMETERS.replace("mathexp: 0.9", "mathexp: reff/3")},
            "guess amp = reff/3 uses reff, which is no parameter of the fit",
        ),
        (
            {"parameters": "--- !!python/object/apply:os.system ['touch owned']\n"},
            "could not determine a constructor",
        ),
        ({"parameters": "---\nname: [\n"}, "gds.yaml is no YAML"),
    ],
)
def test_what_cannot_be_converted_is_said(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(ReadError, match=said.replace("*", r"\*")):
        convert(fpj(tmp_path, **change), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "owned").exists()


def test_a_project_without_its_feff_file_is_one_sentence(data_root: Path, tmp_path: Path) -> None:
    """Artemis of old keeps feffNNNN.dat, Larix what it read of one; .fpj and scripts are above and in test_convert_scripts."""
    with (
        zipfile.ZipFile(data_root / "projects/FeS2.apj") as source,
        zipfile.ZipFile(tmp_path / "a.apj", "w") as target,
    ):
        for name in source.namelist():
            if not name.endswith("feff0001.dat"):
                target.writestr(name, source.read(name))
    with pytest.raises(
        ReadError, match=r"a\.apj: the project does not hold its file data0\.feff0/feff0001\.dat"
    ):
        convert(tmp_path / "a.apj", tmp_path / "out")
    text = gzip.decompress((data_root / "projects/ZnSe_Feffit.larix").read_bytes()).decode()
    for old, new, said in (
        ('"_feffdat": ', '"_other": ', "path Zn_Se245: the session does not hold FEFF's result of this path"),
        ('"nleg": ', '"legs": ', "path Zn_Se245: FEFF's result is damaged: KeyError 'nleg'"),
    ):
        assert old in text
        (tmp_path / "z.larix").write_text(text.replace(old, new))
        with pytest.raises(ReadError, match=said):
            convert(tmp_path / "z.larix", tmp_path / "out")


def test_files_that_are_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.fpj"
    cut.write_bytes(fpj(tmp_path).read_bytes()[:-400])
    newer = tmp_path / "newer.larix"
    newer.write_bytes(gzip.compress(b"##LARIX: 3.0      Larch Session File\n"))
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    athena, artemis = tmp_path / "newer.prj", tmp_path / "newer.apj"
    athena.write_text("# Athena project file -- Demeter version 1.0.2\n$old_group = 'a';\n")
    with zipfile.ZipFile(artemis, "w") as archive:
        archive.writestr("HORAE", "")
        archive.writestr("fits/one/description", "# Artemis project file -- Artemis version 2.1\n")
    demeter = fpj(tmp_path, log="fitenvironment: 'Demeter 1.1.0 with perl 5.40 on linux'\n")
    for path, said in (
        (demeter, "small.fpj is of Demeter version 1.1.0; versions below 1 can be read"),
        (athena, "newer.prj is of Demeter version 1.0.2; versions below 1 can be read"),
        (artemis, "newer.apj is of Artemis version 2.1; versions below 1 can be read"),
        (cut, "is no project of Artemis"),
        (newer, "newer.larix is of Larix version 3.0; versions below 2 can be read"),
        (text, "is no project of Artemis (.fpj, .apj), Larix (.larix) or Athena (.prj)"),
        (tmp_path / "absent.fpj", "absent.fpj does not exist; check the path"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["convert", str(path), "-o", str(tmp_path / "out")])
        err = capsys.readouterr().err
        assert caught.value.code == 1
        assert said in err
        assert "Traceback" not in err
        assert len(err.strip().splitlines()) == 1
