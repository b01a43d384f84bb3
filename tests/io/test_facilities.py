"""Files made after each facility's published layout: read right, or refused for a reason.

Sources: Diamond B18, GDA's QEXAFS scans (entry1/qexafs_counterTimer01 with qexafs_energy, I0, It, Iref, lnI0It; gda-xas-core).
MAX IV Balder, Sardana (entryN/measurement with mono1_energy and albaem01_ch1 ... albaem02_ch4; the example of ParSeq-XAS).
DESY, NXSDataWriter (scan/data with links into scan/instrument) and the .fio text of its beamlines (%c, %p, %d, "Col 1 ...
DOUBLE"). BESSY II mySpot (N.1/measurement/dcm_p_energy in keV without a unit; pynxtools-xas). MAX IV FlexPES (pcap_eegy_av
and b107a_em_03_ch1; flexpes-nexafs).
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from xasuite import io
from xasuite.errors import ReadError
from xasuite.records import Scan

from .test_read_rules import ENERGY, mu_of

RNG = np.random.default_rng(8)
I0 = RNG.poisson(1e6, ENERGY.size) * 1.0
IT = RNG.poisson(I0 * np.exp(-mu_of(ENERGY))) * 1.0
IREF = RNG.poisson(IT * np.exp(-0.7 * mu_of(ENERGY))) * 1.0


def right(scan: Scan, expr: str = "") -> None:
    """mu of Fe in transmission on the energies that were put in; counting noise is 2e-3."""
    assert (scan.element, scan.edge) == ("Fe", "K")
    assert np.allclose(scan.energy, ENERGY, atol=1e-6)
    found = scan.mu().mu
    step = 1.0 if not expr else np.ptp(found) / np.ptp(mu_of(ENERGY))
    assert np.std(found / step - mu_of(ENERGY)) < 0.01
    assert not expr or scan.mu_expr == expr


def test_diamond_b18(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "b18_12345.nxs", "w") as file:
        entry = file.create_group("entry1")
        entry.attrs["NX_class"] = "NXentry"
        data = entry.create_group("qexafs_counterTimer01")
        data.attrs["NX_class"] = "NXdata"
        held = {"I0": I0, "It": IT, "Iref": IREF, "lnI0It": np.log(I0 / IT), "lnItIref": np.log(IT / IREF)}
        for name, values in held.items():
            data[name] = values
            file[f"entry1/instrument/qexafs_counterTimer01/{name}"] = data[name]
        data["qexafs_energy"] = ENERGY
        file["entry1/instrument/qexafs_energy/value"] = data["qexafs_energy"]
        data["Time"] = np.full(ENERGY.size, 0.01)
    scan = io.read(tmp_path / "b18_12345.nxs")
    right(scan, "ln(I0/It)")
    assert scan.reference_expr == "ln(It/Iref)"


def balder(path: Path, channels: dict[str, np.ndarray], scans: int = 2) -> Path:
    with h5py.File(path, "w") as file:
        for number in range(737, 737 + scans):
            here = file.create_group(f"entry{number}/measurement")
            here["mono1_energy"], here["Pt_No"] = ENERGY, np.arange(ENERGY.size)
            for name, values in channels.items():
                here[name] = values
            file[f"entry{number}/title"] = "meshct energy"
    return path


def test_max_iv_balder(tmp_path: Path) -> None:
    """No name says which electrometer channel is I0: what they hold does, or reading stops and lists them."""
    dark = 5.0 + 0.1 * RNG.normal(size=ENERGY.size)
    path = balder(tmp_path / "a.h5", {"albaem01_ch1": I0, "albaem01_ch2": IT, "albaem01_ch3": dark})
    scans = io.read_all(path)
    assert [s.source.group for s in scans] == ["entry737/measurement", "entry738/measurement"]
    for scan in scans:
        right(scan, "ln(albaem01_ch1/albaem01_ch2)")
    with pytest.raises(ReadError, match="holds 2 groups"):
        io.read(path)
    both = balder(tmp_path / "b.h5", {"albaem01_ch1": I0, "albaem01_ch2": IT, "albaem02_ch1": IREF}, 1)
    with pytest.raises(ReadError, match="several show an edge and differ by more than their noise"):
        io.read(both)
    right(io.read(both, mu="ln(albaem01_ch1/albaem01_ch2)"))


def test_max_iv_flexpes_is_refused(tmp_path: Path) -> None:
    """Its energies are called pcap_eegy_av: nothing says that they are energies."""
    with h5py.File(tmp_path / "f.h5", "w") as file:
        here = file.create_group("entry1/measurement")
        here["pcap_eegy_av"], here["b107a_em_03_ch1"], here["b107a_em_03_ch2"] = (
            ENERGY,
            I0 * mu_of(ENERGY),
            I0,
        )
    with pytest.raises(ReadError, match="no group of this HDF5 file holds an axis named energy"):
        io.read(tmp_path / "f.h5")


def test_bessy_myspot(tmp_path: Path) -> None:
    """Energies in keV without a unit, and a region of interest of a detector that is mu already."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        here = file.create_group("9.1/measurement")
        here["dcm_p_energy"], here["normalised_roi_5"] = ENERGY / 1000, IT / I0 * 0 + mu_of(ENERGY)
    right(io.read(tmp_path / "m.h5"))


def test_desy_nexus(tmp_path: Path) -> None:
    """NXdata of links: energies and chambers once, under the data."""
    with h5py.File(tmp_path / "p65_00012.nxs", "w") as file:
        entry = file.create_group("scan")
        entry.attrs["NX_class"] = "NXentry"
        entry["start_time"] = "2026-03-01T12:00:00+0100"
        for name, values in {"i0": I0, "i1": IT, "i2": IREF, "energy": ENERGY}.items():
            file[f"scan/instrument/collection/{name}/data"] = values
            file[f"scan/data/{name}"] = h5py.SoftLink(f"/scan/instrument/collection/{name}/data")
        entry["data"].attrs["NX_class"] = "NXdata"
    scan = io.read(tmp_path / "p65_00012.nxs")
    right(scan, "ln(i0/i1)")
    assert scan.reference_expr == "ln(i1/i2)"
    assert scan.meta["Scan.start_time"] == "2026-03-01T12:00:00+0100"


def test_desy_fio(tmp_path: Path) -> None:
    rows = "\n".join(
        f" {e:.3f} {a:.1f} {b:.1f} {c:.1f}" for e, a, b, c in zip(ENERGY, I0, IT, IREF, strict=True)
    )
    head = "!\n! Comments\n!\n%c\nascan energy 7000 7800\nuser xafs Acquisition started at Mon Mar 01 2026\n!\n! Parameter\n!\n"
    head += "%p\nexp_dmy01 = 1.5\nsample = Fe foil\n!\n! Data\n!\n%d\n"
    columns = "".join(f" Col {i} {n} DOUBLE\n" for i, n in enumerate(("energy", "i0", "i1", "i2"), start=1))
    (tmp_path / "fe_00001.fio").write_text(head + columns + rows + "\n! Acquisition ended\n")
    scan = io.read(tmp_path / "fe_00001.fio")
    assert np.allclose(scan.energy, ENERGY, atol=1e-3)
    assert (scan.mu_expr, scan.reference_expr, scan.meta["sample"]) == ("ln(i0/i1)", "ln(i1/i2)", "Fe foil")
    assert (scan.element, scan.edge) == ("Fe", "K")
