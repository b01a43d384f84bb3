"""A corpus of damaged files: one honest file of every format, damaged in seeded ways. Nothing of it is stored."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from xasuite import io
from xasuite.records import Spectrum

E = np.unique(
    np.concatenate(
        [np.arange(8800.0, 8960.0, 5.0), np.arange(8960.0, 9010.0, 0.5), np.arange(9010.0, 9600.0, 3.0)]
    )
)
MU = 0.4 + 1.2 * (0.5 + np.arctan((E - 8979.0) / 1.5) / np.pi) * (
    1 + 0.05 * np.sin(0.25 * np.sqrt(np.maximum(E - 8979, 0)))
)
I0 = 1e5 + 50 * np.cos(E / 40)
FOREIGN = [
    b"nan nan nan", b"inf 1 2", b"9" * 400 + b" 1 2", b"1e999 2 3", b"# a.b: c", b"\xff\xfe", b"", b"(" * 3000, b"#S 2 x", b"[record]",
    b"1.2.3 4", b"\x1b[31m[/red]", b"=cmd|' /C calc'!A0", b"&END", b"@x = (1,2,3);", b"7000,5 1,5 2,5", b"#L a  b  c", b"\xd9\xa3 \xd9\xa4",
]  # fmt: skip
NUMBERS = [
    b"0",
    b"-1",
    b"1e308",
    b"-1e-320",
    b"nan",
    b"inf",
    b"9" * 30,
    b"1,5",
    b"0x10",
    b"1_0",
    b"1e",
    b"--1",
    b"1d3",
    b"True",
]


def rows(*columns: np.ndarray, form: str = "{:.6g}") -> str:
    return "\n".join(" ".join(form.format(v) for v in row) for row in zip(*columns, strict=True)) + "\n"


def honest(folder: Path) -> Mapping[str, bytes]:
    """The name of a file and its bytes, one or two of each format."""
    it = I0 * np.exp(-MU)
    angle = np.degrees(np.arcsin(12398.419843320026 / (2 * 3.13551 * E)))
    spectrum = Spectrum(energy=E, mu=MU, element="Cu", edge="K", label="Cu foil")
    made: dict[str, bytes] = {}
    for name in ("own.xdi", "own.csv", "own.h5", "own.prj"):
        made[name] = io.write(folder / name, spectrum).read_bytes()
    made["columns.dat"] = ("# Cu foil\n# energy i0 it\n" + rows(E, I0, it)).encode()
    made["comma.csv"] = ("energy;i0;it\n" + rows(E, I0, it).replace(" ", ";").replace(".", ",")).encode()
    made["packed.dat.gz"] = gzip.compress(made["columns.dat"], mtime=0)
    made["utf16.dat"] = made["columns.dat"].decode().encode("utf-16")
    made["spec.dat"] = (
        "#F foil\n\n#S 1 ascan energy\n#D today\n#L energy  i0  it\n"
        + rows(E, I0, it)
        + "\n#S 2 ascan energy\n#L energy  i0  it\n"
        + rows(E, I0, it)
    ).encode()
    head = (
        "  9809     KEK-PF   BL12C\nCu foil\n foil\n Mono :   SI(111)       D= 3.13551 A    Initial angle= 12.0\n"
        + "x\n" * 5
    )
    head += " Mode         0         0         1         2\n Offset       0         0     1.3     2.2\n"
    made["pf9809.dat"] = (head + rows(angle, angle, np.ones_like(E), I0, it)).encode()
    srs = " &SRS\n SRSTLE='Cu foil'\n &END\n" + "".join(
        f"{a * 1e3:.2f} 1.0 {b:.3f} {c:.3f} 5 6\n1 2 3\n" for a, b, c in zip(angle, I0, it, strict=True)
    )
    made["srs.dat"] = srs.encode()
    lytle = (
        " NPTS  NS CUEDGE  CUHITE   DSPACE  STPDEG\n 300 1 0 0 3.1355 4000\n"
        + "x\n" * 4
        + " CU FOIL   x\n"
        + rows(angle * 4000, I0, it)
    )
    made["lytle.dat"] = lytle.encode()
    made["x10c.dat"] = ("EXAFS\n a\n b\n Cu foil\n DATA START\n" + rows(E, *[I0] * 4, it, it, it)).encode()
    group = {"args": {"label": "Cu foil", "bkg_z": "Cu", "fft_edge": "k"}, "x": E.tolist(), "y": MU.tolist()}
    made["json.prj"] = gzip.compress(
        json.dumps(
            {"_____header1": "# Athena project file -- Demeter version 0.9.26", "abcd": group}
        ).encode(),
        mtime=0,
    )
    for name in ("groups.h5", "stack.h5"):
        with h5py.File(folder / name, "w") as f:
            for i in range(3 if name == "groups.h5" else 1):
                g = f.create_group(f"scan{i}")
                g.attrs["NX_class"], g["title"], g["energy"] = "NXdata", "Cu foil", E
                g["energy"].attrs["units"] = "eV"
                if name == "groups.h5":
                    g["i0"] = I0
                    g.create_dataset("it", data=it, chunks=True, compression="gzip", shuffle=True)
                else:
                    g["mu"] = np.tile(MU, (4, 1))
        made[name] = (folder / name).read_bytes()
    cell = "".join(f"_cell_length_{x} 3.615\n" for x in "abc") + "".join(
        f"_cell_angle_{x} 90\n" for x in ("alpha", "beta", "gamma")
    )
    sites = "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nCu1 Cu 0 0 0\n"
    made["cu.cif"] = (
        "data_Cu\n"
        + cell
        + "_symmetry_space_group_name_H-M 'F m -3 m'\n_symmetry_Int_Tables_number 225\n"
        + sites
    ).encode()
    return made


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """The bytes cut, flipped, with a piece taken out, doubled or zeroed, lines mixed, or a number in another's place."""
    way = rng.randrange(9)
    at, long = rng.randrange(len(raw)), rng.randrange(1, 2000)
    if way == 0:
        return raw[:at]
    if way == 1:
        changed = bytearray(raw)
        for _ in range(rng.choice([1, 3, 20, 300])):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if way == 2:
        return raw[:at] + raw[at + long :]
    if way == 3:
        return raw[:at] + raw[at : at + long] * rng.choice([2, 50]) + raw[at + long :]
    if way == 4:  # a sector that was never written
        return raw[:at] + bytes(len(raw[at : at + 512])) + raw[at + 512 :]
    if way == 5:
        return raw + rng.randbytes(long)
    lines = raw.split(b"\n")
    for _ in range(rng.choice([1, 5, 40])):
        here = rng.randrange(len(lines))
        if way == 6:
            lines[here] = rng.choice(FOREIGN)
        elif way == 7:
            words = lines[here].split(b" ")
            words[rng.randrange(len(words))] = rng.choice(NUMBERS)
            lines[here] = b" ".join(words)
        else:
            there = rng.randrange(len(lines))
            lines[here], lines[there] = lines[there], lines[here]
    return rng.choice([b"\n", b"\n", b"\r\n", b"\r"]).join(lines)


def corpus(folder: Path, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """`count` damaged files in turn of every format: a name that says the seed, and the bytes."""
    files = honest(folder)
    names = sorted(files)
    for number in range(count):
        name = names[number % len(names)]
        yield f"{seed}-{number}-{name}", damaged(files[name], random.Random(f"{seed} {number}"))


def limited(work: Callable[[], str], seconds: float, size: int) -> str:
    """What `work` says, run in a copy of this process with so much time and so much more memory; "died: ..." else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + size, now + size))
            try:
                said = work()
            except BaseException:  # noqa: BLE001
                said = f"died: {traceback.format_exc()[-1500:]}"
            os.write(writer, said.encode("utf-8", "replace")[:60_000])
        finally:
            os._exit(0)
    os.close(writer)
    end, pieces = time.monotonic() + seconds, []
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, end - time.monotonic()))
        piece = os.read(reader, 65_536) if ready else b""
        if not piece:
            break
        pieces.append(piece)
    if not ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reader)
    if not ready:
        return f"died: no end within {seconds:g} s"
    return (
        b"".join(pieces).decode()
        or f"died: signal {os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'none'}"
    )
