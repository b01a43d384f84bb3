"""Every measured file against golden_files.csv, a table made by hand.

Element and edge were taken from the header or from looking at the curve (column `evidence`); `rows` was counted
with awk, h5py and json, not with this package; `points` is what is left after repeated energies and undefined
values, which must be what the notes say.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.errors import ReadError

TABLE = Path(__file__).parent / "golden_files.csv"
ROWS = list(csv.DictReader(TABLE.open(encoding="utf-8")))
BY_FILE: dict[str, list[dict[str, str]]] = defaultdict(list)
for _row in ROWS:
    BY_FILE[_row["file"]].append(_row)


@pytest.mark.parametrize("name", sorted(BY_FILE))
def test_file(data_root: Path, name: str) -> None:
    expected = BY_FILE[name]
    path = data_root / name
    if expected[0]["verdict"] == "refused":
        with pytest.raises(ReadError) as refusal:
            io.read_all(path)
        message = str(refusal.value)
        assert expected[0]["evidence"] in message
        assert "\n" not in message
        assert path.name in message
        return
    scans = io.read_all(path)
    assert [s.source.group for s in scans] == [r["group"] for r in expected]
    for scan, row in zip(scans, expected, strict=True):
        assert (scan.element, scan.edge) == (row["element"], row["edge"])
        assert scan.energy.size == int(row["points"])
        # Every point that is missing is spoken of in a note.
        lost = sum(
            int(n.split()[0])
            for n in scan.notes
            if re.match(r"\d+ (repeated energies averaged|points .*dropped)", n)
        )
        assert int(row["rows"]) - lost == scan.energy.size
        assert (scan.energy[1:] > scan.energy[:-1]).all()
        assert scan.energy[0] > 1000
        assert len(scan.source.sha256) == 64
        assert scan.mu().mu.shape == scan.energy.shape


def test_table_is_complete(data_root: Path) -> None:
    """No file of the folders that the table is about is left out of it."""
    folders = ("foils", "standards", "series", "formats", "broken", "published", "fluorescence")
    found = {
        str(p.relative_to(data_root)) for f in folders for p in (data_root / f).rglob("*") if p.is_file()
    }
    assert found <= set(BY_FILE)


def test_bad_xdi_verdicts(data_root: Path) -> None:
    """BadFiles.txt, published with the files: "error msg" is an error; "file read" reads, a warning is a note."""
    listed = (data_root / "broken/xdi/BadFiles.txt").read_text()
    verdicts = re.findall(r"^(bad_\d\d\.xdi)\s+(error msg|file read)(\((\d)\))?", listed, re.M)
    assert len(verdicts) == 36
    for name, verdict, _, kind in verdicts:
        path = data_root / "broken/xdi" / name
        if name == "bad_12.xdi":
            # "angle given without mono.d_spacing" reads there as a table; there are no energies in it.
            with pytest.raises(ReadError, match="no d-spacing"):
                io.read(path)
        elif verdict == "error msg":
            with pytest.raises(ReadError, match=rf"{name}:\d+: "):
                io.read(path)
        else:
            scan = io.read(path)
            own = [n for n in scan.notes if not n.startswith(("mu = mutrans shows", "the scan, 8779"))]
            # (1) warnings; (2) labels; (3) foreign comment lines; (7) missing recommended fields.
            assert bool(own) == (kind in {"1", "2", "3", "7"}), (name, own)


def test_ru_foil_labels(data_root: Path) -> None:
    """The header lists 8 columns, the data have 6; the label line above the data is right: I0 is 4, I2 is 5."""
    scan = io.read(data_root / "foils/Ru_foil_CLS_raw.dat")
    assert scan.energy[0] == 21916.986
    assert scan.channels["I0Detector_DarkCorrect"][0] == 113346.5
    assert scan.channels["I2Detector_DarkCorrect"][0] == 148027.6
    assert scan.mu_expr == "ln(I0Detector_DarkCorrect/I2Detector_DarkCorrect)"
    assert any("1-8" in n and "6" in n for n in scan.notes)


def test_measured_facts(data_root: Path) -> None:
    """Figures from the data's own index: E(0.5) and the like, by what mu was chosen to be."""
    from xasuite.io.edges import find_jump, rough_step

    def half(path: str) -> float:
        mu = io.read(data_root / path).mu()
        return find_jump(mu.energy, mu.mu).energy

    # E(0.5) of normalised spectra in the index; half of a step between straight lines lies within 2 eV of it:
    # the line through 8-60 eV above the edge holds the white line, so half of the step is reached later.
    for oxide, energy in (("FeO", 7119.28), ("Fe3O4", 7121.73), ("Fe2O3", 7123.05)):
        assert half(f"standards/Fe_xdi/{oxide}_rt_01.xdi") == pytest.approx(energy, abs=2.0)
    assert half("foils/Ru_foil_CLS_raw.dat") == pytest.approx(22123.2, abs=1.5)  # E(0.6)
    co = io.read(data_root / "foils/Co_foil_APS13ID.xdi").mu()
    assert co.mu[0] < 0
    step = rough_step(co.energy, co.mu, find_jump(co.energy, co.mu).energy)
    assert step == pytest.approx(3.95, rel=0.04)


def test_angles_and_steps(data_root: Path) -> None:
    """Lytle: CUEDGE, 84294 steps, is the Cu K edge; 9809: D = 3.13551 A and 6606.2 eV are in the header."""
    lytle = io.read(data_root / "formats/demeter/lytle.dat")
    assert lytle.energy[0] == pytest.approx(8878.8, abs=0.2)  # 85290 steps, START
    assert any("4000 per degree" in n and "1.92017" in n for n in lytle.notes)
    pf = io.read(data_root / "formats/beamlines/PF9A_2022.dat")
    assert pf.energy[0] == pytest.approx(6606.20, abs=0.1)
    assert any("3.13551" in n for n in pf.notes)
    assert pf.mu_expr == "ifluor/i0"


def test_nonstandard_mu_is_said(data_root: Path) -> None:
    scan = io.read(data_root / "formats/beamlines/generic_columns_no_header.dat")
    assert scan.mu_expr == "col7"
    assert any("mu = col7, it alone shows an edge" in n and "is the same signal" in n for n in scan.notes)
    low = io.read(data_root / "formats/nexus/KEK_PFdata.h5")
    assert any("energy scale is off" in n for n in low.notes)
    trap = io.read(data_root / "standards/Mn_oxides.prj::Mn3O4")
    assert trap.meta["athena_eshift"] == 19.1
    assert any("energy scale is off" in n for n in trap.notes)


def test_a_file_of_many_scans_is_opened_once(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 scans of 4980 points: the time goes with the number of scans, and not with its square."""
    import h5py

    monkeypatch.delattr("os.fork")  # read here and not in a copy of the process, where nothing can be counted
    opened, read = [], []
    file, dataset = h5py.h5f.open, h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.h5f, "open", lambda *a, **k: opened.append(a) or file(*a, **k))
    monkeypatch.setattr(
        h5py.Dataset, "__getitem__", lambda self, *a, **k: read.append(self.name) or dataset(self, *a, **k)
    )
    scans = io.read_all(data_root / "series/SnO2_TPR/SnO2_TPR_50_raw.h5")
    assert len(scans) == 50
    assert len(opened) == 1
    assert len(read) >= len(scans)
    assert len(read) == len(set(read)), "an array was read twice"
    assert {s.mu_expr for s in scans} == {"ln(I0/It)"}
    assert {s.reference_expr for s in scans} == {"ln(It/Iref)"}
    assert scans[0].meta["This Scan Create Date"]


def test_references_of_nio(data_root: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scans = io.read_all(data_root / "series/NiO_drift/NiO.prj")
    own = [s for s in scans if not s.label.startswith("Ref")]
    assert len(scans) == 24
    assert len(own) == 12
    assert all(s.mu().reference is not None for s in own)


def test_unnamed_columns_are_right_or_asked_for(data_root: Path) -> None:
    """Every measured scan again, its columns without names, an angle, a gap and a slit beside them: none is read wrong.

    What is right is the expression that the names give: the same curve but for a straight line and a factor.
    """
    from xasuite.io import evidence, finish

    found = {"right": 0, "asked": 0}
    for name, rows in BY_FILE.items():
        if rows[0]["verdict"] == "refused":
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scans = io.read_all(data_root / name)
        for s in scans if len(scans) < 7 else scans[:2]:
            named = np.asarray(s.channel(s.mu_expr))
            truth = evidence.choice(s.energy, named, s.mu_expr) if s.energy.size >= 50 else None
            if truth is None or len(s.channels) < 2:
                continue
            with np.errstate(all="ignore"):
                angle = np.degrees(np.arcsin(12398.42 / (2 * 3.1356 * s.energy)))
            jitter = np.random.default_rng(0).random(s.energy.size) > 0.5
            more = (np.nan_to_num(angle), 10 + 0.002 * (s.energy - s.energy[0]), 2.0 + 0.01 * jitter)
            columns = {f"col{i}": v for i, v in enumerate((*s.channels.values(), *more), start=2)}
            signals = {n: columns[n] for n in finish._signals(columns, s.energy)}
            chosen, _ = evidence.decide(evidence.choices(s.energy, signals))
            assert chosen is None or evidence.alike(chosen, truth), (name, s.label, chosen)
            found["right" if chosen else "asked"] += 1
    assert found["right"] >= 20
    assert sum(found.values()) > 90
