"""Series of known truth: copper whose coordination, distance and disorder change along 10 000 spectra."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from xasuite.exafs.engine import fit_stack
from xasuite.exafs.engine.program import compile_model, run
from xasuite.exafs.equation import build_tables, path_wave
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths, load_crystal
from xasuite.records import Array, Chi

N_SPECTRA = 10_000
NOISE = 5e-4
K = 0.05 * np.arange(301)
SEED = 6
# values at the two ends of the series, in the order of the model's parameters
ENDS = {
    1: np.array([[0.92, 3.5, -0.005, 0.0080], [0.70, 4.5, 0.010, 0.0105]]),
    2: np.array(
        [[12.0, 3.5, -0.005, 0.0080, 6.0, -0.005, 0.0110], [9.0, 4.5, 0.010, 0.0105, 4.0, 0.010, 0.0140]]
    ),
}


@lru_cache(maxsize=1)
def copper_paths() -> tuple:
    """Single scattering from the two nearest shells of copper, by FEFF."""
    paths = find_paths(load_crystal("Cu"), absorber="Cu", edge="K", radius=4.0)
    return tuple(p for p in paths if p.nleg == 2)[:2]


def model(shells: int) -> Model:
    """One shell with 4 variables, or two with 7 (S02 held), k^2, k = 3-14 1/A."""
    first, second = copper_paths()
    enot = Parameter("enot", 3.0)
    if shells == 1:
        params = (Parameter("amp", 0.9), enot, Parameter("dr1"), Parameter("ss1", 0.008))
        path = PathModel("Cu 1", first, parse(12.0), *(parse(n) for n in ("amp", "enot", "dr1", "ss1")))
        return Model(params, (path,), FitRange((3, 14), (1.4, 3.0), (2,)))
    params = (
        Parameter("n1", 11.0), enot, Parameter("dr1"), Parameter("ss1", 0.008),
        Parameter("n2", 5.0), Parameter("dr2"), Parameter("ss2", 0.011),
    )  # fmt: skip
    paths = (
        PathModel("Cu 1", first, parse("n1"), parse(0.9), parse("enot"), parse("dr1"), parse("ss1")),
        PathModel("Cu 2", second, parse("n2"), parse(0.9), parse("enot"), parse("dr2"), parse("ss2")),
    )
    return Model(params, paths, FitRange((3, 14), (1.4, 3.8), (2,)))


def truth(shells: int, m: int = N_SPECTRA) -> Array:
    """Parameters (m, nv) along the series."""
    t = np.linspace(0, 1, m)[:, None]
    return ENDS[shells][0] * (1 - t) + ENDS[shells][1] * t


def clean_chi(shells: int, x: Array) -> Array:
    """chi (m, nk) on `K` without noise, of parameters x (m, nv)."""
    program = compile_model(model(shells))
    tables = build_tables(copper_paths()[:shells])
    out = np.zeros((len(x), K.size))
    for i in range(0, len(x), 256):
        values, _ = run(program, x[i : i + 256])
        for path in range(shells):
            out[i : i + 256, 1:] += path_wave(tables, path, K[1:], values[:, path])[0].imag
    return out


def series(shells: int) -> Chi:
    """The series with noise."""
    rng = np.random.default_rng(SEED)
    chi = clean_chi(shells, truth(shells))
    return Chi(
        k=K, chi=chi + NOISE * rng.normal(size=chi.shape), e0=np.zeros(len(chi)), edge_step=np.ones(len(chi))
    )


def check(shells: int, fit: object, m: int = N_SPECTRA) -> None:
    """A fast fit that misses the truth is no fit: pulls must have a spread of about 1."""
    x = truth(shells, m)
    for i, name in enumerate(fit.names):  # type: ignore[attr-defined]
        pull = (fit.values[name] - x[:, i]) / fit.stderr[name]  # type: ignore[attr-defined]
        assert 0.3 < np.std(pull) < 3, f"{name} is not recovered: pulls spread by {np.std(pull):.2f}"


def feffit_one(shells: int) -> Callable[[Array, Array], object]:
    """feffit of one spectrum as its documentation shows it, with its own tolerance.

    It starts from the series' mean values, as the engine starts from a fit of the mean spectrum.
    """
    from larch import Group
    from larch.fitting import param, param_group
    from larch.xafs import feffit, feffit_dataset, feffit_transform, feffpath

    m = model(shells)
    start = {p.name: float(v) for p, v in zip(m.params, truth(shells).mean(axis=0), strict=True)}
    folder = tempfile.mkdtemp(prefix="xasuite-bench-")
    atexit.register(shutil.rmtree, folder)
    files = []
    for i, path in enumerate(m.paths):
        files.append(Path(folder) / f"feff{i + 1:04d}.dat")
        files[-1].write_text(path.feff.text)

    def fit(k: Array, chi: Array) -> object:
        group = param_group(**{name: param(value, vary=True, name=name) for name, value in start.items()})
        paths = [
            feffpath(
                str(file), label=path.label, degen=1, s02=f"({path.n.text})*({path.s02.text})", e0=path.e0.text,
                deltar=path.deltar.text, sigma2=path.sigma2.text,
            )
            for file, path in zip(files, m.paths, strict=True)
        ]  # fmt: skip
        r = m.range
        transform = feffit_transform(
            kmin=r.k[0], kmax=r.k[1], kw=r.kweight[0], dk=r.dk, window=r.window, rmin=r.r[0], rmax=r.r[1]
        )
        return feffit(group, [feffit_dataset(data=Group(k=k, chi=chi), paths=paths, transform=transform)])

    return fit


def fit_benchmark(shells: int, backend: str, wanted: str) -> dict:
    """Fits of the whole series against a loop over feffit on rows spread over it."""
    from benchmarks._measure import by_turns

    data, m = series(shells), model(shells)
    one = feffit_one(shells)
    per_turn = 24 if shells == 1 else 16

    def ours() -> int:
        fit = fit_stack(m, data, start="mean", backend=backend)  # type: ignore[arg-type]
        check(shells, fit)
        return len(fit)

    def peer(turn: int) -> int:
        rows = np.linspace(turn, N_SPECTRA - 1 - turn, per_turn).astype(int)
        for row in rows:
            one(data.k, data.chi[row])
        return len(rows)

    one(data.k, data.chi[0])
    # the twin needs no warm run, and its turns are long
    compiled = backend == "numba"
    out = by_turns(ours, peer, turns=9 if compiled else 3, warm=compiled)
    kind = "compiled" if backend == "numba" else "numpy"
    out["work"] = (
        f"{N_SPECTRA} spectra, {shells} shell{'s' * (shells > 1)}, {len(m.varied)} variables, {kind}"
    )
    return out | {"peer": "a loop over Larch's feffit", "wanted": wanted}
