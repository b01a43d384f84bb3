"""The Python surface: reading several files, merging, plotting, and fits from records and keywords as specs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.cli import main
from xasuite.errors import DataError, RangeError, ReadError, SpecError
from xasuite.specs import parse_spec

# The truth of the simulated foil and of the oxide
S02, SIGMA2, N_O = 0.85, 8e-3, 6.0


@pytest.fixture(scope="module")
def foil() -> xs.Spectrum:
    """A copper foil: every single-scattering path to 6 A."""
    paths = [p for p in xs.find_paths("Cu", absorber="Cu") if p.nleg == 2]
    truth = [xs.simulate.TruthPath(p, n=p.degen, s02=S02, sigma2=SIGMA2 * p.reff / 2.55) for p in paths]
    return replace(xs.simulate.spectrum(truth, element="Cu", noise=2e-4, seed=2).spectrum, label="Cu foil")


@pytest.fixture(scope="module")
def scans(foil: xs.Spectrum, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven noisy scans of it on disk, the energies of the last two off."""
    folder, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(4)
    for i in range(1, 12):
        by = {10: 0.4, 11: -0.3}.get(i, 0.0)
        noisy = replace(foil, mu=foil.mu + 1e-4 * rng.standard_normal(foil.mu.size), energy=foil.energy + by)
        xs.write(folder / f"scan_{i}.xdi", replace(noisy, label=f"scan {i}"))
    return folder


def numbers(result: xs.workflow.SpecResult) -> dict[str, tuple[float, float]]:
    return {p.name: (p.value.value, p.value.stderr) for p in result.rows[0].parameters}


def test_read_takes_patterns_and_lists(scans: Path) -> None:
    found = xs.read(str(scans / "scan_*.xdi"))
    assert [Path(s.source.path).name for s in found] == [f"scan_{i}.xdi" for i in range(1, 12)]
    assert [s.label for s in xs.read([scans / "scan_2.xdi", str(scans / "scan_1*.xdi")])] == [
        "scan 2", "scan 1", "scan 10", "scan 11"
    ]  # fmt: skip
    assert xs.read(scans / "scan_3.xdi").label == "scan 3"
    with pytest.raises(ReadError, match=r"no file .*\*\.dat"):
        xs.read(str(scans / "*.dat"))


def test_merge_takes_scans_and_aligns_them(scans: Path) -> None:
    found = xs.read([str(scans / "scan_1.xdi"), str(scans / "scan_10.xdi"), str(scans / "scan_11.xdi")])
    merged = xs.merge(found, align="mu", label="all")
    # each shift comes with a standard error of a few meV at this noise
    assert merged.history[-1].settings["shifts"] == pytest.approx((0.0, -0.4, 0.3), abs=0.02)
    assert merged.label == "all"


def test_what_is_fitted_from_records_is_a_spec(foil: xs.Spectrum, tmp_path: Path) -> None:
    """A spectrum in memory is written beside the spec; what the file gives is what the record gave."""
    result = xs.fit(foil, crystal="Cu", shells=1, k=(3, 12), r=(1.4, 2.8))
    value, error = numbers(result)["s02"]
    assert abs(value - S02) < 3 * error
    assert result.kinds == {"Cu foil": "closure"}
    path = xs.save_spec(result.spec, tmp_path / "cu.toml")
    again = xs.fit(path)
    for name, (value, error) in numbers(result).items():
        assert numbers(again)[name] == pytest.approx((value, error), rel=1e-7, abs=1e-9), name
    assert parse_spec(path.read_text()).spec.fit == result.spec.fit


def test_records_that_were_reduced_keep_their_reduction(scans: Path) -> None:
    scan = xs.read(scans / "scan_1.xdi")
    chi = xs.background(
        xs.normalize(scan.mu(), e0=8980.0, norm_range=(60, 700), nnorm=1), rbkg=1.1, kweight=1
    )
    result = xs.fit(chi, crystal="Cu", k=(3, 11), r=(1.4, 2.8), kweight=[1, 2])
    reduce = result.spec.reduce
    assert (reduce.norm_range, reduce.nnorm, reduce.rbkg, reduce.bkg_kweight) == ((60, 700), 1, 1.1, 1)
    assert result.spec.data[0].e0 == 8980.0
    assert result.spec.data[0].file == str((scans / "scan_1.xdi").resolve())
    again = xs.fit(parse_spec(result.spec.to_toml()))
    assert numbers(again) == numbers(result)


def test_a_foil_result_gives_s02_with_its_error(foil: xs.Spectrum) -> None:
    result = xs.fit(foil, crystal="Cu", shells=1, k=(3, 12), r=(1.4, 2.8))
    spec = xs.spec(foil, crystal="Cu", shells=1, k=(3, 12), r=(1.4, 2.8), s02=result)
    value, error = numbers(result)["s02"]
    assert (spec.params["s02"].value, spec.params["s02"].stderr) == (value, error)
    assert spec.params["n_cu"].guess == 12
    shorter = spec.replace(fit={"k": (3, 11)}, params={"ss_1": {"max": 0.02}})
    assert shorter.fit.k == (3, 11)
    assert parse_spec(shorter.to_toml()).spec.params == shorter.params
    fitted = xs.fit(shorter)  # the record goes with the changed spec
    n = fitted.rows[0].paths[0].n
    assert abs(n.value - 12) < 3 * n.stderr


@pytest.mark.parametrize(
    ("data", "keywords", "message"),
    [
        ("spectrum", {}, 'data need a crystal to be fitted: xs.fit(data, crystal="CoO"'),
        ("spectrum", {"crystal": "Cu", "s02": "much"}, "much: there is no such spec"),
        ("spectrum", {"crystal": "Cu", "s02": (0.8, 0.1, 3)}, "is no number, no (value, error) and no foil's fit"),
        ("spectrum", {"crystal": "Cu", "k": (3, 11), "fit": {"kwieght": 3}}, 'kwieght: no such key; did you mean "kweight"?'),
        ("chi", {"crystal": "Cu"}, "holds no mu(E)"),
        ("spec", {"crystal": "Cu"}, "a spec takes no crystal; change it with spec.replace"),
    ],
)  # fmt: skip
def test_mistakes(foil: xs.Spectrum, data: str, keywords: dict, message: str) -> None:
    given = {
        "spectrum": lambda: foil,
        "chi": lambda: xs.Chi(k=np.arange(0, 12, 0.05), chi=np.zeros(240), e0=8979.0, edge_step=1.0),
        "spec": lambda: xs.spec(foil, crystal="Cu", k=(3, 11), r=(1.4, 2.8)),
    }[data]()
    with pytest.raises(SpecError) as caught:
        xs.fit(given, **keywords)
    assert message in str(caught.value)


def test_scans_merged_by_a_spec_are_those_merged_by_hand(scans: Path, tmp_path: Path) -> None:
    names = [str(scans / f"scan_{i}.xdi") for i in (1, 10, 11)]
    spec = xs.spec(names[0], crystal="Cu", shells=1, k=(3, 11), r=(1.4, 2.8))
    table = {"label": "merged", "files": names, "align": "mu"}
    by_spec = xs.fit(spec.replace(data=[table]))
    merged = replace(xs.merge(xs.read(names), align="mu"), label="merged")
    by_hand = xs.fit(merged, crystal="Cu", shells=1, k=(3, 11), r=(1.4, 2.8))
    for name, found in numbers(by_hand).items():
        assert numbers(by_spec)[name] == pytest.approx(found), name


def test_a_result_is_a_dataframe_and_a_dataset(foil: xs.Spectrum) -> None:
    result = xs.fit(foil, crystal="Cu", shells=2, k=(3, 11), r=(1.4, 3.8))
    for made in (result, result.rows[0]):
        frame = made.to_dataframe()
        assert list(frame["path"]) == [p.label for p in result.rows[0].paths]
        assert list(frame["r"]) == [p.r.value for p in result.rows[0].paths]
        assert list(frame["r_err"]) == [p.r.stderr for p in result.rows[0].paths]
        pytest.importorskip("xarray", reason="needs the extra xasuite[xarray]")
        dataset = made.to_xarray()
        assert dataset["r"].dims == dataset["path"].dims == ("row",)
        assert list(dataset["path"].values) == list(frame["path"]), "text is a coordinate"
        assert "path" in dataset.coords
        np.testing.assert_array_equal(dataset["r_err"], frame["r_err"])
        assert dataset["r"].attrs["units"] == dataset["r_err"].attrs["units"] == frame.attrs["units"]["r"]


def test_overlays_and_the_plot_of_a_record(foil: xs.Spectrum) -> None:
    import matplotlib.pyplot as plt

    norms = [replace(xs.normalize(foil), label=name) for name in "abc"]
    figure, ax = plt.subplots()
    assert xs.plot(norms, kind="flat", ax=ax, offset=0.5) is figure
    assert [line.get_label() for line in ax.lines] == ["a", "b", "c"]
    shift = ax.lines[1].get_ydata() - ax.lines[0].get_ydata()
    assert np.allclose(shift, 0.5)
    assert norms[0].plot(kind="norm").axes[0].get_xlabel() == "Energy (eV)"
    assert len(norms[0].plot().axes) > 1, "without a kind it is the record's own figure"
    with pytest.raises(DataError, match="a Normalized has no chi; it has mu, norm, flat, derivative"):
        xs.plot(norms, kind="chi")
    plt.close("all")


def test_merge_and_plot_in_the_shell(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "merged.xdi"
    for argv in (
        ["merge", str(scans / "scan_1*.xdi"), "--align", "mu", "-o", str(out)],
        ["plot", str(out), str(scans / "scan_2.xdi"), "--kind", "chi", "-o", str(tmp_path / "over")],
    ):
        with pytest.raises(SystemExit) as stop:
            main(argv)
        assert not stop.value.code
    said = capsys.readouterr().out
    assert "scan 10: shifted by -0.4" in said
    assert (tmp_path / "over.png").is_file()
    assert xs.read(out).element == "Cu"


def test_tab_completion_lists_the_public_names() -> None:
    for room in (
        "xanes",
        "exafs",
        "reduce",
        "io",
        "feff",
        "simulate",
        "theory",
        "specs",
        "workflow",
        "report",
    ):
        module = getattr(xs, room)
        assert set(module.__all__) <= set(dir(module)), room
    assert "edge_energy" in dir(xs.xanes)


def test_a_range_that_ends_at_a_rounded_number_is_accepted(foil: xs.Spectrum) -> None:
    """18.06 for data to 18.0599 is their end; a grid step (0.05 1/A) more is not."""
    end = float(xs.background(xs.normalize(foil), rbkg=1.0, kweight=2).k[-1])
    at_end = xs.fit(foil, crystal="Cu", shells=1, k=(3, end), r=(1.4, 2.8))
    rounded = xs.fit(foil, crystal="Cu", shells=1, k=(3, end + 0.01), r=(1.4, 2.8))
    value, error = numbers(at_end)["s02"]
    assert numbers(rounded)["s02"][0] == pytest.approx(value, abs=0.1 * error)
    with pytest.raises(RangeError, match="goes beyond the data"):
        xs.fit(foil, crystal="Cu", shells=1, k=(3, end + 0.2), r=(1.4, 2.8))


def test_a_correction_of_over_absorption_goes_into_the_spec(foil: xs.Spectrum) -> None:
    geometry = xs.reduce.Geometry("Cu", angle_in=45.0, angle_out=45.0, thickness=4.0, density=8.96)
    chi = xs.reduce.correct_overabsorption(xs.background(xs.normalize(foil), rbkg=1.0, kweight=2), geometry)
    result = xs.fit(chi, crystal="Cu", shells=1, k=(3, 11), r=(1.4, 2.8))
    table = result.spec.reduce.overabsorption
    assert table is not None
    assert (table.formula, table.thickness, table.density) == ("Cu", 4.0, 8.96)


def test_a_result_is_short_in_a_list(foil: xs.Spectrum) -> None:
    result = xs.fit(foil, crystal="Cu", shells=1, k=(3, 12), r=(1.4, 2.8))
    assert "array" not in repr([result, result.rows[0]])
    assert len(repr(result)) < 200
    assert "2 paths" not in repr(result.rows[0])
    assert "1 paths" in repr(result.rows[0])
    assert len(repr(result.rows[0])) < 400


def test_plot_writes_the_file_that_is_named(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["plot", str(scans / "scan_1.xdi"), "-o", str(tmp_path / "one.png")])
    assert not stop.value.code
    assert [p.name for p in tmp_path.iterdir()] == ["one.png"]
