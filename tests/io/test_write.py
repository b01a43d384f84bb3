"""What is written reads back equal, here and in Larch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xasuite import io
from xasuite.errors import ReadError, WriteError
from xasuite.records import Chi, Normalized, Scan, Series, Spectrum

ENERGY = np.linspace(7500.0, 8500.0, 301)
STEP = 0.5 + np.arctan((ENERGY - 7709) / 2) / np.pi


def scan(label: str = "Co foil") -> Scan:
    i0 = 1e5 * (1 + 0.01 * np.sin(ENERGY / 50))
    it = i0 * np.exp(-STEP)
    return Scan(
        energy=ENERGY,
        channels={"i0": i0, "it": it, "ir": it * np.exp(-0.3 * STEP)},
        element="Co",
        edge="K",
        label=label,
        mu_expr="ln(i0/it)",
        reference_expr="ln(it/ir)",
        notes=("3 points dropped", 'it\'s a "note", with [brackets] (and) commas; and \\'),
    )


def spectrum(label: str = "CoO") -> Spectrum:
    return Spectrum(
        energy=ENERGY,
        mu=STEP,
        mu_err=np.full(301, 1e-3),
        reference=STEP / 3,
        element="Co",
        edge="K",
        label=label,
    )


@pytest.mark.parametrize("suffix", ["prj", "h5", "nxs", "csv", "xdi"])
@pytest.mark.parametrize("record", [scan(), spectrum(), scan().mu()], ids=["scan", "spectrum", "mu"])
def test_one_record(tmp_path: Path, suffix: str, record: Scan | Spectrum) -> None:
    path = io.write(tmp_path / f"out.{suffix}", record)
    back = io.read(path if suffix != "prj" else f"{path}::{record.label}")
    wanted = record.mu() if isinstance(record, Scan) else record
    found = back.mu()
    assert np.array_equal(found.energy, wanted.energy)
    assert np.array_equal(found.mu, wanted.mu)
    assert np.array_equal(found.reference, wanted.reference)
    assert (back.label, back.element, back.edge) == (record.label, "Co", "K")
    if suffix != "prj":
        assert back.notes == record.notes
        if isinstance(record, Scan):
            assert back.mu_expr == record.mu_expr
            assert all(np.array_equal(back.channels[n], v) for n, v in record.channels.items())


@pytest.mark.parametrize("suffix", ["prj", "h5"])
def test_several(tmp_path: Path, suffix: str) -> None:
    records = [scan("a/b é"), replace(scan("a/b é"), energy=ENERGY + 1), spectrum("Ω 3")]
    back = [
        s for s in io.read_all(io.write(tmp_path / f"o.{suffix}", records)) if not s.label.startswith("Ref")
    ]
    names = ["a/b é", "a/b é#2" if suffix == "prj" else "a/b é", "Ω 3"]
    assert [s.label for s in back] == names
    assert len({s.source.group for s in back}) == 3
    assert np.array_equal(back[1].energy, ENERGY + 1)


def test_series(tmp_path: Path) -> None:
    stack = Spectrum(energy=ENERGY, mu=np.array([STEP, 2 * STEP]), element="Co", edge="K")
    series = Series(stack, pd.DataFrame({"label": ["one", "two"]}), ("ok", "ok"), ("", ""))
    for suffix in ("prj", "h5", "csv"):
        back = io.read_all(io.write(tmp_path / f"s.{suffix}", series))
        assert [s.label for s in back] == ["one", "two"]
        assert np.array_equal(back[1].mu().mu, 2 * STEP)


def test_normalized_and_chi_as_csv(tmp_path: Path) -> None:
    norm = Normalized(
        energy=ENERGY, mu=STEP, label="n", e0=np.array(7709.0), edge_step=np.array(1.0), norm=STEP, flat=STEP
    )
    back = io.read(io.write(tmp_path / "n.csv", norm))
    assert set(back.channels) == {"mu", "norm", "flat"}
    assert back.meta["e0"] == 7709.0
    chi = Chi(
        k=np.arange(0, 12, 0.05),
        chi=np.sin(np.arange(0, 12, 0.05)),
        e0=np.array(0.0),
        edge_step=np.array(1.0),
    )
    text = io.write(tmp_path / "c.csv", chi).read_text().splitlines()
    assert text[1] == "k,chi"
    assert [float(v) for v in text[3].split(",")] == [0.05, np.sin(0.05)]


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for suffix in ("prj", "csv", "xdi"):
        first = io.write(tmp_path / f"1.{suffix}", scan()).read_bytes()
        assert io.write(tmp_path / f"2.{suffix}", scan()).read_bytes() == first


def test_larch_opens_the_athena_project(tmp_path: Path) -> None:
    """The reference is Larch's own reader: every group equal, to the last bit."""
    from tests.larch_reduction import read_athena

    records = [
        scan("Co-foil 1"),
        spectrum("CoO"),
        replace(spectrum("RuO2 (x)"), element="Ru", reference=None),
    ]
    groups = read_athena(io.write(tmp_path / "o.prj", records))
    wanted = []
    for record in records:
        mu = record.mu() if isinstance(record, Scan) else record
        wanted += [(record.label, mu.mu)] + (
            [(f"  Ref {record.label}", mu.reference)] if mu.reference is not None else []
        )
    assert [g["label"] for g in groups] == [label for label, _ in wanted]
    for group, (_, mu) in zip(groups, wanted, strict=True):
        assert np.array_equal(group["energy"], ENERGY)
        assert np.array_equal(group["mu"], mu)
    assert [g["element"] for g in groups] == ["Co", "Co", "Co", "Co", "Ru"]


def test_larch_keeps_groups_of_one_label(tmp_path: Path) -> None:
    """Larch loses groups whose labels are equal as Python names; labels are made distinct on writing."""
    from tests.larch_reduction import read_athena

    same = [spectrum("a b"), spectrum("a b"), replace(spectrum("a_b"), reference=None)]
    assert len(read_athena(io.write(tmp_path / "o.prj", same))) == 5


def test_larch_and_we_read_the_same_projects(data_root: Path) -> None:
    from tests.larch_reduction import read_athena

    # Not NiO_drift: of two groups with one label Larch keeps the last, silently.
    for name in ("standards/Co_oxides.prj", "standards/Fe_oxides.prj", "formats/athena/athena_json.prj"):
        theirs, ours = read_athena(data_root / name), io.read_all(data_root / name)
        assert len(theirs) == len(ours)
        for group, mine in zip(theirs, ours, strict=True):
            assert np.array_equal(group["energy"], mine.energy)
            assert np.array_equal(group["mu"], mine.mu().mu)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mu=arrays(float, 30, elements=st.floats(-1e6, 1e6, allow_subnormal=False)),
    label=st.text(min_size=1, max_size=20),
    suffix=st.sampled_from(["prj", "h5", "csv", "xdi"]),
)
def test_any_numbers_and_labels(tmp_path: Path, mu: np.ndarray, label: str, suffix: str) -> None:
    record = Spectrum(energy=np.arange(7000.0, 7030.0), mu=mu, label=label, element="Fe", edge="K")
    back = io.read_all(io.write(tmp_path / f"h.{suffix}", record))
    assert len(back) == 1
    assert np.array_equal(back[0].mu().mu, mu)


def test_mistakes(tmp_path: Path) -> None:
    for path, records, message in (
        ("x.doc", scan(), "'.doc' is no format to write"),
        ("x.prj", [], "no record"),
        ("x.xdi", [scan(), scan()], "holds one scan"),
        ("x.csv", [scan(), replace(scan(), energy=ENERGY + 1)], "different axes"),
        ("x.h5", 3, "int is no record"),
    ):
        with pytest.raises(WriteError, match=message):
            io.write(tmp_path / path, records)
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        io.write(tmp_path / "file" / "x.prj", scan())
    assert not list(tmp_path.glob("x.*"))


def test_xdi_written_and_read_loses_no_key(data_root: Path, tmp_path: Path) -> None:
    """Every field and comment of the XDI files that are XAFS, the units of the columns and the programs too."""
    found = 0
    for path in sorted((data_root / "formats/xdi").glob("*.xdi")):
        try:
            before = io.read(path)
        except ReadError:
            continue
        if any(not np.isfinite(v).all() for v in before.channels.values()):
            continue
        after = io.read(io.write(tmp_path / "again.xdi", before))
        for key, value in before.meta.items():
            kept = after.meta[key].split() if key == "Sample.name" else after.meta[key]
            assert kept == (value.split() if key == "Sample.name" else value), (path.name, key)
        assert after.notes == before.notes
        found += 1
    assert found > 10


def test_csv_keeps_the_header(tmp_path: Path) -> None:
    meta = {"Scan.start_time": "2026-03-01T12:00:00", "T": 300.5}
    back = io.read(io.write(tmp_path / "a.csv", replace(scan(), meta=meta)))
    assert {k: back.meta[k] for k in meta} == meta


def test_xdi_says_what_is_absent(tmp_path: Path) -> None:
    """Version 1.0 of the dictionary requires Element.symbol and edge and recommends the rest of these."""
    meta = {"Facility.name": "APS", "Scan.start_time": "2026-03-01T12:00:00", "Beam line": "13 ID", "gain": 8}
    for element, said in (("Co", ""), ("", "required: Element.symbol; ")):
        record = replace(scan(), element=element, meta=meta, reference_expr="")
        text = io.write(tmp_path / "a.xdi", record).read_text()
        wanted = f"# Xasuite.absent: {said}recommended: Facility.xray_source, Beamline.name, Mono.d_spacing\n"
        assert wanted in text
    back = io.read(tmp_path / "a.xdi")
    assert back.meta["Source.Beam_line"] == "13 ID"
    assert back.meta["Source.gain"] == "8"


def test_xdi_of_a_spectrum_says_how_it_was_measured(tmp_path: Path) -> None:
    """Q2XAFS asks for the mode: mu alone does not tell it, the expression over the detectors does, also the second time."""
    spectrum = scan().mu()
    assert spectrum.history[0].settings["expr"] not in ("", "mu")
    for _ in range(2):
        text = io.write(tmp_path / "a.xdi", spectrum).read_text()
        assert f"# Xasuite.made_by: {scan().mu_expr}\n" in text
        spectrum = io.read(tmp_path / "a.xdi").mu()


def test_columns_of_any_program_named_xdi(tmp_path: Path) -> None:
    """A suffix is no format: columns of another program, with their own header, are read with a note."""
    rows = "\n".join(f"{e:.2f}\t{m:.5f}" for e, m in zip(ENERGY, STEP, strict=True))
    (tmp_path / "a.xdi").write_text(f"# measured by hand\n# energy\tmu\n{rows}\n")
    back = io.read(tmp_path / "a.xdi")
    assert (back.element, back.mu_expr) == ("Co", "mu")
    assert back.notes[0].startswith("named .xdi and no XDI file")
