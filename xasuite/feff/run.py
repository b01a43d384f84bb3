"""Runs of FEFF in a temporary folder with a time limit; the results are kept in the cache.

feff8l is a sequence of six programs, feff6l is one program. FEFF ends with code 0 also when it gives up, so the
success of a program is judged by the file that it must write.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .._larch.feff_programs import feff_binary
from ..errors import FeffError
from . import cache

# The programs of a run, each with the file that it must write.
PROGRAMS: dict[str, tuple[tuple[str, str], ...]] = {
    "feff8l": (
        ("feff8l_rdinp", "geom.json"),
        ("feff8l_pot", "pot.pad"),
        ("feff8l_xsph", "phase.pad"),
        ("feff8l_pathfinder", "paths.dat"),
        ("feff8l_genfmt", "feff.pad"),
        ("feff8l_ff2x", "files.dat"),
    ),
    "feff6l": (("feff6l", "files.dat"),),
}
KEPT = ("feff[0-9][0-9][0-9][0-9].dat", "files.dat", "paths.dat")
LOG = "log.txt"
TIMEOUT = 300.0
# FEFF prints about 10 kB per run; a program that prints more bytes than this is stopped.
MOST_PRINTED = 20_000_000
_MOST_KEPT = 200_000

# The runs collected by `recorded`: input and run, by key
_RECORD: ContextVar[dict[str, tuple[str, FeffRun]] | None] = ContextVar("FEFF runs", default=None)

_SAYS = ("error", "fatal", "stop", "too many", "cannot", "can't", "bad ", "invalid", "not found", "unable")


@dataclass(frozen=True, eq=False)
class FeffRun:
    """A finished run: its key in the cache, kept files by name, FEFF's output, and whether it came from the cache."""

    key: str
    program: str
    files: Mapping[str, bytes]
    log: str
    cached: bool


def run_feff(
    inputs: str | Mapping[str, str],
    *,
    program: str = "feff8l",
    steps: Sequence[tuple[str, str]] | None = None,
    keep: Sequence[str] = KEPT,
    timeout: float = TIMEOUT,
    label: str = "",
) -> FeffRun:
    """FEFF's output for an input, from the cache if the same programs have run the same input before.

    Parameters
    ----------
    inputs : str or Mapping str, str
        The text of feff.inp, or several input files by name.
    program : str
        feff8l or feff6l (see PROGRAMS).
    steps : sequence of tuple str, str, optional
        Programs to run instead of PROGRAMS[program], each with the file that it must write.
    keep : sequence of str
        Patterns of the names of files that are kept.
    timeout : float
        Time limit in s for all programs together.
    label : str
        Purpose of the run, used in messages.

    Returns
    -------
    FeffRun
        Key in the cache, kept files by name, FEFF's output, and whether it came from the cache.

    Raises
    ------
    FeffError
        A program is missing, the time limit was reached, or FEFF failed (the message has FEFF's words).

    Examples
    --------
    >>> cluster = xs.feff.make_cluster(xs.load_crystal("Cu"), absorber="Cu", radius=4.0)
    >>> run = xs.feff.run_feff(xs.feff.feff_inp(cluster, radius=4.0, program="feff6l"), program="feff6l")
    >>> "feff0001.dat" in run.files
    True
    """
    chain = steps or steps_of(program)
    texts = {"feff.inp": inputs} if isinstance(inputs, str) else dict(inputs)
    binaries = [feff_binary(name) for name, _ in chain]
    key = _key(texts, program, binaries, keep)
    kept = cache.load(key)
    if kept is None or LOG not in kept:
        with tempfile.TemporaryDirectory(prefix="xasuite-feff-") as name:
            folder = Path(name)
            for file, text in texts.items():
                (folder / file).write_text(text)
            log = _execute(folder, chain, binaries, timeout, label or program, key)
            made = [p for p in sorted(folder.iterdir()) if any(fnmatch.fnmatch(p.name, k) for k in keep)]
            contents = {p.name: p.read_bytes() for p in made}
        cache.store(key, {**contents, LOG: log.encode(), **{f: t.encode() for f, t in texts.items()}})
        run = FeffRun(key, program, MappingProxyType(contents), log, False)
    else:
        log = kept.pop(LOG).decode(errors="replace")
        run = FeffRun(key, program, MappingProxyType(kept), log, True)
    if (record := _RECORD.get()) is not None and isinstance(inputs, str) and steps is None and keep == KEPT:
        record[key] = inputs, run
    return run


def steps_of(program: str) -> tuple[tuple[str, str], ...]:
    """The programs of feff8l or feff6l, each with the file that it must write. Raises FeffError for another name."""
    if program not in PROGRAMS:
        raise FeffError(f"no FEFF program {program!r}; there are {', '.join(PROGRAMS)}")
    return PROGRAMS[program]


@contextlib.contextmanager
def recorded() -> Iterator[dict[str, tuple[str, FeffRun]]]:
    """Collects all runs for scattering paths within the block, in this thread: feff.inp and the run, by its key."""
    found: dict[str, tuple[str, FeffRun]] = {}
    token = _RECORD.set(found)
    try:
        yield found
    finally:
        _RECORD.reset(token)


def adopt(inp: str, program: str, kept: Mapping[str, bytes]) -> None:
    """Put a run of another machine into the cache, where `run_feff` finds it. Raises FeffError if the program is missing."""
    name = _key({"feff.inp": inp}, program, [feff_binary(n) for n, _ in PROGRAMS[program]], KEPT)
    cache.store(name, {**kept, LOG: b"", "feff.inp": inp.encode()})


def _key(texts: Mapping[str, str], program: str, binaries: Sequence[Path], keep: Sequence[str]) -> str:
    return cache.key(texts, binaries, extra=" ".join((program, *keep)))


def _execute(
    folder: Path,
    chain: Sequence[tuple[str, str]],
    binaries: Sequence[Path],
    timeout: float,
    label: str,
    key: str,
) -> str:
    """Run the programs in their order in `folder`; gives the log of all. Raises FeffError."""
    log = ""
    deadline = time.monotonic() + timeout
    for (step, proof), binary in zip(chain, binaries, strict=True):
        said, code = _one_program(folder, binary, deadline, label)
        log += said
        wrong = f"ended with code {code}" if code else f"left no {proof}"
        if code is None:
            wrong = f"was stopped after the time limit of {timeout:g} s; take a smaller radius or a longer time limit"
        elif len(said) >= MOST_PRINTED:
            wrong = f"was stopped after printing {MOST_PRINTED / 1e6:g} MB"
        elif code == 0 and Path(folder, proof).is_file():
            continue
        raise FeffError(f"{label}: {step} {wrong}; FEFF says: {_words(said)} (log: {_keep_log(key, log)})")
    return log


def _one_program(folder: Path, binary: Path, deadline: float, label: str) -> tuple[str, int | None]:
    """The output of a program and its exit code; None if it was stopped at the deadline."""
    printed = folder / ".printed"
    with printed.open("wb") as out:
        try:
            process = subprocess.Popen(
                [*_tied(), str(binary)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        except OSError as exc:
            raise FeffError(f"{label}: {binary} cannot be started: {exc.strerror or exc}") from None
        with process:
            try:
                while process.poll() is None and printed.stat().st_size < MOST_PRINTED:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(min(left, 0.2))
                code = process.poll()
                late = code is None and printed.stat().st_size < MOST_PRINTED
            finally:
                process.kill()
    said = printed.read_bytes()[:MOST_PRINTED].decode(errors="replace")
    printed.unlink()
    return said, None if late else code or 0 if code is not None else -9


@functools.cache
def _tied() -> tuple[str, ...]:
    """The command before a program that makes Linux end it when this process is killed (setpriv of util-linux); else ()."""
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    start = (found or "", "--pdeathsig", "KILL", "--")
    # BusyBox's setpriv, and those before 2019, do not know the option
    known = found and subprocess.run([*start, "true"], capture_output=True, check=False).returncode == 0
    return start if known else ()


def _words(said: str) -> str:
    """FEFF's explanation: the lines with an error message, else the last lines."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Note: The following floating-point")]
    complaints = [line for line in lines if any(word in line.lower() for word in _SAYS)]
    chosen = complaints[:3] or lines[-3:]
    return '"' + " | ".join(chosen) + '"' if chosen else "nothing"


def _keep_log(key: str, log: str) -> Path:
    return cache.write(cache.cache_dir() / "feff" / "failed" / f"{key}.log", log[-_MOST_KEPT:].encode())
