"""NXxas as proposed in 2026, held against the definition's own fields.

The lists are of the files of nexusformat/definitions, pull request 1640: contributed_definitions/NXxas.nxdl.xml at commit
012c36a8, NXxas_trans.nxdl.xml at 66533c52, NXxas_tfy.nxdl.xml at 05588407, NXabsorption_edge.nxdl.xml at 51e17e98,
NXelement.nxdl.xml at 6861f001.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import xasuite as xs
from xasuite import io
from xasuite.records import Scan, Series, Spectrum

ENERGY = np.linspace(6900.0, 7900.0, 401)
MU = 0.5 + np.arctan((ENERGY - 7112) / 2) / np.pi

# (place, NX class of a group or kind of a field: "s" text, "f" floats, "b" boolean, "i" integers)
REQUIRED = [
    ("definition", "s"), ("element", "NXelement"), ("element/symbol", "s"), ("edge", "NXabsorption_edge"),
    ("edge/name", "s"), ("is_experimental", "b"), ("energy", "f"), ("intensity", "f"), ("sample", "NXsample"),
    ("sample/name", "s"),
]  # fmt: skip
OPTIONAL = [
    ("title", "s"), ("start_time", "s"), ("end_time", "s"), ("intensity_errors", "f"), ("sample/temperature", "f"),
    ("data", "NXdata"), ("data/energy", "f"), ("data/intensity", "f"),
]  # fmt: skip
TRANS = [
    ("instrument", "NXinstrument"), ("instrument/source", "NXsource"), ("instrument/source/type", "s"),
    ("instrument/source/name", "s"), ("instrument/source/probe", "s"),
    ("instrument/monochromator", "NXmonochromator"), ("instrument/monochromator/crystal", "NXcrystal"),
    ("instrument/monochromator/crystal/d_spacing", "f"), ("instrument/monochromator/crystal/type", "s"),
    ("instrument/monochromator/crystal/reflection", "i"), ("instrument/i0", "NXdetector"),
    ("instrument/i0/data", "f"), ("instrument/itrans", "NXdetector"), ("instrument/itrans/data", "f"),
    ("instrument/iref", "NXdetector"), ("instrument/iref/data", "f"), ("process", "NXprocess"),
    ("process/program", "s"), ("process/version", "s"), ("process/date", "s"), ("process/sequence_index", "i"),
    ("process/parameters", "NXparameters"), ("process/note", "NXnote"), ("process/note/type", "s"),
    ("process/note/data", "s"),
]  # fmt: skip
TFY = [("instrument/i0/data", "f"), ("instrument/ifluor/data", "f")]
META = {
    "Facility.name": "APS", "Facility.energy": "7.00 GeV", "Facility.xray_source": "APS undulator A",
    "Beamline.name": "13-ID", "Mono.name": "Si(311)", "Mono.d_spacing": "1.63751", "Sample.temperature": "77 K",
    "Scan.start_time": "2026-03-01T12:00:00+01:00", "Scan.end_time": "2026-03-01T12:20:00+01:00",
    "Detector.i0": "15 cm N2", "comments": "two\nlines",
}  # fmt: skip


def scan(**changes: object) -> Scan:
    i0 = 1e5 * (1 + 0.01 * np.sin(ENERGY / 50))
    made = Scan(
        energy=ENERGY,
        channels={"I_0": i0, "It": i0 * np.exp(-MU), "Ir": i0 * np.exp(-1.4 * MU), "T/K": ENERGY * 0 + 300},
        element="Fe", edge="K", label="Fe foil", mu_expr="ln(I_0/It)", reference_expr="ln(It/Ir)", meta=META,
    )  # fmt: skip
    return replace(made, **changes)


def held(entry: h5py.Group, fields: list[tuple[str, str]]) -> None:
    for place, kind in fields:
        assert place in entry, place
        found = entry[place]
        if isinstance(found, h5py.Group):
            assert found.attrs["NX_class"] == kind, place
        else:
            kinds = {"s": "OS", "f": "f", "b": "b", "i": "iu"}[kind]
            assert found.dtype.kind in kinds, place


def test_every_field_of_the_definition(tmp_path: Path) -> None:
    """A scan in transmission whose header says all: every field of NXxas and NXxas_trans but intensity_errors."""
    path = io.write(tmp_path / "f.nxs", scan())
    with h5py.File(path) as file:
        entry = file["Fe_foil"]
        assert entry.attrs["NX_class"] == "NXentry"
        held(entry, REQUIRED + [f for f in OPTIONAL if f[0] != "intensity_errors"] + TRANS)
        assert entry["definition"].asstr()[()] == "NXxas_trans"
        assert bool(entry["is_experimental"][()])
        assert entry["energy"].attrs["units"] == "eV"
        assert entry["instrument/monochromator/crystal/d_spacing"].attrs["units"] == "angstrom"
        assert entry["sample/temperature"].shape == (1,)
        assert entry["sample/temperature"].attrs["units"] == "K"
        assert entry["instrument/source/probe"].asstr()[()] == "x-ray"
        assert entry["data"].attrs["signal"] == "intensity"
        assert entry["data"].attrs["energy_indices"] == 0
        assert "reference" not in entry  # iref shares the energies: one of the two, not both
        # the code that the file holds makes its intensity
        held_names: dict[str, object] = {"entry": entry}
        exec(entry["process/note/data"].asstr()[()], held_names)
        assert np.array_equal(held_names["intensity"], entry["intensity"][()])
    back = io.read(path)
    assert {k: str(v) for k, v in META.items()}.items() <= {k: str(v) for k, v in back.meta.items()}.items()
    assert list(back.channels) == list(scan().channels)
    assert (back.mu_expr, back.reference_expr) == ("ln(I_0/It)", "ln(It/Ir)")


def test_fluorescence_and_what_says_no_mode(tmp_path: Path) -> None:
    """ifluor/i0 of one diode is NXxas_tfy; counts of an emission line or of no detector say the base alone."""
    signals = {"i0": ENERGY * 0 + 1e5, "ifluor": 1e3 * MU, "Fe_Ka": 1e3 * MU}
    found = {}
    for expr in ("ifluor/i0", "Fe_Ka/i0", "ifluor"):
        record = scan(channels=signals, mu_expr=expr, reference_expr="", label=expr)
        with h5py.File(io.write(tmp_path / "f.nxs", record)) as file:
            entry = file[file.attrs["default"]]
            held(entry, REQUIRED + (TFY if "/" in expr else []))
            found[expr] = entry["definition"].asstr()[()]
    assert found == {"ifluor/i0": "NXxas_tfy", "Fe_Ka/i0": "NXxas", "ifluor": "NXxas"}


def test_errors_reference_and_a_simulation(tmp_path: Path) -> None:
    """mu with errors and a reference of another element, and a simulated spectrum, which is not experimental."""
    other = 0.3 + np.arctan((ENERGY - 7709) / 2) / np.pi
    record = Spectrum(ENERGY, MU, "Fe", "K", "x", mu_err=np.full(401, 1e-3), reference=other)
    with h5py.File(io.write(tmp_path / "r.nxs", record)) as file:
        held(file["x"], [*REQUIRED, ("intensity_errors", "f"), ("reference", "NXsubentry")])
        held(file["x/reference"], [f for f in REQUIRED if f[0] != "sample"])
        assert file["x/reference/element/symbol"].asstr()[()] == "Co"
    paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    shell = xs.simulate.shell(paths, "Cu", n=12, r=2.55, sigma2=0.008)
    made = xs.simulate.spectrum(shell, element="Cu", noise=3e-4).spectrum
    path = io.write(tmp_path / "s.nxs", made)
    with h5py.File(path) as file:
        assert not file["simulated/is_experimental"][()]
    back = io.read(path)
    assert back.meta["is_experimental"] is False
    with h5py.File(io.write(tmp_path / "again.nxs", back)) as file:
        assert not file["simulated/is_experimental"][()]


def stack() -> Series:
    data = Spectrum(ENERGY, np.array([MU, 2 * MU, 3 * MU]), "Fe", "K", mu_err=np.full((3, 401), 1e-3))
    table = pd.DataFrame({"label": ["a", "b", "c"], "time": [0.0, 60.0, 120.0], "T": [300.0, 310.0, 320.0]})
    return Series(data, table, ("ok",) * 3, ("",) * 3, "run")


def test_a_series_is_a_stack(tmp_path: Path) -> None:
    path = io.write(tmp_path / "s.nxs", stack())
    with h5py.File(path) as file:
        entry = file["run"]
        held(entry, [*REQUIRED, ("intensity_errors", "f")])
        assert entry["intensity"].shape == entry["intensity_errors"].shape == (3, 401)
        assert list(entry["data"].attrs["axes"]) == ["time", "energy"]
        assert entry["data"].attrs["energy_indices"] == 1
        assert entry["data"].attrs["time_indices"] == 0
    back = io.read_all(path)
    assert [s.label for s in back] == ["a", "b", "c"]
    assert [s.meta["T"] for s in back] == [300.0, 310.0, 320.0]
    assert np.array_equal(back[2].mu().mu, 3 * MU)
    assert np.array_equal(back[2].mu_expr and back[2].channels["mu_err"], np.full(401, 1e-3))


def proposed(path: Path, normalised: bool = True) -> Path:
    """A stack as another program writes it by the definition: chambers, a normalised intensity, temperatures."""
    rng = np.random.default_rng(1)
    i0 = 1e6 * (1 + 0.01 * rng.normal(size=(3, ENERGY.size)))
    mu = np.array([0.5, 1.0, 1.5])[:, None] * MU
    with h5py.File(path, "w") as file:
        entry = file.create_group("scan")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"], entry["title"], entry["is_experimental"] = "NXxas_trans", "iron", np.bool_(True)
        entry["element/symbol"], entry["edge/name"], entry["energy"] = "Fe", "K", ENERGY
        entry["energy"].attrs["units"] = "eV"
        entry["intensity"] = mu / mu.max(axis=1, keepdims=True) if normalised else mu
        entry["sample/name"], entry["sample/temperature"] = "iron", [300.0, 400.0, 500.0]
        entry["instrument/i0/data"], entry["instrument/itrans/data"] = i0, i0 * np.exp(-mu)
        entry["instrument/iref/data"] = i0 * np.exp(-1.3 * mu)
    return path


def test_a_stack_by_the_definition_keeps_its_chambers(tmp_path: Path) -> None:
    scans = io.read_all(proposed(tmp_path / "s.nxs"))
    assert [s.mu_expr for s in scans] == ["ln(i0/itrans)"] * 3
    assert [s.meta["temperature"] for s in scans] == [300.0, 400.0, 500.0]
    for s, factor in zip(scans, (0.5, 1.0, 1.5), strict=True):
        assert (s.element, s.edge, s.reference_expr) == ("Fe", "K", "ln(itrans/iref)")
        assert np.allclose(s.mu().mu, factor * MU, atol=1e-9)
        assert np.allclose(s.mu().reference, 0.3 * factor * MU, atol=1e-9)


def test_a_series_of_such_a_stack_has_the_chambers(tmp_path: Path) -> None:
    """`xasuite series` reads rows of stacks without parsing the file: it must find the chambers too."""
    from xasuite._series.template import mu_of_stack
    from xasuite.io.sources import find_entries, read_stack

    (entry,) = find_entries([proposed(tmp_path / "s.nxs")]).entries
    rows = read_stack(entry, np.array([1, 2]))
    assert set(rows.channels) == {"intensity", "i0", "itrans", "iref"}
    assert mu_of_stack(list(rows.channels), entry) == "ln(i0/itrans)"
    assert rows.scalars["temperature"].tolist() == [400.0, 500.0]


def test_older_drafts(tmp_path: Path) -> None:
    """The drafts of 2024 to 2026: absorber/chemical_symbol and calculated, NXedge, a detector called "if"."""
    with h5py.File(tmp_path / "o.nxs", "w") as file:
        entry = file.create_group("e")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"], entry["calculated"] = "NXxas_tfy", np.bool_(True)
        entry["absorber/chemical_symbol"], entry["edge/name"] = "Fe", "K"
        entry["energy"], entry["intensity"] = ENERGY, MU
        entry["instrument/i0/data"], entry["instrument/if/data"] = ENERGY * 0 + 1e5, 1e4 * MU
    found = io.read(tmp_path / "o.nxs")
    assert (found.element, found.edge, found.mu_expr) == ("Fe", "K", "ifluor/i0")
    assert any("is_experimental = false" in n for n in found.notes)
    # what xasuite itself wrote before
    with h5py.File(tmp_path / "x.nxs", "w") as file:
        entry = file.create_group("e")
        entry["definition"], entry["title"], entry["energy"] = "NXxas", "old", ENERGY
        entry["rawdata"] = np.array([MU, MU / 2])
        entry["rawdata"].attrs["array_labels"] = '["mu", "foil"]'
        entry["process/notes"] = '{"notes": ["said"], "sha256": "ab"}'
        entry["xasuite/mu_expression"], entry["xasuite/reference_expression"] = "mu", "foil"
    found = io.read(tmp_path / "x.nxs")
    assert (found.label, found.notes, found.meta["sha256"]) == ("old", ("said",), "ab")
    assert np.array_equal(found.mu().reference, MU / 2)


def test_pynxtools_finds_the_files_valid(tmp_path: Path) -> None:
    """By the definitions that pynxtools ships (0.16: NXxas and NXxas_trans of January 2026).

    It does not follow a subentry's own definition, so what it calls undocumented (the reference) is let pass.
    """
    pynx = os.environ.get("PYNX") or shutil.which("pynx")
    if not pynx:
        pytest.skip("pynxtools is not installed: pip install pynxtools, or name its command pynx in PYNX")
    for record in (scan(), scan().mu(), stack()):
        path = io.write(tmp_path / "v.nxs", record)
        said = subprocess.run(
            [pynx, "validate", "--ignore-undocumented", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        output = said.stdout + said.stderr
        assert "is valid according to" in output, output
