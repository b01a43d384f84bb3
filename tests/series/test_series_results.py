"""The files of a finished series: one table in three forms, curves in compressed blocks that any HDF5 program reads."""

from __future__ import annotations

import io
import os
import re

import h5py
import numpy as np
import pandas as pd
import pytest
from pyarrow.parquet import ParquetFile

from xasuite._series import results, schedule, series

from .conftest import scan_of
from .damage import write_scan


@pytest.fixture(scope="module")
def run(make_series, tmp_path_factory):
    more = 'audit = false\nnames = "scan_(?P<number>[0-9]+)"'
    return series(make_series(7, {2: "binary"}, chunk=3, more=more), output=tmp_path_factory.mktemp("files"))


def test_parquet_csv_and_hdf5_hold_one_table(run):
    """Digit by digit: CSV is written with as many as a number needs."""
    text = ["label", "status", "reason", "fit_status", "undetermined", "sha256"]
    csv = pd.read_csv(run.path.with_suffix(".csv"), dtype=dict.fromkeys(text, str)).fillna(
        dict.fromkeys(text, "")
    )
    assert list(csv.columns) == list(run.table.columns)
    with h5py.File(run.path) as handle:
        groups = [
            handle["entry"][g]
            for g in ("log", "xanes", "parameters", "errors", "paths", "statistics", "status")
        ]
        held = {name: g[name] for g in groups for name in g}
        assert set(held) == set(run.table.columns)
        for name in run.table.columns:
            values = run.table[name].to_numpy()
            if name in text:
                assert list(values) == list(csv[name]) == list(held[name].asstr()[()])
            else:
                np.testing.assert_array_equal(values, csv[name].to_numpy(float), err_msg=name)
                np.testing.assert_array_equal(values, held[name][()], err_msg=name)


def test_some_rows_and_columns_are_read_from_their_blocks(make_series, tmp_path, monkeypatch):
    """As they stand in the whole table, read by pandas; blocks of two rows, the last of one."""
    monkeypatch.setattr(results, "GROUP", 2)
    made = series(
        make_series(7, {2: "binary"}, chunk=2, more="audit = false"), output=tmp_path, progress=False
    )
    table = pd.read_parquet(made.path.with_suffix(".parquet"))
    assert ParquetFile(made.path.with_suffix(".parquet")).num_row_groups == 4
    assert made.names == tuple(table.columns)
    assert len(made) == 7
    names = ["label", "status", "n_o", "n_o_err"]
    for numbers in ([0, 1, 6], [2], [0, 1, 2, 3, 4, 5, 6]):
        some = made.rows(numbers, names)
        pd.testing.assert_frame_equal(some, table.loc[numbers, names].reset_index(drop=True))
    pd.testing.assert_frame_equal(made.columns("status", "rfactor"), table[["status", "rfactor"]])
    assert "table" not in vars(made)


def test_a_reader_of_files_that_dies_costs_nothing_but_time(make_series, run, tmp_path, monkeypatch):
    """The process that reads ahead is ended at its second chunk; the files are those of a run without that."""
    here, read = os.getpid(), schedule.take

    def dying(plan, indices):
        if os.getpid() != here and 5 in indices:
            (tmp_path / "died").touch()
            os.abort()
        return read(plan, indices)

    monkeypatch.setattr(schedule, "take", dying)
    more = 'audit = false\nnames = "scan_(?P<number>[0-9]+)"'
    killed = series(make_series(7, {2: "binary"}, chunk=3, more=more), output=tmp_path, progress=False)
    assert (tmp_path / "died").exists()
    # the reason of the scan that cannot be read names its file, which lies in another folder
    pd.testing.assert_frame_equal(killed.table.drop(columns="reason"), run.table.drop(columns="reason"))


def test_blocks_are_compressed_in_the_format_of_hdf5_itself(run):
    """Written by another library, read by HDF5's own filters; rows of a last block that is not full are as the others."""
    with h5py.File(run.path) as handle:
        data = handle["entry/norm/data"]
        assert (data.compression, data.shuffle, data.chunks[0]) == ("gzip", True, 3)
        whole = data[()]
    assert np.isnan(whole[2]).all()
    assert np.isfinite(whole[[0, 1, 3, 4, 5, 6]]).all()
    np.testing.assert_array_equal(run.curves("norm", rows=[5, 6])[1], whole[[5, 6]])


def test_a_long_table_has_csv_only_when_asked(make_series, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "CSV_ROWS", 2)
    for more, there in (("", False), ("csv = true", True), ("csv = false", False)):
        found = series(make_series(3, more=f"audit = false\n{more}"), output=tmp_path / more[-4:])
        assert found.path.with_suffix(".csv").exists() == there


def test_a_cell_of_the_csv_is_no_formula(co_o, make_series, tmp_path):
    spec = make_series(2, more="audit = false")
    write_scan(spec.parent / "scans" / "=cmd.txt", scan_of(co_o, 3))
    found = series(spec, output=tmp_path)
    assert "=cmd.txt" in list(found.table["label"])
    cells = pd.read_csv(io.StringIO(found.path.with_suffix(".csv").read_text()))["label"]
    assert "'=cmd.txt" in list(cells)


def test_a_row_near_its_bound_has_asymmetric_errors(make_series, co_o, tmp_path):
    """N of 2.5 in noise of 6e-3: sigma2 within 2 errors of 0. No interval reaches beyond the bound, and a budget makes none narrower."""
    ends = []
    for plain in (True, False):
        spec = make_series(
            4, more="audit = false\n", name=f"near_{plain}", scan=lambda i: scan_of(co_o, i, noise=6e-3, n=2.5, sigma2=0.003), plain=plain
        )  # fmt: skip
        run = series(spec, output=tmp_path / f"{plain}")
        ends.append(run.table[["ss_o", "ss_o_err_plus", "ss_o_err_minus"]].to_numpy(float))
        assert re.search(r"\d \+[\d.]+ -[\d.]+", str(run.summary()))
    assert run.budget
    (value, plus, minus), (_, wide_plus, wide_minus) = (e.T for e in ends)
    has = np.isfinite(plus)
    assert has.any()
    np.testing.assert_array_equal(has, np.isfinite(minus))
    assert (value[has] - minus[has] >= -1e-12).all()
    assert (plus[has] > minus[has]).all()
    assert (np.nan_to_num(wide_plus)[has] > 0).all()
    assert (np.nan_to_num(wide_minus)[has] >= 0).all()
