"""A spec written for other programs: a script of Larch that gives the same numbers, and an Athena project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from .._larch.fitting import waves
from .._larch.script import ScriptFit, ScriptSet, call, script
from ..errors import SpecError, WriteError
from ..exafs.fit import Problem, make_problem, on_grid
from ..exafs.model import FitRange
from ..io import write
from ..records import Step
from ..specs.load import load_spec, slug
from ..specs.schema import Reduce
from .fits import Row
from .resolve import Context, Resolved, reduction_of, resolve_spec


def export(
    spec: str | Path, output: str | Path, *, program: str, data_root: str | Path | None = None
) -> list[Path]:
    """Write a spec for Larch or Athena.

    Parameters
    ----------
    spec : str or Path
        The spec's file.
    output : str or Path
        A script (.py) for Larch, whose data and FEFF paths are written to a folder next to it; a project (.prj) for Athena.
    program : str
        "larch" or "athena".
    data_root : str or Path, optional
        Where data are looked for, in addition to the spec's folder.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    SpecError
        The spec has what the program cannot express: one sentence.
    WriteError
        The output has another suffix than the program's.

    Examples
    --------
    >>> import tempfile
    >>> from xasuite.references import fits_dir
    >>> folder = tempfile.mkdtemp()
    >>> made = export(fits_dir() / "foils/co_foil_closure.toml", f"{folder}/co.py", program="larch")
    >>> made[0].name
    'co.py'
    """
    target, writers = Path(output), {"larch": (".py", _larch), "athena": (".prj", _athena)}
    if program not in writers:
        raise SpecError(f"a spec cannot be written for {program!r}; there are {', '.join(writers)}")
    suffix, writer = writers[program]
    if target.suffix != suffix:
        raise WriteError(f"{target}: name it {target.stem}{suffix}, which {program} reads")
    loaded = load_spec(spec)
    return writer(resolve_spec(loaded, Context.of(data_root)), reduction_of(loaded), target)


# ------------------------------------------------------------------------------------------------------ Larch


def _larch(resolved: Resolved, settings: Reduce, target: Path) -> list[Path]:
    spec, loaded = resolved.loaded.spec, resolved.loaded
    folder = target.parent / f"{target.stem}_files"
    if spec.fit.together:
        groups = [(spec.title, list(resolved.rows), resolved.model)]
    else:
        groups = [(r.label, [r], resolved.model.of(r.label, r.chi.variables)) for r in resolved.rows]
    written: list[Path] = []
    fits = []
    for name, rows, model in groups:
        problem = make_problem(model, [r.chi for r in rows], spec.fit.epsilon_k)
        fits.append(_script_fit(name, rows, problem, settings, model.range, folder, written))
    head = {"title": spec.title, "source": loaded.path.name, "name": target.name}
    return [files.write_text(target, script(head, fits)), *written]


def _script_fit(
    name: str,
    rows: list[Row],
    problem: Problem,
    settings: Reduce,
    ranges: FitRange,
    folder: Path,
    written: list[Path],
) -> ScriptFit:
    sets = []
    for row, noise, (_, _, models) in zip(rows, problem.larch_noise, problem.per_set, strict=True):
        stem = slug(row.label)
        data = _chi_of(row, settings, folder, stem, written)
        paths = []
        for number, p in enumerate(models, 1):
            for turn, text, values in waves(p):
                file = files.write_text(folder / f"{stem}_{number:02d}{turn}.dat", text)
                written.append(file)
                label = f"{number} {p.label} {turn}".strip()
                paths.append((label, f"{folder.name}/{file.name}", values))
        sets.append(ScriptSet(data, paths, _noise_of(noise, folder, stem, written)))
    return ScriptFit(name, problem.model.params, sets, ranges, problem.program.restraints)


def _noise_of(noise: Sequence[Any] | None, folder: Path, stem: str, written: list[Path]) -> str:
    """The known noise of each k weight as the script has it: numbers, or a file with that of each k; "" where it is estimated."""
    if noise is None or all(np.ndim(e) == 0 for e in noise):
        return "" if noise is None else repr([float(e) for e in noise])
    text = "".join(f"{e!r}\n" for e in np.asarray(noise[0], float).tolist())
    written.append(files.write_text(folder / f"{stem}.noise", text))
    return f"[np.loadtxt(HERE / {f'{folder.name}/{stem}.noise'!r})] * {len(noise)}"


def _chi_of(row: Row, settings: Reduce, folder: Path, stem: str, written: list[Path]) -> str:
    """How the script gets a row's chi(k): by autobk of mu(E), or from a file where it was made otherwise."""
    by_larch = row.norm is not None and settings.background == "autobk" and settings.overabsorption is None
    arrays = (row.spectrum.energy, row.spectrum.mu) if by_larch else on_grid(row.chi, row.label)
    file = folder / f"{stem}.{'mu' if by_larch else 'chi'}"
    text = "\n".join(f"{x!r} {y!r}" for x, y in zip(*(np.asarray(a).tolist() for a in arrays), strict=True))
    written.append(files.write_text(file, text + "\n"))
    name = f"{folder.name}/{file.name}"
    if not by_larch:
        return call("from_chi", name)
    used: Any = row.chi.history[-1].settings
    return call(
        "from_mu", name, float(np.asarray(row.chi.e0)), float(np.asarray(row.chi.edge_step)), rbkg=used["rbkg"],
        kweight=used["kweight"], kmin=float(used["k"][0]), kmax=float(used["k"][1]), dk=used["dk"], win=used["window"],
        clamp_lo=used["clamp"][0], clamp_hi=used["clamp"][1], nclamp=used["nclamp"],
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------ Athena


def _athena(resolved: Resolved, settings: Reduce, target: Path) -> list[Path]:
    """The rows' mu(E) with E0, ranges, background and Fourier transform as Athena's own settings."""
    fit = resolved.loaded.spec.fit
    transforms = (
        Step("fourier", {"k": fit.k, "dk": fit.dk, "window": fit.window, "kweight": fit.kweight[0]}),
        Step("back_fourier", {"r": fit.r, "dr": fit.dr, "window": fit.rwindow}),
    )
    records = []
    for row in resolved.rows:
        if row.norm is None:
            raise SpecError(
                f"{resolved.loaded.path.name}: {row.label} is chi(k); an Athena project is written of mu(E)"
            )
        records.append(replace(row.norm, label=row.label, history=(*row.chi.history, *transforms)))
    return [write(target, records)]
