"""Where scans, times and log values come from, alignment, averages, HDF5 stacks, and a spec's mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xasuite._series import series
from xasuite._series.hold import weighted_mean
from xasuite._series.prepare import prepare
from xasuite._series.quality import flat_tops, i0_name, long_runs
from xasuite._series.reduction import reduced
from xasuite.errors import ReadError, SeriesError, SpecError
from xasuite.io.logs import join_log, read_log
from xasuite.io.sources import Entry, find_entries, find_files, find_scans, natural, read_scans
from xasuite.specs import SeriesSpec, load_spec, parse_spec

from .conftest import E0, SPEC, scan_of

NIO = r"series/NiO_drift/NiO.prj::^NiO\.\d+$"
H5 = "series/SnO2_TPR/SnO2_TPR_50_raw.h5"


def spec_text(more="", files='["scans/*.txt"]'):
    return SPEC.format(chunk=5, more=more).replace('["scans/*.txt"]', files)


# --------------------------------------------------------------------------------------------- entries


def test_natural_order(tmp_path):
    for i in (10, 9, 1, 100):
        (tmp_path / f"scan_{i}.txt").write_text("x")
    found = find_files(["scan_*.txt"], [tmp_path])
    assert [p.stem for p in found] == ["scan_1", "scan_9", "scan_10", "scan_100"]
    assert natural("a2b10") < natural("a2b11") < natural("a10b1")


def test_no_file_names_the_places(tmp_path):
    with pytest.raises(ReadError, match=r"no file \*\.xdi in .*; name the folder of measured spectra"):
        find_files(["*.xdi"], [tmp_path])


def test_groups_of_hdf5(data_root):
    entries = find_entries([data_root / H5])
    assert len(entries) == 50
    assert [e.label[-8:-4] for e in entries[:2]] == ["0001", "0002"]
    scan = read_scans(entries[24:25])[0]
    # the same scan as the beamline's own text file, kept beside the HDF5 file
    text = read_scans([Entry(str(next((data_root / "series/SnO2_TPR/raw").glob("*_0025.txt"))), "file")])[0]
    assert scan.energy.size == text.energy.size
    np.testing.assert_allclose(scan.mu().mu, text.mu().mu, atol=1e-6)  # float32 in the HDF5 file


def test_an_athena_project(data_root):
    """Its references and merges are groups too: a pattern behind :: takes the scans."""
    entries = find_scans([NIO], [data_root])
    assert [e.label for e in entries] == [f"NiO.{i:03d}" for i in (0, 1, 2, 3, 4, 6, 7, 8, 9, 10)]
    assert all(s.element == "Ni" for s in read_scans(entries))
    with pytest.raises(SeriesError, match=r"no group matches '\^CoO'; there are NiO.000"):
        find_scans(["series/NiO_drift/NiO.prj::^CoO"], [data_root])


def stack_file(path: Path, co_o, n=9) -> Path:
    import h5py

    scans = [scan_of(co_o, i) for i in range(n)]
    with h5py.File(path, "w") as handle:
        group = handle.create_group("run7")
        text = [np.loadtxt(s.text().splitlines()).T for s in scans]  # the digits that the text files keep
        group["energy"] = text[0][0]
        group["mu"] = np.stack([np.log(i0 / it) for _, i0, it in text])
        group["seconds"] = 360.0 * np.arange(n)
        group["potential"] = -0.01 * np.arange(n)
    return path


def test_a_stacked_array_gives_what_its_scans_give(co_o, make_series, tmp_path):
    """The same nine scans as files of text and as one array (m, n)."""
    stack_file(tmp_path / "run.h5", co_o)
    (tmp_path / "grow.toml").write_text(
        spec_text(files='["run.h5"]')
        .replace('mu = "ln(i0/it)"\n', "")
        .replace('time = { every = 6, unit = "min" }', 'time = { dataset = "seconds" }')
    )
    stacked = series(tmp_path / "grow.toml", output=tmp_path / "a").table
    plain = series(make_series(9), output=tmp_path / "b").table
    assert list(stacked["potential"]) == pytest.approx(list(-0.01 * np.arange(9)))
    assert list(stacked["time"]) == list(plain["time"])
    np.testing.assert_allclose(stacked["Co-O.r"], plain["Co-O.r"], atol=1e-9)


def test_a_stack_is_read_chunk_by_chunk(co_o, tmp_path, monkeypatch):
    """Memory is bounded by the chunk: no read asks for more rows than it has, but for the sample of the budget."""
    from xasuite._series import ingest

    stack_file(tmp_path / "run.h5", co_o)
    (tmp_path / "grow.toml").write_text(
        spec_text("audit = 0.0", '["run.h5"]').replace('mu = "ln(i0/it)"\n', "")
    )
    asked = tmp_path / "asked"  # a file: chunks are read in a process of their own
    original = ingest.read_stack

    def read(stack, rows):
        with open(asked, "a") as file:
            print(len(rows), file=file)
        return original(stack, rows)

    monkeypatch.setattr(ingest, "read_stack", read)
    series(tmp_path / "grow.toml", output=tmp_path)
    # of nine rows all are the budget's sample, which never has more than 129
    assert asked.read_text().split() == ["5", "4", "9"]


# --------------------------------------------------------------------------------------------- time and logs


def test_logs_are_joined_as_another_program_joins_them(data_root):
    """catXAS, which measured this series, wrote its own correlation table of all scans with both logs."""
    spec = Path(__file__).parents[2] / "fits/sno2/tpr.toml"
    loaded = load_spec(spec, SeriesSpec)
    entries = find_entries([data_root / H5])
    from xasuite._series.ingest import scan_time

    scans = read_scans(entries)
    time = loaded.spec.series.time
    times = np.array(
        [scan_time(time, e, i, s.meta) for i, (e, s) in enumerate(zip(entries, scans, strict=True))]
    )
    theirs = pd.read_csv(data_root / "series/SnO2_TPR/catxas_results/SnO2_TPR_Process_Correlation.csv")
    np.testing.assert_allclose(times - times[0], theirs["TOS [s]"], atol=0.5)
    for log, ours, column in ((0, "T", "TR1 T"), (1, "H2O", "H2O"), (1, "H2", "H2")):
        how = loaded.spec.series.log[log].model_dump(exclude={"file", "max_gap", "units"})
        log_times, values = read_log(loaded.spec.series.log[log].file, [data_root], **how)
        name = next(c for c in theirs.columns if c.startswith(column))
        joined = join_log(times, log_times, values[ours], 600.0)
        np.testing.assert_allclose(joined, theirs[name], rtol=1e-6)


def test_a_hole_in_a_log_gives_no_value():
    times, values = np.array([0.0, 10.0, 100.0, 110.0]), np.array([0.0, 1.0, 2.0, 3.0])
    got = join_log(np.array([-1.0, 5.0, 50.0, 105.0, 111.0]), times, values, max_gap=20.0)
    np.testing.assert_array_equal(got, [np.nan, 0.5, np.nan, 2.5, np.nan])


def test_a_log_without_the_column(tmp_path):
    (tmp_path / "log.csv").write_text("t,T1,T2\n0,1,2\n10,3,4\n")
    with pytest.raises(ReadError, match="'T' names 2 columns of the log; there are T1, T2"):
        read_log("log.csv", [tmp_path], time="t", columns={"T": "T"})
    with pytest.raises(ReadError, match="no line of it names a column 'clock'"):
        read_log("log.csv", [tmp_path], time="clock", columns={"T": "T1"})


def test_time_and_columns_from_names(co_o, tmp_path):
    from .damage import write_scan

    for i, (minute, volt) in enumerate(((0, -0.1), (7, -0.2), (30, -0.3))):
        write_scan(tmp_path / "scans" / f"co_{minute}min_{volt}V.txt", scan_of(co_o, i))
    (tmp_path / "grow.toml").write_text(
        spec_text('names = "_(?P<potential>-[0-9.]+)V"').replace(
            'time = { every = 6, unit = "min" }', 'time = { name = "co_(?P<time>[0-9]+)min", unit = "min" }'
        )
    )
    table = series(tmp_path / "grow.toml", output=tmp_path).table
    assert list(table["time"]) == [0.0, 420.0, 1800.0]
    assert list(table["potential"]) == [-0.1, -0.2, -0.3]


def test_a_header_without_the_time(make_series):
    spec = make_series(3)
    spec.write_text(spec.read_text().replace('{ every = 6, unit = "min" }', '{ header = "Date" }'))
    with pytest.raises(SeriesError, match="its header has no 'Date'"):
        series(spec, output=spec.parent)


# --------------------------------------------------------------------------------------------- alignment, averages


def test_alignment_undoes_a_drift_of_the_scale(co_o, tmp_path):
    """Scans whose energies were moved by known amounts come back, each to 0.03 eV, by their reference foil."""
    drift = np.array([0.0, 0.4, -0.7, 1.1, 2.5])
    (tmp_path / "scans").mkdir()
    for i, by in enumerate(drift):
        s = scan_of(co_o, i)
        foil = s.it * np.exp(-(0.2 + 0.8 * (0.5 + np.arctan((s.energy - E0) / 1.2) / np.pi)))
        rows = np.column_stack([s.energy + by, s.i0, s.it, foil])
        np.savetxt(tmp_path / "scans" / f"s{i}.txt", rows, header="energy i0 it iref")
    (tmp_path / "grow.toml").write_text(
        spec_text('reference = "ln(it/iref)"\nalign = { to = 1, max_shift = 5 }').replace(
            "e0 = 7709.0\n", "e0 = 7709.0\n"
        )
    )
    table = series(tmp_path / "grow.toml", output=tmp_path).table
    np.testing.assert_allclose(table["shift"], -drift, atol=0.03)
    # with the scale right, R grows as it was made to: 2 mA a scan
    np.testing.assert_allclose(np.diff(table["Co-O.r"]), 2e-3, atol=1.5e-3)


def test_measured_scans_whose_scale_drifts(data_root, tmp_path):
    """Ten NiO scans of one sample drift by 4-6 eV; laid on the first by their Ni foil, their own edges agree.

    To 0.1 eV (standard deviation): the sample's E(0.5) moves with its normalisation too, the foils do not.
    """
    text = spec_text("align = { to = 1 }", f"['{NIO}']").replace('mu = "ln(i0/it)"\n', "")
    text = (
        text.replace('element = "Co"', 'element = "Ni"')
        .replace("e0 = 7709.0\n", "")
        .replace('"CoO"', '"NiO"')
    )
    text = text.replace("k = [3.0, 11.0]", "k = [3.0, 9.0]").replace(
        "norm_range = [150, 690]", "norm_range = [60, 500]"
    )
    (tmp_path / "nio.toml").write_text(text)
    run = series(tmp_path / "nio.toml", data_root=data_root, output=tmp_path)
    table = run.table
    assert np.ptp(table["E(0.5)"] - table["shift"]) > 4
    assert np.std(table["E(0.5)"]) < 0.1
    assert (table["shift_err"] < 0.02).all()


def test_averaging_halves_the_noise(make_series):
    """Four scans of independent noise: the propagated noise halves, and so does what chi(k) shows."""
    one = prepare(load_spec(make_series(8), SeriesSpec))
    four = prepare(load_spec(make_series(8, more='average = { kind = "block", n = 4 }'), SeriesSpec))
    assert len(four) == 2
    single, mean = reduced(one, 0, 8), reduced(four, 0, 2)
    assert mean.table["noise"].mean() / single.table["noise"].mean() == pytest.approx(0.5, abs=0.02)
    assert mean.data.epsilon_k.mean() / single.data.epsilon_k.mean() == pytest.approx(0.5, abs=0.12)


def test_running_averages_cross_chunks(make_series):
    """A window of three over eight scans: six rows, each the mean of its own three whatever the chunk."""
    plan = prepare(
        load_spec(make_series(8, chunk=2, more='average = { kind = "running", n = 3 }'), SeriesSpec)
    )
    single = prepare(load_spec(make_series(8), SeriesSpec))
    assert list(plan.scans_of(np.array([3]))) == [3, 4, 5]
    from xasuite._series.ingest import ingest

    mu = ingest(single, np.arange(0, 8)).data.mu
    np.testing.assert_allclose(ingest(plan, np.arange(2, 4)).data.mu[1], mu[3:6].mean(axis=0), rtol=1e-12)


def test_a_bad_scan_is_left_out_of_an_average(make_series):
    plan = prepare(load_spec(make_series(4, {1: "drowned"}, more="average = { n = 4 }"), SeriesSpec))
    row = reduced(plan, 0, 1)
    assert row.table["averaged"][0] == 3
    assert row.reason[0] == "without scan_2.txt"


def test_usable_k_shortens_a_noisy_row(make_series):
    """With kmax = "noise" a row is fitted up to its own usable k in whole steps."""
    table = series(make_series(3, more='kmax = "noise"\nkmax_step = 0.5'), output=make_series(1).parent).table
    expected = np.minimum(np.floor(table["usable_k"] / 0.5 + 1e-9) * 0.5, 11.0)
    np.testing.assert_allclose(table["kmax"], expected)


# --------------------------------------------------------------------------------------------- small pieces


def test_weighted_mean_is_widened_by_scatter():
    mean, err = weighted_mean(np.array([1.0, 1.0]), np.array([0.1, 0.1]))
    assert (mean, err) == (1.0, pytest.approx(0.1 / np.sqrt(2)))
    mean, err = weighted_mean(np.array([0.0, 1.0]), np.array([0.1, 0.1]))
    # Birge's ratio: chi2/dof = 2 (0.5/0.1)^2 = 50
    assert err == pytest.approx(0.1 / np.sqrt(2) * np.sqrt(50))


def test_pieces():
    flags = np.array([[False, True, True, False, True], [False] * 5])
    assert long_runs(flags, 2) == {0: (1, 2)}
    assert long_runs(flags, 3) == {}
    assert flat_tops(np.array([[1.0, 3, 3, 3, 2], [1.0] * 5]), 3) == {0: (1, 3)}
    assert i0_name("ln(I0/It)", ["I0", "It"]) == "I0"
    assert i0_name("ifluor/mon", ["ifluor", "mon"]) == "mon"
    assert i0_name("ln(a/b)", ["a", "b"]) == "a"
    assert i0_name("mu", ["mu"]) == ""


# --------------------------------------------------------------------------------------------- mistakes


def test_every_mistake_at_once():
    text = spec_text('chnk = 3\nalign = { to = 0 }\ntimeline = { smooth = { dr_o = "cv" } }')
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "grow.toml", SeriesSpec)
    assert caught.value.mistakes == [
        'grow.toml:15: [series]: chnk: no such key; did you mean "chunk"?',
        "grow.toml:16: [series]: align: to: found 0; must be at least 1",
        "grow.toml:17: [series]: timeline: smooth: dr_o: found 'cv'; needs a strength above 0, or \"auto\" for cross-validation",
    ]


def test_names_that_are_no_parameters():
    text = spec_text('hold = { enott = { rows = [1, 3] } }\ntimeline = { shared = ["s02"] }')
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "grow.toml", SeriesSpec)
    assert caught.value.mistakes == [
        'grow.toml:15: [series]: hold: enott is no varied parameter; did you mean "enot"?',
        "grow.toml:16: [series]: timeline: shared: s02 is no varied parameter; there are dr_o, enot, n_o, ss_o",
    ]


def test_a_fit_spec_is_no_series():
    with pytest.raises(SpecError, match=r"co_foil.toml:1: \[series\] is missing.*run it with xasuite fit"):
        load_spec(Path(__file__).parents[2] / "fits/foils/co_foil.toml", SeriesSpec)


def test_data_that_end_too_soon(make_series):
    spec = make_series(2)
    spec.write_text(spec.read_text().replace("k = [3.0, 11.0]", "k = [3.0, 16.0]"))
    with pytest.raises(SeriesError, match=r"it ends at k = 13\.\d 1/A and \[fit\] k goes to 16"):
        prepare(load_spec(spec, SeriesSpec))


# ------------------------------------------------------------------------------------------- dispersive


def test_a_dispersive_series_is_calibrated_and_treated_as_any(co_o, make_series):
    """Scans on pixels give the distances of the same scans on energies, within the stated error of the calibration."""
    truth = (7570.0, 0.42, 4e-5)
    pixel = np.arange(1500.0)
    energy = np.polynomial.polynomial.polyval(pixel, truth)

    def on_pixels(i):
        scan = scan_of(co_o, i, noise=0)
        noise = np.exp(2e-4 * np.random.default_rng(i).normal(size=pixel.size))
        it = np.interp(energy, scan.energy, scan.it / scan.i0) * 1e6 * noise
        return replace(scan, energy=pixel, i0=np.full(pixel.size, 1e6), it=it)

    table = '[series.calibration]\nfile = "foil_pixels.txt"\nreference = "foil.txt"\n'
    spec = make_series(3, more=table, scan=on_pixels)
    for name, scan in (("foil_pixels.txt", on_pixels(50)), ("foil.txt", scan_of(co_o, 50, noise=0))):
        (spec.parent / name).write_text(scan.text().replace("energy", "pixel" if "pix" in name else "energy"))
    plan = prepare(load_spec(spec, SeriesSpec))
    assert "pixels calibrated by foil_pixels.txt against foil.txt: E = " in plan.warnings[0]
    assert "rms error" in plan.warnings[0]
    fit = slice(0, 3)
    run = series(spec)
    plain = series(make_series(3))
    for name in ("Co-O.r", "n_o"):
        off = (run.table[name] - plain.table[name])[fit]
        assert (off.abs() < run.table[f"{name}_err"]).all(), name
    # without the table the reader says what to do
    bare = make_series(2, scan=on_pixels)
    with pytest.raises(
        SeriesError, match=r"a dispersive series is calibrated against a foil by \[series.calibration\]"
    ):
        prepare(load_spec(bare, SeriesSpec))
    known = make_series(2, more=f"[series.calibration]\ncoefficients = {list(truth)}\n", scan=on_pixels)
    assert prepare(load_spec(known, SeriesSpec)).energy[0] == pytest.approx(7570.0)


def test_columns_that_no_name_tells_are_said_in_the_spec(co_o, make_series):
    """i0, energy and units in [series] as on the command line."""

    def odd(i):
        scan = scan_of(co_o, i)
        return replace(scan, energy=scan.energy / 1000)

    keys = 'i0 = "mon_a"\nenergy = "pos"\nunits = "keV"\n'
    spec = make_series(2, more=keys, scan=odd)
    for path in (spec.parent / "scans").iterdir():
        rows = np.loadtxt(path)[:, [1, 2, 0]]
        np.savetxt(path, rows, header="mon_a trans pos", fmt="%.7f %.7f %.9f")
    spec.write_text(spec.read_text().replace('mu = "ln(i0/it)"\n', 'mu = "ln(mon_a/trans)"\n'))
    plan = prepare(load_spec(spec, SeriesSpec))
    assert plan.energy[0] == pytest.approx(scan_of(co_o, 0).energy[0], abs=0.01)
    spec.write_text(spec.read_text().replace('"pos"', '"nrg"'))
    with pytest.raises(SeriesError, match="there is no column 'nrg'; there are mon_a, trans, pos"):
        prepare(load_spec(spec, SeriesSpec))


def test_a_stack_in_kev(co_o, tmp_path):
    import h5py

    from xasuite.io.sources import read_stack

    path = stack_file(tmp_path / "s.h5", co_o, 3)
    energy = read_stack(find_entries([path]).entries[0], np.array([0])).energy
    with h5py.File(path, "r+") as file:
        file["run7/energy"][...] = file["run7/energy"][()] / 1000
        file["run7/energy"].attrs["units"] = "keV"
    kev = read_stack(find_entries([path]).entries[0], np.array([0])).energy
    np.testing.assert_allclose(kev, energy, rtol=1e-12)


def test_logs_with_decimal_commas_and_local_dates(tmp_path):
    """EC-Lab's .mpt (tabs, commas, its start in the header), and a furnace log with semicolons and German dates."""
    lines = [
        "EC-Lab ASCII FILE",
        "Nb header lines : 4",
        "Acquisition started on : 28.11.2026 09:30:00",
        "mode\ttime/s\tEwe/V\tI/mA",
    ]
    rows = [f"1\t{t:.3f}\t{1.2 + t / 1000:.4f}\t{-0.5e-3:.2e}".replace(".", ",") for t in (0, 30, 60)]
    (tmp_path / "cell.mpt").write_text("\n".join([*lines, *rows]) + "\n", encoding="latin-1")
    times, found = read_log(
        "cell.mpt", [tmp_path], time="time/s", columns={"E": "Ewe/V", "I": "I/mA"}, start_format="%d.%m.%Y %H:%M:%S",
        encoding="latin-1",
    )  # fmt: skip
    began = (pd.Timestamp("2026-11-28 09:30:00") - pd.Timestamp(0)).total_seconds()
    np.testing.assert_allclose(times, began + np.array([0, 30, 60]))
    np.testing.assert_allclose(found["E"], [1.2, 1.23, 1.26])
    np.testing.assert_allclose(found["I"], -0.5e-3)
    (tmp_path / "furnace.csv").write_text(
        "Zeit;T;Gas\n28.11.2026 09:30:00;25,5;1,0\n28.11.2026 09:31:00;-1,25;2\n"
    )
    times, found = read_log(
        "furnace.csv", [tmp_path], time="Zeit", columns={"T": "T"}, format="%d.%m.%Y %H:%M:%S"
    )
    np.testing.assert_allclose(times - began, [0, 60])
    np.testing.assert_allclose(found["T"], [25.5, -1.25])
