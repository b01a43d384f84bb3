"""The XANES commands as a new user types them: what they print and write, and one sentence for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xasuite.cli import main
from xasuite.references import fits_dir

COMMANDS = ("edge", "valence", "lcf", "components", "peaks", "dband", "modulation")
BINDING = np.arange(-3.0, 14.0, 0.05)


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in argv])
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    return int(caught.value.code or 0), said.out, said.err


def documents(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> list[dict[str, Any]]:
    """What a command prints with --json, as a list."""
    code, out, _ = run(capsys, *argv, "--json")
    assert code == 0
    found = json.loads(out)
    return found if isinstance(found, list) else [found]


@pytest.fixture
def iron(data_root: Path) -> dict[str, Path]:
    folder = data_root / "standards" / "Fe_xdi"
    return {n: folder / f"{n}_rt_01.xdi" for n in ("FeO", "Fe3O4", "Fe2O3", "FeS2")}


def band() -> np.ndarray:
    """Two Gaussians, 3.0 and 5.5 eV below the Fermi level; their centre is known, the background flat."""
    return 800 * np.exp(-(((BINDING - 3) / 1.3) ** 2)) + 400 * np.exp(-(((BINDING - 5.5) / 1.0) ** 2)) + 50


CENTRE = -(800 * 1.3 * 3.0 + 400 * 1.0 * 5.5) / (800 * 1.3 + 400 * 1.0)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_it_gives(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert "Usage" in out
    assert "--output" in out


# ------------------------------------------------------------------------------------------------- edge


def test_edge_at_several_fractions_one_figure_an_element(
    iron: dict[str, Path], data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manganese = data_root / "standards" / "Mn_xdi" / "MnO_rt_01.xdi"
    argv = ["edge", iron["FeO"], manganese, "--fraction", "0.5", "--fraction", "0.8", "--output", tmp_path]
    code, out, _ = run(capsys, *argv)
    assert code == 0
    assert "E(0.8) (eV)" in out
    (first, _) = documents(capsys, *argv)
    assert first["rows"][0]["E(0.5)"]["value"] == pytest.approx(7119.28, abs=0.01)  # as Larch gives it
    for name in ("edges_Fe", "edges_Mn"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    header = (tmp_path / "edges_Fe.csv").read_text().splitlines()[0]
    assert header.startswith("label,E(0.5),E(0.5)_err,")
    assert "E(0.8),E(0.8)_err" in header


def test_scans_of_one_name_are_told_apart(data_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data_root / "standards" / "Mn_xdi"
    _, out, _ = run(capsys, "edge", *(folder / f"MnO_rt_0{i}.xdi" for i in (1, 2)))
    assert "MnO (MnO_rt_01)" in out
    assert "MnO (MnO_rt_02)" in out


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--fraction", "2"], "a fraction of the jump has to lie between 0 and 1"),
        (["--method", "middle"], "choose one of fraction, inflection, whiteline, integral"),
        (["--pre-range=-50,-150"], "runs backwards; write the lower end first"),
        (["--norm-range", "50"], "is no range; write it as LOW,HIGH"),
        (["--norm-range=-50,200"], "begins 50 eV below E0; give a range above it"),
        (["--pre-range=-50,20"], "ends 20 eV above E0; give a range below it"),
        (["--norm-range", "5000,9000"], "eV from E0; give a range within it"),
    ],
)
def test_edge_mistakes(
    iron: dict[str, Path], more: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "edge", iron["FeO"], *more)
    assert code == 1
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (
        ["edge", "no.xdi"],
        ["lcf", "no.xdi", "--ref", "no.xdi", "--energy-range", "1,2"],
        ["dband", "no.txt"],
    ):
        code, _, err = run(capsys, *argv)
        assert code == 1
        assert "does not exist; check the path" in err


# -------------------------------------------------------------------------------------------------- lcf


def test_lcf_prints_weights_that_sum_to_one_and_ranks(
    iron: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["lcf", iron["Fe3O4"], "--ref", iron["FeO"], "--ref", iron["Fe2O3"], "--energy-range", "7100,7160"]
    code, out, _ = run(capsys, *argv, "--rank", "--output", tmp_path)
    assert code == 0
    found = documents(capsys, *argv)[0]["rows"][0]
    assert sum(x["value"] for x in found.values() if isinstance(x, dict)) == pytest.approx(1, abs=1e-9)
    assert "subsets of references, the best first" in out
    assert (tmp_path / "lcf.png").is_file()


def test_lcf_mistakes(iron: dict[str, Path], data_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manganese = data_root / "standards" / "Mn_xdi" / "MnO_rt_01.xdi"
    argv = ["lcf", iron["Fe3O4"], "--ref"]
    _, _, err = run(capsys, *argv, manganese, "--energy-range", "7100,7160")
    assert "reference MnO is Mn K, the spectra are Fe K; leave it out" in err
    _, _, err = run(capsys, *argv, iron["FeO"], "--energy-range=-20,50")
    assert "choose a wider range, in eV and not from E0" in err
    _, _, err = run(capsys, "lcf", iron["Fe3O4"], "--energy-range", "7100,7160")
    assert "lcf needs --ref" in err


# ------------------------------------------------------------------------------------------- components


def test_components_prints_pca_and_mcr(
    iron: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["components", *iron.values(), "--energy-range", "7100,7200", "-n", "2", "--target", iron["FeO"]]
    code, out, _ = run(capsys, *argv, "--output", tmp_path)
    assert code == 0
    for said in ("Eigenvalue", "IND is least at", "SPOIL", "MCR-ALS", "Lack of fit", "c2 high"):
        assert said in out
    assert {p.name for p in tmp_path.glob("*.csv")} == {"pca.csv", "mcr.csv"}


def test_components_mistakes(iron: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    span = ["--energy-range", "7100,7200"]
    _, _, err = run(capsys, "components", iron["FeO"], *span)
    assert "too few for principal components; give three or more" in err
    _, _, err = run(capsys, "components", *iron.values(), *span, "-n", "9")
    assert "9 components of 4 spectra; choose 2 to 3" in err
    _, _, err = run(capsys, "components", *iron.values(), *span, "-n", "2", "--start", "luck")
    assert "start = 'luck' is unknown; choose efa or purest" in err


# ------------------------------------------------------------------------------------------------ peaks


def test_peaks_of_a_pre_edge(
    iron: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Haematite's pre-edge centroid stands 0.2-3 eV above the metal's edge at 7112 eV, as everybody finds it."""
    argv = [
        "peaks",
        iron["Fe2O3"],
        "--peak",
        "7113",
        "--peak",
        "7115",
        "--energy-range",
        "7105,7120",
        "--step",
        "7121",
    ]
    code, out, _ = run(capsys, *argv, "--output", tmp_path)
    assert code == 0
    assert "centroid" in out
    rows = {r["quantity"]: r["value"] for r in documents(capsys, *argv)[0]["rows"]}
    assert 7112.2 < rows["centroid"]["value"] < 7115
    assert (tmp_path / "peaks_1.png").is_file()


def test_a_peak_outside_the_span(iron: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "peaks", iron["Fe2O3"], "--peak", "8000", "--energy-range", "7105,7120")
    assert code == 1
    assert "a peak at 8000 eV lies outside 7105 to 7120 eV" in err


# ------------------------------------------------------------------------------------------------ dband


@pytest.mark.parametrize("delimiter", [" ", ",", "\t", ";"])
def test_dband_of_a_known_band(delimiter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Columns however they are separated, with a line of labels; the Fermi level 0.37 eV off."""
    file = tmp_path / "band.txt"
    header = delimiter.join(("energy", "counts"))
    np.savetxt(file, np.c_[BINDING + 0.37, band()], delimiter=delimiter, header=header, comments="")
    code, out, _ = run(capsys, "dband", file, "--fermi", "0.37", "--output", tmp_path)
    assert code == 0
    assert "Fermi level given as 0.37 eV as recorded" in out
    centre = documents(capsys, "dband", file, "--fermi", "0.37")[0]["rows"][0]["centre"]
    assert centre["value"] == pytest.approx(CENTRE, abs=4 * centre["stderr"] + 0.02)
    assert (tmp_path / "dband.png").stat().st_size > 10_000
    assert (tmp_path / "dband.csv").is_file()


def test_dband_fits_the_fermi_edge_or_says_what_it_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "metal.txt"
    edge = 300 / (1 + np.exp(-BINDING / 0.1))
    np.savetxt(file, np.c_[BINDING + 0.2, band() + edge])
    _, out, _ = run(capsys, "dband", file, "--fit-fermi=-0.5,0.7")
    assert float(out.split("Fermi level ")[1].split("(")[0]) == pytest.approx(0.2, abs=0.03)
    _, out, _ = run(capsys, "dband", file)
    assert "Fermi level taken to be 0 eV as recorded" in out


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--cut", "10"], "'--cut': '10' is no range"),
        (["--cut=-2,30"], "does not lie within the data"),
        (["--fit-fermi=8,10"], "no Fermi edge rises between 8 and 10 eV"),
        (["--fermi", "0.1", "--fit-fermi=-1,1"], "--fermi and --fit-fermi exclude each other"),
    ],
)
def test_dband_mistakes(
    more: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "band.txt"
    np.savetxt(file, np.c_[BINDING, band()])
    code, _, err = run(capsys, "dband", file, *more)
    assert code == 1
    assert sentence in err


def test_dband_of_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("hello\n")
    np.savetxt(tmp_path / "b.txt", BINDING)
    for name in ("a.txt", "b.txt"):
        code, _, err = run(capsys, "dband", tmp_path / name)
        assert code == 1
        assert "no table of numbers" in err


# ---------------------------------------------------------------------------------------------- valence


def test_valence_of_closure_needs_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "valence", fits_dir() / "valence" / "ccro_co.toml", "--output", tmp_path)
    assert code == 0
    assert "[closure]" in out
    assert "Fieller" in out
    assert (tmp_path / "ccro_co_edges.csv").is_file()


def test_valence_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XASUITE_DATA", raising=False)
    _, _, err = run(capsys, "valence", "no.toml")
    assert "there is no such spec" in err
    _, _, err = run(capsys, "valence", fits_dir() / "foils" / "co_foil.toml")
    assert "[calibration] is missing; this is the spec of a fit: run it with xasuite fit" in err
    _, _, err = run(capsys, "valence", fits_dir() / "valence" / "fe.toml")
    assert "name the folder of measured spectra with --data-root or XASUITE_DATA" in err


def test_a_stated_slope_is_printed_with_what_tests_it(
    data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "valence", fits_dir() / "valence" / "co.toml", "--data-root", data_root)
    assert "slope stated, 3.9(0.6) eV" in out
    assert "no standard here tests it" in out
    assert "no residual degree of freedom, an interval would be useless" in out


# ------------------------------------------------------------------------------------------- modulation


@pytest.fixture(scope="module")
def stimulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stacked array of 60 spectra in 5 periods of 60 s: a white line of 0.3 that grows and falls by 0.05, 10 s late."""
    import h5py

    energy = np.concatenate(
        [np.arange(8800, 8960, 5.0), np.arange(8960, 9040, 0.5), np.arange(9040, 9500, 4.0)]
    )
    t = 5.0 * np.arange(60)
    size = 0.3 + 0.05 * np.sin(2 * np.pi * (t - 10) / 60)
    line = np.exp(-(((energy - 8990) / 4) ** 2))
    mu = 0.5 + np.arctan((energy - 8979) / 1.5) / np.pi + np.outer(size, line)
    path = tmp_path_factory.mktemp("modulation") / "stack.h5"
    with h5py.File(path, "w") as file:
        file["run/energy"], file["run/t"] = energy, t
        file["run/mu"] = mu + 2e-4 * np.random.default_rng(0).standard_normal(mu.shape)
    return path


def test_modulation_of_a_stack(stimulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--period", "60", "--range", "8970,9020")
    (told,) = documents(capsys, "modulation", stimulated, "--time", "t", *options)
    (every,) = documents(capsys, "modulation", stimulated, "--every", "5", *options)
    assert told["rows"] == every["rows"]
    top = max(told["rows"], key=lambda row: row["amplitude"]["value"])
    assert top["energy"] == pytest.approx(8990, abs=1)
    # of an arctan the polynomials find a step of 0.978: the amplitude is that much larger
    assert top["amplitude"]["value"] == pytest.approx(0.05 / 0.978, abs=4 * top["amplitude"]["stderr"])
    assert top["delay"]["value"] == pytest.approx(10, abs=4 * top["delay"]["stderr"])
    code, out, _ = run(capsys, "modulation", stimulated, "--time", "t", *options, "-o", tmp_path)
    assert code == 0
    assert "5 of 60 s from 0 s on, 60 rows" in out
    assert {p.name for p in tmp_path.iterdir()} == {"modulation.csv", "modulation.png", "modulation.pdf"}
    assert (
        (tmp_path / "modulation.csv").read_text().startswith("harmonic,energy,amplitude,amplitude_err,phase,")
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "scans need their times: --every SECONDS, or --time FIELD of their headers"),
        (("--time", "clock"), "its header has no 'clock'"),
        (("--every", "5", "--kind", "norm"), "--kind is xanes or chi, not 'norm'"),
        (
            ("--every", "5", "--harmonics", "one"),
            "--harmonics takes whole numbers with commas between, not 'one'",
        ),
        (("--every", "50"), "has 2 rows: harmonic 1 needs 3 or more"),
    ],
)
def test_modulation_says_what_is_missing(
    stimulated: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "modulation", stimulated, "--period", "60", *options)
    assert code == 1
    assert said in err
