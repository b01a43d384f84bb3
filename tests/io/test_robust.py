"""Whatever bytes come in: a scan, or one of the errors meant for it; never anything else."""

from __future__ import annotations

import gzip
import random
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xasuite import io
from xasuite.errors import ChannelError, DataError, ReadError, XasuiteWarning

EXPECTED = (ReadError, ChannelError, DataError)
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEADS = [
    b"# XDI/1.0\n# Column.1: energy eV\n# ---\n",
    b"# Athena project file -- Demeter version 0.9.26\n$old_group = 'a';\n@args = (",
    b'{"_____header1": "# Athena project file -- Demeter version 0.9.21", "a": {"x": [',
    b"\x89HDF\r\n\x1a\n",
    b"\x1f\x8b\x08",
    b"  9809     KEK-PF   BL12C\n",
    b" &SRS\n &END\n",
    b" NPTS  NS CUEDGE  CUHITE   DSPACE  STPDEG\n",
    b"#F file\n\n#S 1 scan\n#L energy  i0\n",
    b"EXAFS\n DATA START\n",
    b'# {"xasuite": 1, "label": "a"}\nenergy,mu\n',
    b"# energy i0 it\n",
    b"",
]


def attempt(path: Path) -> None:
    message = "nothing went wrong"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", XasuiteWarning)
        try:
            for scan in io.read_all(path):
                scan.mu()
        except EXPECTED as exc:
            message = str(exc)
    assert message.strip()
    assert "\n" not in message


@QUIET
@given(head=st.sampled_from(HEADS), body=st.binary(max_size=400))
def test_random_bytes(tmp_path: Path, head: bytes, body: bytes) -> None:
    path = tmp_path / "x.dat"
    path.write_bytes(head + body)
    attempt(path)


@QUIET
@given(
    head=st.sampled_from(HEADS),
    rows=st.lists(
        st.lists(
            st.one_of(
                st.floats().map(repr), st.sampled_from(["nan", "", "1e999", "x", "1.2.3", "-", "٣", "1D3"])
            ),
            max_size=4,
        ),
        max_size=30,
    ),
    separator=st.sampled_from([" ", "\t", ",", "  ,"]),
)
def test_random_tables(tmp_path: Path, head: bytes, rows: list[list[str]], separator: str) -> None:
    path = tmp_path / "x.dat"
    path.write_bytes(head + "\n".join(separator.join(row) for row in rows).encode())
    attempt(path)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files(data_root: Path, tmp_path: Path, seed: int) -> None:
    """Real files cut off, with bytes changed, with pieces taken out, with foreign lines put in."""
    rng = random.Random(seed)
    files = sorted(
        p for p in (data_root / "formats").rglob("*") if p.is_file() and p.stat().st_size < 120_000
    ) + sorted((data_root / "standards").glob("[CNR]*.prj"))
    foreign = [b"nan nan nan", b"inf 1 2", b"9" * 400 + b" 1 2", b"1e999 2 3", b"# a.b: c", b"\xff\xfe", b""]
    for number in range(60):
        source = rng.choice(files)
        data = source.read_bytes()
        if data[:2] == b"\x1f\x8b" and rng.random() < 0.7:
            data = gzip.decompress(data)
        way = rng.randrange(4)
        if way == 0:
            data = data[: rng.randrange(len(data))]
        elif way == 1:
            changed = bytearray(data)
            for _ in range(rng.choice([1, 20, 300])):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            data = bytes(changed)
        elif way == 2:
            start = rng.randrange(len(data))
            data = data[:start] + data[start + rng.randrange(1, 2000) :]
        else:
            lines = data.split(b"\n")
            for _ in range(5):
                lines[rng.randrange(len(lines))] = rng.choice(foreign)
            data = b"\n".join(lines)
        path = tmp_path / f"{number}{source.suffix}"
        path.write_bytes(data)
        attempt(path)


def test_h5_cut_anywhere(tmp_path: Path) -> None:
    import numpy as np

    from xasuite.records import Spectrum

    energy = np.arange(7000.0, 7300.0)
    whole = io.write(
        tmp_path / "a.h5", Spectrum(energy=energy, mu=np.arctan(energy - 7112), label="a")
    ).read_bytes()
    for size in range(8, len(whole), max(1, len(whole) // 40)):
        path = tmp_path / "cut.h5"
        path.write_bytes(whole[:size])
        with pytest.raises(ReadError):
            io.read(path)
