"""Fits from several threads: the numbers and the warnings of one thread, and a process that is left as it was."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import xasuite
from xasuite.threads import one_blas_thread, one_blas_thread_from_start

SCRIPT = """
import sys, warnings
from concurrent.futures import ThreadPoolExecutor
import xasuite as xs

paths = [p for p in xs.find_paths("Cu", absorber="Cu") if p.nleg == 2]
truth = [xs.simulate.TruthPath(p, n=p.degen, s02=0.9, sigma2=8e-3) for p in paths]
spectra = [xs.simulate.spectrum(truth, element="Cu", noise=3e-4, seed=i).spectrum for i in range(8)]

def numbers(spectrum):
    made = xs.fit(spectrum, crystal="Cu", shells=1, k=(3, 12), r=(1.4, 2.8))
    return {n: (v.n, v.s) for n, v in made.params.items()}, made.warnings

alone = [numbers(s) for s in spectra]
for threads in (4, 8):
    before = sys.stdout, sys.stderr, warnings.filters, list(warnings.filters), warnings.showwarning
    with ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(numbers, spectra))
    after = sys.stdout, sys.stderr, warnings.filters, list(warnings.filters), warnings.showwarning
    assert all(a is b for a, b in zip(before[:3], after[:3])) and before[3:] == after[3:], "the process was changed"
    assert together == alone, "numbers or warnings differ"
print("printed afterwards")
"""


def test_eight_threads_give_the_numbers_and_warnings_of_one() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "printed afterwards\n"


def test_nothing_else_changes_the_warnings_of_the_process() -> None:
    """One module alone warns, collects and silences: a second way would mix what threads say."""
    for path in Path(xasuite.__file__).parent.rglob("*.py"):
        if path.name != "notices.py":
            used = {
                f"{node.value.id}.{node.attr}"
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            }
            wrong = used & {
                "warnings.warn",
                "warnings.catch_warnings",
                "warnings.simplefilter",
            }
            assert not wrong, f"{path}: use xasuite.notices in place of {', '.join(wrong)}"


def test_compiled_code_is_made_again_when_what_it_calls_changes() -> None:
    """numba does not see it: a pull that changed compiled_model alone ended in "realloc(): invalid next size"."""
    from xasuite.exafs.engine import compiled_fit, compiled_model

    now = hashlib.sha256(Path(compiled_model.__file__).read_bytes()).hexdigest()[:16]
    assert now == compiled_fit.COMPILED_MODEL, f'write COMPILED_MODEL = "{now}" into compiled_fit.py'


def test_blas_has_one_thread_until_the_last_leaves() -> None:
    """The first of two that overlap leaves before the second: one thread goes on, and what was comes back."""

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == before == {2}


def test_the_command_line_takes_one_thread_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    one_blas_thread_from_start()
    assert (os.environ["OPENBLAS_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("1", "4")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    one_blas_thread_from_start()
    assert "OPENBLAS_NUM_THREADS" not in os.environ
