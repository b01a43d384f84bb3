"""Files made after layouts that facilities and readers publish, filled with a known spectrum: read right, or refused for a reason.

Every row of LAYOUTS names its source. The header and the columns are as there; the numbers are ours, a copper K edge with one
shell (test_unknown_files), so mu is known: it comes back to 1e-2 of its edge step, up to a scale, an offset and a slope.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.errors import ReadError

from .test_unknown_files import ANGLE, ENERGY, I0, IT, MU, RNG, ROIS, TIME, N, left_over, noisy

# A foil behind the sample, of the same edge; dark counts, temperatures and the like beside
FOIL = 0.6 * MU
IREF = noisy(IT * np.exp(-FOIL), 3e-4)
FLUO = sum(ROIS)
INDEX = np.arange(N, dtype=float)
ONES = np.ones(N)
DARK = 250 + RNG.integers(-5, 5, N)
WARM = 101.9 + 0.1 * RNG.standard_normal(N)


def rows(*columns: np.ndarray, by: str = " ") -> str:
    return "\n".join(by.join(f"{v:.9g}" for v in row) for row in np.column_stack(columns)) + "\n"


@dataclass(frozen=True)
class Layout:
    """Where the layout is published, the name and content of the file, and the expression (or the refusal) that is right."""

    source: str
    name: str
    content: str | bytes
    expr: str = ""
    reference: str = ""
    refused: str = ""


B18 = "# Diamond Light Source\n# Instrument: B18-CORE XAS\n# Date: Fri, 13 May 2022 19:21:24 BST\n#\n# "
B18_COLUMNS = "qexafs_energy\tTime\tI0\tIt\tIref\tlnI0It\tlnItIref\tQexafsFF\tQexafsFFI0\n"


def b18(it: np.ndarray) -> str:
    held = (ENERGY, 0.01 * ONES, I0, it, IREF, np.log(I0 / it), np.log(it / IREF), FLUO, FLUO / I0)
    return B18 + B18_COLUMNS + rows(*held, by="\t")


def ssrl_binary(version: str) -> bytes:
    """Title, date, size, files and comments in 40 or 80 bytes each; offsets, weights, labels of 20; points, 12 bytes, the data."""
    columns = np.column_stack([TIME, ENERGY, ENERGY + 0.01, I0, IT, IREF]).astype("<f4")
    count = columns.shape[1]
    texts = [
        f"SSRL - EXAFS Data Collector {version}",
        "Sun Mar 01 12:00:00 2026",
        f"PTS:{N:>10} COLS:{count:>6}",
    ]
    lines = [(t, 40) for t in (*texts, "scaler", "region")] + [("", 80), ("", 40)] + [("", 80)] * 6
    head = b"".join(text.encode().ljust(size - 2)[: size - 2] + b"\n\0" for text, size in lines)
    head = head.ljust(800, b"\0")[:800] if len(head) < 800 else head
    labels = ("Real Time Clock", "Requested Energy", "Achieved Energy", "I0", "I1", "I2")
    body = struct.pack(f"<{2 * count}f", *([0.0] * count), *([1.0] * count))
    body += b"".join(name.encode().ljust(18) + b"\n\0" for name in labels)
    data = columns.tobytes()
    return head + body + struct.pack("<i", N) + b"\x08\0\x01\0" + bytes(8) + data


SSRL_HEAD = """SSRL   EXAFS Data Collector 1.3
Sun Mar 01 12:00:00 2026
PTS:       486  COLS:          7
scaler.scl
region.rgn
Si220 phi=90 slit=1mm

Cu foil

Weights:
  1.000   1.000   1.000   1.000   1.000   1.000   1.000
Offsets:
  0.000   0.000   0.000   0.000   0.000   0.000   0.000
Data:
Real time clock
Requested Energy
Achieved Energy
I0
I1
I2
Lytle

"""
MICRO_HEAD = """SSRL   MicroEXAFS Data Collector 1.0
Sun Mar 01 12:00:00 2026
Offsets:
  0.000   0.000   0.000   0.000   0.000   0.000   0.000   0.000   0.000
Data:
Real time clock
Energy
I0
I1
I2
SCA1.1
SCA1.2
ICR1
ICR2

"""
P65 = """# PETRA III Extension Beamline P65
# File format xdi, for information see: https://www.ncbi.nlm.nih.gov/pmc/articles/PMC4971576/
# XAS CONTINUOUS MODE
# Scan started at 30-06-2020 19:07:11, finished at 30-06-2020 19:10:40
# Parameters of the mirrors
# M1 Theta(p64/motor/oh.01) = 2.0 mrad
# DCM Theta(p64/motor/oh.09) = 5.97487507737 degrees
# Channel 1: gain 1E06V/A
# DCM Crystal: Si111
#enc_energy mono_energy mono_bragg Step_Pos mono_X1vert undulator_energy undulator_gap bragg_enc enc_raw time_pp VFC01 VFC02 VFC03 VFC04 T1 T2
"""
ISS = """# Beamline.name: ISS (8-ID) - (08ID) Inner Shell Spectroscopy
# Facility.name: NSLS-II
# Element.symbol: Cu
# Element.edge: K
# Mono.name: Si(111)
# Mono.d_spacing: 3.1354951
# Scan.edge_energy: 8979.0
# Scan.start_time: 04/08/2022  08:37:45
# Scan.plot_hint: $5/$1
# Column.1: energy eV
# Column.2: i0
# Column.3: it
# Column.4: ir
# Column.5: if
# energy  i0  it  ir  iff  aux1  aux2  aux3  aux4
"""
SPRING8 = """  9809     SPring-8 BL14B2
Cu_foil  01.03.26 12:00 -
Cu foil
Ring :   8.0 GeV  99.5 mA -  99.4 mA
Mono :   Si(111)        D= 3.13551 A    Initial angle= 13.50000 deg
BL14B2    Transmission( 2)   Repetition=  1     Points= 486
Param file : Cu.prm      energy axis(2)     Block =  1

Block      Init-Eng  final-Eng     Step     Time       Num
    1      8829.00   9679.00      2.00     1.00       486
Ortec( 0)   NDCH = 3
  Angle(c)  Angle(o)    time/s         2         3
      Mode         0         0         1         2
    Offset         0         0     100.0     100.0
"""
GDA = """ &SRS
 SRSRUN=571664,SRSDAT=201624,SRSTIM=183757,
 SRSSTN='BASE',SRSPRJ='GDA_BASE',SRSEXP='Emulator',
 SRSTLE='Cu foil                                                     ',
 SRSCN1='        ',SRSCN2='        ',SRSCN3='        ',
<MetaDataAtStart>
cmd='scan energy 8829 9679 2 counterTimer01'
</MetaDataAtStart>
 &END
energy\tI0\tIt\tIref\tlnI0It\tFF
"""
MDA = """## mda2ascii 1.3.1 generated output


# MDA File Version = 1.4
# Scan number = 13385
# Overall scan dimension = 1-D
# Total requested scan size = 486

#  Column Descriptions:
#    1  [     Index      ]
#    2  [1-D Positioner 1]  MEX2DCM01:ENERGY, , TABLE, , MEX2DCM01:ENERGY_RBV, ,
#    3  [1-D Detector   1]  MEX2ES01ZEB01:CALC_ENERGY_EV, ,
#    4  [1-D Detector   2]  MEX2ES01DAQ01:ch1:S:MeanValue_RBV, ,
#    5  [1-D Detector   3]  MEX2ES01DAQ01:ch2:S:MeanValue_RBV, ,
#    6  [1-D Detector   4]  MEX2ES01DAQ01:ch3:S:MeanValue_RBV, ,
#    7  [1-D Detector   5]  MEX2ES01DPP01:dppAVG:InputCountRate, ,

# 1-D Scan Values
"""
CMC = [
    "Energy",
    "I0",
    "I1",
    "I2",
    "Iref",
    "Lytle",
    "mca1",
    "mca2",
    "mca3",
    "mca4",
    "I0off",
    "I1off",
    "I2off",
    "Seconds",
]
P65_STEPS = np.round(-1658929 - 70 * INDEX)
HALF = 0.5 + 0.02 * np.sin(INDEX)

LAYOUTS: dict[str, Layout] = {
    "Diamond B18 text": Layout(
        "ixdat/ixdat src/ixdat/readers/qexafs.py; bruceravel/demeter Plugins/B18.pm", "b18.dat", b18(IT),
        "ln(I0/It)", "ln(It/Iref)",
    ),
    "Diamond B18 text, dilute": Layout(
        "as above: QexafsFFI0", "b18_dilute.dat", b18(noisy(0.6 * I0, 1e-3)), "QexafsFF/I0|QexafsFFI0",
    ),
    "ESRF BM23 SPEC": Layout(
        "bruceravel/demeter Plugins/BM23.pm", "bm23.dat",
        "#F /data/bm23 BM23 E.S.R.F. file\n#S 1 zapline mono 8.829 9.679 486\n#N 5\n#L E(keV)  time  I0  I1  I2\n"
        + rows(ENERGY / 1000, TIME, I0, IT, IREF),
        "ln(I0/I1)", "ln(I1/I2)",
    ),
    "SSRL XAFS Data Collector": Layout(
        "bruceravel/demeter Plugins/SSRLA.pm; xraypy/xraylarch larch/io/xafs_beamlines.py", "ssrl.001",
        SSRL_HEAD + rows(TIME, ENERGY, ENERGY + 0.01, I0, IT, IREF, FLUO), "ln(I0/I1)", "ln(I1/I2)",
    ),
    "SSRL MicroEXAFS Data Collector": Layout(
        "bruceravel/demeter Plugins/SSRLmicro.pm", "micro.001",
        MICRO_HEAD + rows(TIME, ENERGY, I0, IT, IREF, ROIS[0], ROIS[1], ROIS[0] * 3, ROIS[1] * 3), "ln(I0/I1)", "ln(I1/I2)",
    ),
    "SSRL binary 1.1": Layout("bruceravel/demeter Plugins/SSRLB.pm", "ssrlb.001", ssrl_binary("1.1"), refused="save it as ASCII"),
    "SSRL binary 2.0": Layout("bruceravel/demeter Plugins/SSRLB.pm", "ssrlb2.001", ssrl_binary("2.0"), refused="save it as ASCII"),
    "SLRI BL8": Layout(
        "bruceravel/demeter Plugins/BL8Ar.pm", "bl8.txt",
        "# BL8: X-ray Absorption Spectroscopy\n# Transmission-mode XAS\n# E0 (eV) = 8979\n\nEnergy BraggAngle TimeStep I0 I1 mu\n"
        + rows(ENERGY, ANGLE, ONES, I0, IT, np.log(I0 / IT)),
        "mu",
    ),
    "SLRI BL4, dispersive": Layout(
        "bruceravel/demeter Plugins/SLRIBL4.pm", "bl4.txt", "pixel stripe 3\n" + rows(INDEX, MU + 1e-3 * RNG.standard_normal(N)),
        refused="counts pixels or points",
    ),
    "APS 9-BM SPEC": Layout(
        "bruceravel/demeter Plugins/CMC.pm", "cmc.001",
        "#F cu.001\n#E 1772366400\n#D Sun Mar 01 12:00:00 2026\n#C cu  User = bmexafs\n\n#S 1  escan 8829 9679\n#N 14\n#L "
        + "  ".join(CMC) + "\n"
        + rows(ENERGY, I0, IT, IREF, IREF, FLUO, *ROIS, DARK, DARK / 2, DARK / 3, ONES),
        "ln(I0/I1)", "ln(I1/I2)|ln(I1/Iref)",
    ),
    "APS 10-ID MRCAT": Layout(
        "xraypy/xraylarch larch/io/xafs_beamlines.py, APSMRCAT", "mrcat.001",
        "MRCAT_XAFS V3.00 Datafile\n\"cu.001\" created on 3/1/26 at 12:00:00 PM\nE0= 8979.00\nGains= 7.00 8.00 8.00\n"
        "----------------------------------------------------------\n Energy  Io  It  Iref  Lytle\n"
        + rows(ENERGY, I0, IT, IREF, FLUO),
        "ln(Io/It)", "ln(It/Iref)",
    ),
    "APS 5-BM-D, no labels": Layout(
        "marcoalsina/araucaria araucaria/io/io_read.py, read_dnd, and its test files", "dnd.dat",
        rows(
            ENERGY, ANGLE, ANGLE - 4e-5, ANGLE + 2e-5, 1e5 * ONES, 0 * ONES, I0, IT, IREF, DARK, 112 * ONES, 119 * ONES, 242 * ONES,
            251 * ONES, IT / I0, IREF / IT, 1e-5 * RNG.standard_normal(N), np.log(I0 / IT), np.log(IT / IREF), WARM,
            0.61 * ONES, 0.55 * ONES, I0 - 113, IT - 119, IREF - 243, DARK - 250,
        ),
        refused="no column is named as mu",
    ),
    "DESY P65 .xdi": Layout(
        "marcoalsina/araucaria araucaria/testdata/p65_testfile.xdi", "p65.xdi",
        P65 + rows(
            ENERGY, ENERGY + 0.7, ANGLE, P65_STEPS, 9.7 + 1e-5 * INDEX, ENERGY + 180, 18.6 + 1e-3 * INDEX, ANGLE - 1e-4,
            P65_STEPS / 2, 0.1 * ONES, I0 / 1e5, IT / 1e4, IREF / 1e3, FLUO / 1e4, -ONES, -ONES,
        ),
        refused="several show an edge and differ",
    ),
    "MAX IV Balder SPEC": Layout(
        "kklmn/ParSeq-XAS parseq_XAS/data/foils/Ce-foil_EXAFS_23315.dat", "balder.dat",
        "#U root\n#C RT:_0\n#C Acquisition started at Sat Feb 25 16:15:51 2023\n#S 23315 ascanct mono1_energy_acs 8829.0 9679.0\n"
        "#L Pt_No  mono1_energy_acs  albaem02_ti  albaem02_ch1  albaem02_ch2  albaem02_ch3  albaem02_ch4  dt\n"
        + rows(INDEX, ENERGY, 0.005 * ONES, 1e-12 * I0 * HALF, 1e-12 * I0 * (1 - HALF), 1e-12 * IT, 1e-12 * IREF, TIME),
        refused="several show an edge and differ",
    ),
    "HASYLAB, settings above two chambers": Layout(
        "kklmn/ParSeq-XAS parseq_XAS/data/CeRu2/CE0074.DAT", "cu0074.dat",
        " 1PL 2/ 0/  .01; 24; 7; 21; 22; 40;MOUV. 39= 324904;1E-09/3E-10;;HeN in I0;$39;$9;\n 486 \n"
        + rows(ENERGY, np.round(I0), np.round(IT)),
        "ln(col2/col3)",
    ),
    "NSLS-II 8-ID ISS": Layout(
        "matthewcarbone/Lightway aimmdb/_tests/eli_test_file.dat", "iss.dat",
        ISS + rows(ENERGY, -1e-10 * I0, -1e-10 * IT, -1e-10 * IREF, -1e-10 * FLUO, *(1e-5 * RNG.standard_normal((4, N)))),
        "ln(i0/it)", "ln(it/ir)",
    ),
    "SPring-8 BL14B2, 9809": Layout(
        "the header of KEK-PF files (bruceravel/demeter Plugins/PFBL12C.pm) under the other facility's name", "bl14b2.dat",
        SPRING8 + rows(ANGLE, ANGLE, ONES, I0, IT), "ln(i0/it)",
    ),
    "Diamond GDA text": Layout(
        "read_dat_file of babelscan and its copies (DanPorter/babelscan); header of GDA's emulator", "571664.dat",
        GDA + rows(ENERGY, I0, IT, IREF, np.log(I0 / IT), FLUO, by="\t"), "ln(I0/It)", "ln(It/Iref)",
    ),
    "Australian Synchrotron MEX2, mda2ascii": Layout(
        "xraysoftmat/pyNexafs pyNexafs/parsers/au/aus_sync/MEX2.py and its relabels", "mex2.asc",
        MDA + rows(INDEX + 1, ENERGY / 1000, ENERGY, 0.3 * I0 + 5, I0, noisy(1e-3 * I0, 5e-3), FLUO), "MEX2ES01DPP01_dppAVG_InputCountRate/MEX2ES01DAQ01_ch2_S_MeanValue_RBV|MEX2ES01DPP01_dppAVG_InputCountRate/MEX2ES01DAQ01_ch1_S_MeanValue_RBV",
    ),
}  # fmt: skip


def put(folder: Path, layout: Layout) -> Path:
    path = folder / layout.name
    path.write_bytes(layout.content if isinstance(layout.content, bytes) else layout.content.encode())
    return path


@pytest.mark.parametrize("name", LAYOUTS)
def test_read_right_or_refused_for_a_reason(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    path = put(tmp_path, layout)
    if layout.refused:
        with pytest.raises(ReadError, match=layout.refused):
            io.read(path)
        return
    scan = io.read(path)
    assert scan.mu_expr in layout.expr.split("|")
    assert not layout.reference or scan.reference_expr in layout.reference.split("|")
    assert (scan.element, scan.edge) == ("Cu", "K")
    assert abs(scan.energy[0] - ENERGY[0]) < 0.1
    assert left_over(scan.energy, scan.mu().mu) < 0.01
    if layout.reference:
        assert left_over(scan.energy, scan.mu().reference) < 0.01


OPTIONS: dict[str, dict[str, str]] = {
    "APS 5-BM-D, no labels": {"mu": "ln(col7/col8)"},
    "DESY P65 .xdi": {"mu": "ln(VFC01/VFC02)"},
    "MAX IV Balder SPEC": {"mu": "ln((albaem02_ch1+albaem02_ch2)/albaem02_ch3)"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_refused_is_read_with_the_option_that_decides(tmp_path: Path, name: str) -> None:
    scan = io.read(put(tmp_path, LAYOUTS[name]), **OPTIONS[name])
    assert (scan.element, scan.edge) == ("Cu", "K")
    assert left_over(scan.energy, scan.mu().mu) < 0.01
