"""``xasuite new``: what a new user does first; its spec passes check and its fit gives known numbers."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.cli import main
from xasuite.errors import CrystalError, DataError, XasuiteWarning
from xasuite.workflow.new import new_spec
from xasuite.workflow.ranges import Measured, k_range, r_range, shells_to_fit

TRUE_S02, TRUE_SIGMA2 = 0.77, 6.5e-3  # Table S4a's Co foil
TRUE_N, TRUE_R = 5.8, 1.971  # Table S4b's Co-O


def run(*args: str) -> int:
    """The exit code of a command."""
    try:
        main(list(args))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def fitted(spec: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    """The JSON of ``xasuite fit``."""
    capsys.readouterr()
    assert run("fit", str(spec), "--json", "--no-figures", "-o", str(spec.parent / "results")) == 0
    return json.loads(capsys.readouterr().out)["rows"][0]


@pytest.fixture(scope="module")
def foil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated Co foil on disk: 12 Co-Co, S02 0.77, sigma2 6.5e-3, the rest of hcp to 6 A."""
    from dataclasses import replace

    from xasuite import feff, simulate

    paths = feff.find_paths("Co_hcp", absorber="Co")
    near = [p for p in paths if p.nleg == 2 and p.reff < 2.7]
    far = [p for p in paths if p.index not in {q.index for q in near}]
    truth = [
        simulate.TruthPath(p, n=p.degen, s02=TRUE_S02, sigma2=TRUE_SIGMA2 * (1 if p in near else 1.7))
        for p in [*near, *far]
    ]
    made = simulate.spectrum(truth, element="Co", noise=2e-4, seed=3)
    return io.write(
        tmp_path_factory.mktemp("foil") / "Co foil.xdi", [replace(made.spectrum, label="Co foil")]
    )


@pytest.fixture(scope="module")
def oxide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six oxygens around Co as CCRO has them, simulated with 5.8 at 1.971 A."""
    from dataclasses import replace

    from xasuite import feff, simulate

    paths = [p for p in feff.find_paths("CCRO", absorber="Co") if p.nleg == 2 and p.reff < 2.1]
    mean = sum(p.reff * p.degen for p in paths) / sum(p.degen for p in paths)
    truth = [
        simulate.TruthPath(p, n=TRUE_N / 3, s02=TRUE_S02, sigma2=4e-3, deltar=TRUE_R - mean) for p in paths
    ]
    made = simulate.spectrum(truth, element="Co", noise=2e-4, seed=4)
    return io.write(tmp_path_factory.mktemp("oxide") / "ccro.xdi", [replace(made.spectrum, label="ccro")])


def test_two_commands_from_a_file_to_s02(
    foil: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "co.toml"
    assert run("new", str(foil), "--crystal", "Co_hcp", "-o", str(spec)) == 0
    assert run("check", str(spec)) == 0
    row = fitted(spec, capsys)
    s02, path = row["params"]["s02"], row["paths"][0]
    assert path["n"]["value"] == 12
    # the truth is met within three standard errors of the fit
    assert abs(s02["value"] - TRUE_S02) < 3 * s02["stderr"]
    assert abs(path["sigma2"]["value"] - TRUE_SIGMA2) < 3 * path["sigma2"]["stderr"] + 2e-4
    assert row["rfactor"] < 0.01


def test_a_sample_takes_its_s02_from_the_foil(
    foil: Path, oxide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    co, ccro = tmp_path / "co.toml", tmp_path / "sub" / "ccro.toml"
    assert run("new", str(foil), "--crystal", "Co_hcp", "-o", str(co)) == 0
    assert (
        run(
            "new", str(oxide), "--crystal", "CCRO", "--absorber", "Co", "--s02-from", str(co), "-o", str(ccro)
        )
        == 0
    )
    text = tomllib.loads(ccro.read_text())
    assert text["params"]["s02"] == {"from": "../co.toml", "param": "s02"}
    assert text["fit"]["k"] == tomllib.loads(co.read_text())["fit"]["k"]  # an S02 belongs to its range
    row = fitted(ccro, capsys)
    path = row["paths"][0]
    assert path["label"] == "Co-O"
    # an error of S02 is in N: 0.8 is the closure study's own limit for a lone oxygen shell
    assert path["n"]["value"] == pytest.approx(TRUE_N, abs=0.8)
    assert path["r"]["value"] == pytest.approx(TRUE_R, abs=0.02)
    assert path["n"]["stderr"] > 0


def test_questions(
    foil: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io as text_io

    monkeypatch.setattr("sys.stdin", text_io.StringIO(f"{foil}\nCo_hcp\n\n\n"))
    spec = tmp_path / "asked.toml"
    assert run("new", "-o", str(spec)) == 0
    assert tomllib.loads(spec.read_text())["path"][0]["n"] == 12


def test_measured_foil(data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "co.toml"
    assert (
        run("new", str(data_root / "foils" / "Co_foil_QAS.dat"), "--crystal", "Co_hcp", "-o", str(spec)) == 0
    )
    row = fitted(spec, capsys)
    # 0.79(2) by another program over k 3-11
    assert 0.7 < row["params"]["s02"]["value"] < 0.9
    assert row["status"] == "ok"
    assert row["rfactor"] < 0.005


def test_bcc_has_two_shells_that_overlap() -> None:
    from xasuite import feff

    chosen = shells_to_fit(feff.find_paths("Fe", absorber="Fe"))
    assert [(s.element, s.n) for s in chosen] == [("Fe", 8), ("Fe", 6)]


def test_r_range_ends_where_farther_shells_begin() -> None:
    from xasuite import feff

    paths = feff.find_paths("CoO", absorber="Co")
    (low, high), why = r_range(shells_to_fit(paths), paths, (3.0, 12.0), 2)
    # Co-O at 2.13 A peaks near 1.6, Co-Co at 3.02 A near 2.6: the range holds the first alone
    assert low < 1.5
    assert 1.8 < high < 2.4
    assert "farther" in why


def test_k_range_follows_the_noise() -> None:
    def row(usable: float) -> Measured:
        return Measured("a", 15.9, usable, 1e-3)

    assert k_range([row(15.9)], None)[0] == (3.0, 14.0)
    assert k_range([row(15.9), row(9.7)], None)[0] == (3.0, 9.5)
    with pytest.raises(DataError, match=r"to k = 5\.0 1/A only"):
        k_range([row(5.0)], None)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--crystal", "Cu"], "holds Cu and no Co, which the data are of"),
        (["--crystal", "Co_hcp", "--absorber", "Fe"], "holds Co and no Fe, which --absorber names"),
        (["--crystal", "nowhere.cif"], "nowhere.cif is no file"),
        (["--crystal", "Co_hpc"], "Co_hcp"),
        (["--crystal", "Co_hcp", "--s02", "0.8", "--s02-from", "x.toml"], "exclude each other"),
    ],
)
def test_mistakes(
    foil: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    assert run("new", str(foil), *args, "-o", str(tmp_path / "x.toml")) == 1
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "x.toml").exists()


def test_nobody_to_ask(
    foil: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch job has no keyboard: what is missing is said, with its flag, and nothing is written."""
    import io as text_io

    for args, said in (([str(foil)], "give --crystal"), ([], "xasuite new FILE --crystal NAME")):
        monkeypatch.setattr("sys.stdin", text_io.StringIO(""))
        assert run("new", *args, "-o", str(tmp_path / "x.toml")) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "x.toml").exists()


def test_one_site_of_several_is_said(data_root: Path, tmp_path: Path) -> None:
    """Alpha manganese has four sites: a fit of one of them says nothing of the foil."""
    mn = data_root / "foils" / "Mn_foil_QAS.dat"
    with pytest.warns(XasuiteWarning, match="Mn2, Mn3, Mn4 too"):
        draft = new_spec([mn], crystal="Mn", target=tmp_path / "mn.toml")
    assert any("Mn on 4 different sites" in line for line in draft.decisions)


@pytest.mark.parametrize(
    ("file", "crystal", "r"),
    [
        ("standards/Ni_oxide.prj::NiO", "NiO", 2.084),
        ("standards/Co_oxides.prj::CoO", "CoO", 2.133),
        ("standards/RuO2.prj::RuO2", "RuO2", 1.970),
    ],
)
def test_measured_oxides_fit_sensibly(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, crystal: str, r: float
) -> None:
    """Six oxygens, at the crystal's distance, within two standard errors; no parameter at a bound."""
    spec = tmp_path / "oxide.toml"
    assert run("new", str(data_root / file), "--crystal", crystal, "-o", str(spec)) == 0
    row = fitted(spec, capsys)
    path = row["paths"][0]
    assert row["status"] == "ok"
    assert row["rfactor"] < 0.05
    assert abs(path["n"]["value"] - 6) < 2 * path["n"]["stderr"]
    assert abs(path["r"]["value"] - r) < 2 * path["r"]["stderr"]


def test_nothing_is_overwritten(foil: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "mine.toml"
    spec.write_text("mine")
    assert run("new", str(foil), "--crystal", "Co_hcp", "-o", str(spec)) == 1
    assert "there already" in capsys.readouterr().err
    assert spec.read_text() == "mine"


def test_draft_tells_what_it_decided(foil: Path, tmp_path: Path) -> None:
    draft = new_spec([foil], crystal="Co_hcp", target=tmp_path / "a.toml", foil=False)
    assert draft.loaded.spec.params["s02"].stderr == 0.10
    assert any("foil of the same session" in line for line in draft.decisions)
    with pytest.raises(CrystalError):
        new_spec([foil], crystal="Fe", target=tmp_path / "b.toml")
    assert np.isfinite(draft.loaded.spec.fit.r).all()
