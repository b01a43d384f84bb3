"""Rules of reading on texts written here: cleaning, channels, edges, groups and messages."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.edges import atomic_mass, core_width, photoabsorption, tabulated
from xasuite.errors import ChannelError, ReadError
from xasuite.io import edges, names
from xasuite.io.table import clean_names

ENERGY = np.arange(6912.0, 7512.0, 2.0)


def mu_of(energy: np.ndarray, e0: float = 7112.0) -> np.ndarray:
    """An arctangent edge on a falling background: nothing of this package goes into it."""
    return 0.4 - 2e-4 * (energy - e0) + 0.5 + np.arctan((energy - e0 - 4) / 1.5) / np.pi


def columns(path: Path, *arrays: np.ndarray, labels: str = "", header: str = "") -> Path:
    lines = [header] if header else []
    lines += [f"# {labels}"] if labels else []
    lines += [" ".join(f"{v:.8f}" for v in row) for row in zip(*arrays, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def raw(path: Path, energy: np.ndarray = ENERGY, labels: str = "energy i0 it") -> Path:
    i0 = 1e5 * (1 + 1e-4 * (energy - 7000))
    return columns(path, energy, i0, i0 * np.exp(-mu_of(energy)), labels=labels)


def counted(
    path: Path, *more: np.ndarray, labels: str = "", seed: int = 0, order: tuple[int, ...] = ()
) -> Path:
    """Counts of two chambers with the noise of a million photons, and more columns; `order` of all after the energy."""
    rng = np.random.default_rng(seed)
    i0 = 1e6 * (1 + 0.02 * np.cumsum(rng.normal(size=ENERGY.size)) / 10)
    it = rng.poisson(i0 * np.exp(-mu_of(ENERGY))).astype(float)
    held = [i0, it, *more]
    return columns(path, ENERGY, *([held[i] for i in order] if order else held), labels=labels)


ANGLE = np.degrees(np.arcsin(12398.41984 / (2 * 3.1356 * ENERGY)))
SETPOINT = ENERGY / 1000 + 1e-6 * np.sin(ENERGY)
SLIT = np.where(np.arange(ENERGY.size) < 150, 0.5, 0.6)
GAP = 12.0 + 0.003 * (ENERGY - 7000)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 3, 1, 0, 2, 4), (4, 2, 5, 1, 3, 0)])
@pytest.mark.parametrize("seed", range(3))
def test_an_angle_a_setpoint_or_a_slit_is_never_i0(tmp_path: Path, order: tuple[int, ...], seed: int) -> None:
    """Unnamed columns in any order: the two chambers are found, by what they hold."""
    path = counted(tmp_path / "a.dat", ANGLE, SETPOINT, SLIT, GAP, seed=seed, order=order)
    scan = io.read(path)
    place = {f"col{order.index(i) + 2}": i for i in range(2)}
    i0, it = sorted(place, key=place.get)  # type: ignore[arg-type]
    assert scan.mu_expr == f"ln({i0}/{it})"
    assert (scan.element, scan.edge) == ("Fe", "K")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stop", [17466.0, 17966.0, 18400.0])
def test_uranium_is_not_another_heavy_element(tmp_path: Path, seed: int, stop: float) -> None:
    """Taken over an angle, U L3 (17166 eV) was called "Rn L1" (18049 eV): unnamed columns, three lengths of scan."""
    energy = np.arange(16966.0, stop, 2.0)
    rng = np.random.default_rng(seed)
    angle = np.degrees(np.arcsin(12398.42 / (2 * 3.1356 * energy)))
    i0 = rng.poisson(1e5 * (1 + 1e-4 * (energy - energy[0]))).astype(float)
    it = rng.poisson(i0 * np.exp(-mu_of(energy, 17166.0))).astype(float)
    setpoint = energy + rng.normal(0, 0.02, energy.size)
    path = columns(tmp_path / "a.dat", energy, angle, setpoint, i0, it, np.full(energy.size, 0.5))
    scan = io.read(path)
    assert scan.mu_expr == "ln(col4/col5)"
    assert (scan.element, scan.edge) == ("U", "L3")


def test_two_choices_that_differ_are_asked_for(tmp_path: Path) -> None:
    """A reference behind the sample shows the same edge: which of the two is mu cannot be seen."""
    rng = np.random.default_rng(5)
    behind = rng.poisson(4e5 * np.exp(-mu_of(ENERGY) - 0.7 * mu_of(ENERGY, 7113))).astype(float)
    path = counted(tmp_path / "a.dat", behind)
    with pytest.raises(
        ReadError, match=r"several show an edge and differ by more than their noise.*Columns: col2 \("
    ):
        io.read(path)
    assert io.read(path, mu="ln(col2/col3)").element == "Fe"


def test_no_edge_anywhere_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    path = columns(tmp_path / "a.dat", ENERGY, *(1e5 + 300 * rng.normal(size=(2, ENERGY.size))))
    with pytest.raises(ReadError, match=r"none shows an edge\. Columns: col2 .* Say which: mu = "):
        io.read(path)


def test_i0_energy_and_units_are_the_users(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    counts = rng.poisson(1e6, ENERGY.size) * 1.0
    made = rng.poisson(counts * np.exp(-mu_of(ENERGY))) * 1.0
    path = columns(tmp_path / "a.dat", counts, made, ANGLE, ENERGY / 1000, labels="mon_a trans th pos")
    scan = io.read(path, energy="pos", units="keV", mu="ln(mon_a/trans)")
    assert np.allclose(scan.energy, ENERGY)
    assert io.read(path, energy="pos", i0="mon_a").mu_expr == "ln(mon_a/trans)"
    with pytest.raises(ChannelError, match="there is no column 'nrg'; there are mon_a, trans, th, pos"):
        io.read(path, energy="nrg")
    with pytest.raises(ReadError, match="units = 'MeV' is not one of eV, keV, angle"):
        io.read(path, energy="pos", units="MeV")


def test_decimal_commas_and_x_y(tmp_path: Path) -> None:
    text = "\n".join(f"{e:.2f};{m:.6f}".replace(".", ",") for e, m in zip(ENERGY, mu_of(ENERGY), strict=True))
    (tmp_path / "a.csv").write_text("Energy;mu\n" + text)
    scan = io.read(tmp_path / "a.csv")
    assert np.allclose(scan.mu().mu, mu_of(ENERGY), atol=1e-6)
    assert "decimal commas read as points" in scan.notes
    noisy = mu_of(ENERGY) + 1e-3 * np.random.default_rng(0).normal(size=ENERGY.size)
    assert io.read(columns(tmp_path / "b.dat", ENERGY, noisy, labels="X Y")).mu_expr == "Y"


def test_columns_named_xdi(tmp_path: Path) -> None:
    scan = io.read(columns(tmp_path / "a.xdi", ENERGY, mu_of(ENERGY), labels="energy mu"))
    assert scan.element == "Fe"
    assert "named .xdi and no XDI file" in scan.notes[0]


def test_chi_and_pixels_are_recognised(tmp_path: Path) -> None:
    k = np.arange(0, 14, 0.05)
    with pytest.raises(ReadError, match=r"looks like chi\(k\), k from 0 to 13\.95 1/A"):
        io.read(columns(tmp_path / "a.chi", k, np.sin(4 * k) * np.exp(-k / 5), labels="k chi"))
    noise = 1e-3 * np.random.default_rng(0).normal(size=ENERGY.size)
    with pytest.raises(
        ReadError,
        match=r"counts pixels or points: a dispersive series is calibrated against a foil by \[series.calibration\]",
    ):
        io.read(columns(tmp_path / "b.dat", np.arange(ENERGY.size) * 1.0, mu_of(ENERGY) + noise))


def test_an_edge_that_the_data_contradict_is_refused(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.dat")
    for settings in ({"element": "Cu", "edge": "K"}, {"element": "Fe", "edge": "L3"}):
        with pytest.raises(ReadError, match=r"and mu jumps at 711[0-9] eV, as of Fe K"):
            io.read(path, **settings)
    with pytest.raises(ReadError, match="Fe has no M9 edge"):
        io.read(path, element="Fe", edge="M9")


def test_plain_columns(tmp_path: Path) -> None:
    scan = io.read(raw(tmp_path / "a.dat"))
    assert (scan.element, scan.edge, scan.mu_expr) == ("Fe", "K", "ln(i0/it)")
    assert np.allclose(scan.mu().mu, mu_of(ENERGY), atol=1e-8)


def test_gzip(tmp_path: Path) -> None:
    plain = raw(tmp_path / "a.dat")
    packed = tmp_path / "a.dat.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert np.array_equal(io.read(packed).energy, io.read(plain).energy)


def test_descending_energy(tmp_path: Path) -> None:
    scan = io.read(raw(tmp_path / "a.dat", ENERGY[::-1]))
    assert np.array_equal(scan.energy, ENERGY)
    assert np.allclose(scan.mu().mu, mu_of(ENERGY), atol=1e-8)
    assert "reversed" in " ".join(scan.notes)


def test_unsorted_energy(tmp_path: Path) -> None:
    jumbled = np.concatenate([ENERGY[:100], ENERGY[105:110], ENERGY[100:105], ENERGY[110:]])
    scan = io.read(raw(tmp_path / "a.dat", jumbled))
    assert np.array_equal(scan.energy, ENERGY)
    assert np.allclose(scan.mu().mu, mu_of(ENERGY), atol=1e-8)
    assert any("steps back once; sorted" in n for n in scan.notes)


def test_repeated_energies_are_averaged(tmp_path: Path) -> None:
    energy = np.concatenate([ENERGY, ENERGY[50:53]])
    mu = np.concatenate([mu_of(ENERGY), mu_of(ENERGY[50:53]) + 0.02])
    scan = io.read(columns(tmp_path / "a.dat", energy, mu, labels="energy mu"))
    expected = mu_of(ENERGY)
    expected[50:53] += 0.01
    assert np.allclose(scan.mu().mu, expected, atol=1e-8)
    assert any(n.startswith("3 repeated energies averaged") for n in scan.notes)


def test_kev(tmp_path: Path) -> None:
    scan = io.read(columns(tmp_path / "a.dat", ENERGY / 1000, mu_of(ENERGY), labels="energy xmu"))
    assert np.allclose(scan.energy, ENERGY, atol=1e-5)
    assert scan.element == "Fe"
    assert any("keV" in n for n in scan.notes)


def test_angle_with_d_spacing(tmp_path: Path) -> None:
    """E = hc / 2 d sin(theta) with CODATA's hc = 12398.41984 eV A."""
    angle = np.degrees(np.arcsin(12398.41984 / (2 * 3.1356 * ENERGY)))
    head = "# XDI/1.0\n# Column.1: angle degrees\n# Column.2: mutrans\n# Mono.d_spacing: 3.1356\n# ---"
    scan = io.read(columns(tmp_path / "a.xdi", angle, mu_of(ENERGY), header=head))
    assert np.allclose(scan.energy, ENERGY, atol=1e-3)
    assert scan.element == "Fe"
    assert any("d = 3.1356 A" in n for n in scan.notes)


def test_nan_inf_and_dead_ends(tmp_path: Path) -> None:
    energy = np.arange(6900.0, 7520.0, 2.0)
    i0 = np.full(energy.size, 1e5)
    it = i0 * np.exp(-mu_of(energy))
    i0[-3:] = it[-3:] = 0.0
    it[20] = np.nan
    i0[40] = np.inf
    lines = "\n".join(" ".join(map(repr, map(float, r))) for r in zip(energy, i0, it, strict=True))
    path = tmp_path / "a.dat"
    path.write_text("# energy i0 it\n" + lines)
    scan = io.read(path)
    assert scan.energy.size == energy.size - 5
    assert np.isfinite(scan.mu().mu).all()
    assert {7518.0, 6940.0, 6980.0}.isdisjoint(scan.energy)
    notes = " ".join(scan.notes)
    assert "3 points at the ends of the scan dropped" in notes
    assert "2 points dropped where" in notes


def test_labels_that_do_not_fit(tmp_path: Path) -> None:
    scan = io.read(counted(tmp_path / "a.dat", labels="energy i0"))
    assert set(scan.channels) == {"col2", "col3"}
    assert scan.mu_expr == "ln(col2/col3)"
    assert any("no line of labels fits" in n for n in scan.notes)
    assert any("ln(col2/col3), it alone shows an edge" in n for n in scan.notes)


def test_user_names_channels(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.dat", labels="Energy MyI0 Trans")
    expected = mu_of(ENERGY)
    for text in ("ln(MyI0/Trans)", "ln( myi0 / TRANS )"):
        assert np.allclose(io.read(path, mu=text).mu().mu, expected, atol=1e-8)
    by_role = io.read(raw(tmp_path / "b.dat", labels="energy I0 I1"), mu="ln(i0/itrans)")
    assert by_role.mu_expr == "ln(I0/I1)"
    assert np.allclose(by_role.mu("ln(io/it)").mu, expected, atol=1e-8)
    with pytest.raises(ChannelError, match="'MyI'; the nearest are MyI0"):
        io.read(path, mu="ln(MyI/Trans)")


def test_element_given(tmp_path: Path) -> None:
    path = raw(tmp_path / "a.dat")
    scan = io.read(path, element="fe", edge="k")
    assert (scan.element, scan.edge) == ("Fe", "K")
    with pytest.raises(ReadError, match="'Xx' is no element"):
        io.read(path, element="Xx")


@pytest.mark.parametrize(
    ("e0", "element", "edge"),
    # Bearden and Burr's energies, as printed in every table of edges.
    [
        (7112, "Fe", "K"),
        (22117, "Ru", "K"),
        (11564, "Pt", "L3"),
        (13035, "Pb", "L3"),
        (29200, "Sn", "K"),
        (8979, "Cu", "K"),
    ],
)
def test_edge_from_energies(tmp_path: Path, e0: float, element: str, edge: str) -> None:
    energy = np.arange(e0 - 200, e0 + 600, 1.0)
    noise = np.random.default_rng(1).normal(0, 2e-3, energy.size)
    scan = io.read(columns(tmp_path / "a.dat", energy, mu_of(energy, e0) + noise, labels="energy mu"))
    assert (scan.element, scan.edge) == (element, edge)
    assert any("element and edge found from" in n for n in scan.notes)


def test_no_edge_no_element(tmp_path: Path) -> None:
    flat = 1 + 1e-3 * np.random.default_rng(2).normal(size=ENERGY.size)
    scan = io.read(columns(tmp_path / "a.dat", ENERGY, flat, labels="energy mu"))
    assert scan.element == ""
    assert any("no clear edge" in n for n in scan.notes)


def test_jump_of_a_known_edge() -> None:
    """Half of an arctangent's step is at its centre, the step is its height."""
    jump = edges.find_jump(ENERGY, mu_of(ENERGY))
    assert jump.energy == pytest.approx(7116.0, abs=0.7)
    assert jump.step == pytest.approx(1.0, abs=0.1)
    assert edges.find_jump(ENERGY, -mu_of(ENERGY)).quality < edges.MIN_QUALITY


@pytest.mark.parametrize("scale", [1e300, 1e-320, 0.0])
def test_jump_of_extreme_numbers(scale: float) -> None:
    """Neither overflow nor a step too small to divide by stops the reading of a scan."""
    assert np.isfinite(edges.find_jump(ENERGY, scale * mu_of(ENERGY)).quality)


def test_edge_table_is_xraydb() -> None:
    import xraydb

    for element, edge in (("Co", "K"), ("Ru", "K"), ("Au", "L3"), ("S", "K")):
        assert tabulated(element, edge) == xraydb.xray_edge(element, edge).energy
        assert core_width(element, edge) == xraydb.core_width(element, edge)
        assert atomic_mass(element) == xraydb.atomic_mass(element)
        energy = np.geomspace(500.0, 60000.0, 400)
        np.testing.assert_allclose(
            photoabsorption(element, energy), xraydb.mu_elam(element, energy, kind="photo"), rtol=1e-12
        )


def test_names() -> None:
    assert clean_names(["1_Energy (keV)", "4_i0", "5_if"]) == ["Energy_keV", "i0", "ifluor"]
    assert clean_names(["I0-32", "I0-32", "", "2theta"]) == ["I0_32", "I0_32_2", "col3", "c2theta"]
    assert names.mu_candidates(["I0", "It", "Iref", "If"])[0] == "ln(I0/It)"
    assert names.mu_candidates(["Ifch1", "Ifch2", "i0"]) == ["(Ifch1 + Ifch2)/i0"]
    assert names.reference_candidate(["i0", "i1", "i2"], "ln(i0/i1)") == "ln(i1/i2)"


def test_groups_of_a_file(tmp_path: Path) -> None:
    a, b = io.read(raw(tmp_path / "CoO.dat")).mu(), io.read(raw(tmp_path / "Co3O4.dat")).mu()
    path = io.write(tmp_path / "x.prj", [a, b])
    assert io.groups(path) == ["CoO.dat", "Co3O4.dat"]
    assert io.read(f"{path}::CoO").label == "CoO.dat"
    assert io.read(f"{path}::2").label == "Co3O4.dat"
    with pytest.raises(ReadError, match=r"holds 2 groups .CoO.dat, Co3O4.dat.; name one as x.prj::CoO.dat"):
        io.read(path)
    with pytest.raises(ReadError, match=r"has no group 'CoOO'; the nearest are CoO.dat"):
        io.read(f"{path}::CoOO")
    with pytest.raises(ReadError, match="single scan and no groups"):
        io.read(f"{tmp_path / 'CoO.dat'}::x")


def test_a_user_s_mistakes(tmp_path: Path) -> None:
    raw(tmp_path / "Co_foil.dat")
    (tmp_path / "empty.dat").write_text("\n \n")
    (tmp_path / "image.dat").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (tmp_path / "junk.dat").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "cut.dat.gz").write_bytes(gzip.compress(b"1 2 3\n" * 100)[:-20])
    for name, message in (
        ("Co_fol.dat", "does not exist; near it lie Co_foil.dat"),
        ("no/such.dat", "there is no folder"),
        ("", "is a folder, not a file"),
        ("empty.dat", "is empty"),
        ("image.dat", "PNG image"),
        ("junk.dat", "is binary"),
        ("cut.dat.gz", "gzipped and damaged"),
    ):
        with pytest.raises(ReadError, match=message) as refusal:
            io.read(tmp_path / name)
        assert "\n" not in str(refusal.value)


def test_plain_hdf5_stack(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "s.h5", "w") as handle:
        handle["run/energy"] = ENERGY
        handle["run/mu"] = np.array([mu_of(ENERGY), 2 * mu_of(ENERGY)])
    scans = io.read_all(tmp_path / "s.h5")
    assert [s.source.group for s in scans] == ["run/0", "run/1"]
    assert np.allclose(scans[1].mu().mu, 2 * mu_of(ENERGY))
    assert scans[0].element == "Fe"


def test_nxxas_of_beams(tmp_path: Path) -> None:
    """The first form of NXxas: absorbed_beam in an NXdata, incoming_beam and the energies in the instrument."""
    import h5py

    i0 = 1e5 * (1 + 1e-4 * (ENERGY - 7000))
    with h5py.File(tmp_path / "n.nxs", "w") as handle:
        entry = handle.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"], entry["title"], entry["mode"] = "NXxas", "Fe foil", "Transmission"
        entry["instrument/monochromator/energy"] = ENERGY
        entry["instrument/incoming_beam/data"] = i0
        data = entry.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        data["energy"], data["absorbed_beam"] = ENERGY, i0 * np.exp(-mu_of(ENERGY))
        handle["loop"] = h5py.SoftLink("/")
    scan = io.read(tmp_path / "n.nxs")
    assert (scan.label, scan.element, scan.mu_expr) == ("Fe foil", "Fe", "ln(i0/absorbed_beam)")
    assert np.allclose(scan.mu().mu, mu_of(ENERGY))


def test_a_stack_of_nxxas_keeps_its_detectors(tmp_path: Path) -> None:
    """NXxas_trans with [nP, nEnergy]: the chambers of every spectrum, not its normalised intensity alone."""
    import h5py

    rng = np.random.default_rng(4)
    i0 = 1e6 * (1 + 0.01 * rng.normal(size=(3, ENERGY.size)))
    mu = np.array([0.5, 1.0, 1.5])[:, None] * mu_of(ENERGY)
    with h5py.File(tmp_path / "s.nxs", "w") as handle:
        entry = handle.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"], entry["mode/name"] = "NXxas_trans", "Transmission"
        entry["instrument/i0/data"], entry["instrument/itrans/data"] = i0, i0 * np.exp(-mu)
        data = entry.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        data["energy"], data["intensity"] = ENERGY, mu / mu.max(axis=1, keepdims=True)
    scans = io.read_all(tmp_path / "s.nxs")
    assert [s.mu_expr for s in scans] == ["ln(i0/itrans)"] * 3
    for scan, expected in zip(scans, mu, strict=True):
        assert np.allclose(scan.mu().mu, expected, atol=1e-9)


@pytest.mark.parametrize("first", [1, -1])
def test_quick_scans_are_cut_where_the_energy_turns(tmp_path: Path, first: int) -> None:
    """Up and down differ by the backlash, here 1.2 eV: averaged, the edge would be smeared."""
    up, jitter = ENERGY, 0.3 * np.random.default_rng(0).normal(size=ENERGY.size)
    sweeps = [up[::first] + jitter, up[::-first] + jitter, up[::first] + jitter]
    shift = [0.0, 1.2, 0.0]
    mu = [mu_of(e - s) for e, s in zip(sweeps, shift, strict=True)]
    path = columns(tmp_path / "q.dat", np.concatenate(sweeps), np.concatenate(mu), labels="energy mu")
    scans = io.read_all(path)
    assert [s.source.group for s in scans] == ["1", "2", "3"]
    for scan, s in zip(scans, shift, strict=True):
        # the one point where it turns may go to either
        assert np.allclose(scan.mu().mu[2:-2], mu_of(scan.energy - s)[2:-2], atol=1e-6)
        assert any("of 3 sweeps of the energy in this file, cut where it turns" in n for n in scan.notes)
    with pytest.raises(ReadError, match=r"holds 3 groups \(1, 2, 3\); name one as q.dat::1"):
        io.read(path)
    assert abs(io.read(f"{path}::2").energy.size - ENERGY.size) <= 2


def test_bliss_and_soleil_layouts(tmp_path: Path) -> None:
    """ESRF BLISS writes N.1/measurement with links into instrument/, SOLEIL energy_enc and data_01: read by what was measured.

    The setpoints differ from the encoder by up to 1 eV; a scan without the energies' links is not made up.
    """
    import h5py

    rng = np.random.default_rng(2)
    encoder = ENERGY + rng.uniform(-1, 1, ENERGY.size) * 0.9
    i0 = rng.poisson(1e6, ENERGY.size) * 1.0
    with h5py.File(tmp_path / "bliss.h5", "w") as handle:
        for scan in ("1.1", "2.1"):
            handle[f"{scan}/title"] = "trigscan"
            handle[f"{scan}/instrument/enc/data"] = encoder / 1000
            handle[f"{scan}/measurement/energy"] = ENERGY / 1000
            handle[f"{scan}/measurement/energy_enc"] = h5py.SoftLink(f"/{scan}/instrument/enc/data")
            handle[f"{scan}/measurement/I0"] = i0
            handle[f"{scan}/measurement/I1"] = i0 * np.exp(-mu_of(encoder))
    scans = io.read_all(tmp_path / "bliss.h5")
    assert [s.source.group for s in scans] == ["1.1/measurement", "2.1/measurement"]
    for scan in scans:
        assert (scan.element, scan.mu_expr) == ("Fe", "ln(I0/I1)")
        assert np.allclose(scan.energy, np.sort(encoder), atol=1e-6)
        assert np.allclose(scan.mu().mu, mu_of(scan.energy), atol=1e-9)
    with h5py.File(tmp_path / "soleil.nxs", "w") as handle:
        handle["scan_0/scan_data/actuator_1_1"] = ENERGY
        handle["scan_0/scan_data/energy_enc"] = ENERGY + 0.3
        handle["scan_0/scan_data/i0"], handle["scan_0/scan_data/it"] = i0, i0 * np.exp(-mu_of(ENERGY + 0.3))
    scan = io.read(tmp_path / "soleil.nxs")
    assert np.allclose(scan.energy, ENERGY + 0.3)
    assert scan.mu_expr == "ln(i0/it)"


def test_degrees_of_a_bragg_axis_are_no_kev(tmp_path):
    """Si(111) at 7 keV stands at 16 degrees: read as keV the spectrum would lie at 16 keV."""
    angle = np.degrees(np.arcsin(12398.42 / (2 * 3.13543 * ENERGY)))
    i0 = np.full(ENERGY.size, 1e6)
    file = columns(tmp_path / "a.dat", angle, i0, i0 * np.exp(-mu_of(ENERGY)), labels="bragg i0 i1")
    with pytest.raises(ReadError, match="monochromator angle"):
        io.read(file)


def test_counts_by_themselves_do_not_win_over_intensities(tmp_path):
    """Fluorescence counts beside two chambers with unknown names: mu is a ratio, not the counts."""
    noise = np.random.default_rng(1).normal(0, 3e-3, (3, ENERGY.size))
    i0 = 1e6 * (1 + 0.02 * np.sin(np.arange(ENERGY.size) / 40)) * (1 + noise[0] / 9)
    through, counts = i0 * np.exp(-mu_of(ENERGY)) * (1 + noise[1]), 0.03 * i0 * mu_of(ENERGY) * (1 + noise[2])
    scan = io.read(columns(tmp_path / "a.dat", ENERGY, i0, through, counts, labels="pos ch1 ch2 ch3"))
    assert scan.mu_expr in {"ln(ch1/ch2)", "ch3/ch1"}


def test_a_foil_behind_a_dilute_sample_is_not_the_sample(tmp_path):
    """A step of 0.05 at a noise of 0.003 before a foil's of 1.8, no names: the foil alone is clear, and not mu."""
    energy = np.r_[6962:7092:5.0, 7092:7142:0.5, 7142:7812:2.5]
    rng = np.random.default_rng(3)
    step = 0.5 + np.arctan((energy - 7112) / 1.5) / np.pi
    i0 = 1e6 * (1 + rng.normal(0, 1e-3, energy.size))
    through = i0 * np.exp(-0.8 - 0.05 * step + rng.normal(0, 3e-3, energy.size))
    with pytest.raises(ReadError, match="several show an edge"):
        io.read(columns(tmp_path / "a.dat", energy, i0, through, through * np.exp(-1.8 * step)))
