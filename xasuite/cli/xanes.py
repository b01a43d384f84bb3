"""``xasuite xanes``: a K-edge XANES from a structure, compared with a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import DATA_ROOT, JSON

if TYPE_CHECKING:
    from ..theory.comparison import Comparison, Ranked
    from ..theory.xanes import TheoryXanes


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("xanes")(xanes)


def xanes(
    structure: str | None = typer.Argument(
        None, help="Crystal or cluster: a shipped name, a CIF or xyz file, amcsd:NUMBER."
    ),
    absorber: str | None = typer.Option(None, "--absorber", "-a", help="Absorbing element."),
    edge: str = typer.Option("K", help="Edge; the theory serves K."),
    radius: float | None = typer.Option(None, help="Atoms within this many A scatter.  [6.5]"),
    lmax: int = typer.Option(3, help="Largest angular momentum."),
    site: str | None = typer.Option(None, help="One site (number or label) in place of their average."),
    scf: bool = typer.Option(True, "--scf/--no-scf", help="Self-consistent potentials (minutes, once)."),
    nohole: bool = typer.Option(False, "--nohole", help="Without the core hole (serves metals)."),
    sigma2: float = typer.Option(0.0, help="Mean square relative displacement of every pair, A^2."),
    compare: str | None = typer.Option(None, "--compare", help="Measured spectrum (FILE or FILE::GROUP)."),
    wrong: list[str] = typer.Option([], "--wrong", help="Another structure for comparison; may be repeated."),
    fit: list[str] = typer.Option([], "--fit", help="Also fitted: gauss, lorentz, stretch; may be repeated."),
    gauss: float = typer.Option(2.0, help="Gaussian sigma of the monochromator, eV."),
    converge: bool = typer.Option(
        False, "--converge", help="Radius study: when does the spectrum stop changing?"
    ),
    standards: bool = typer.Option(
        False, "--standards", help="The table of measured standards (all, or --only)."
    ),
    only: list[str] = typer.Option([], "--only", help="With --standards: these; may be repeated."),
    sites: bool = typer.Option(
        False, "--sites", help="CoN3-MnN3 against CoN4: difference and noise; with --compare a fit of both."
    ),
    write: str | None = typer.Option(
        None, "--write", help="Write input for feff9, feff10 or fdmnes to -o and stop."
    ),
    data_root: Path | None = DATA_ROOT,
    json: bool = JSON,
    output: Path | None = typer.Option(None, "--output", "-o", help="Stem of .csv, .png and .pdf files."),
) -> None:
    """XANES of a structure by full multiple scattering; label: theory."""
    from ..errors import TheoryError

    settings: dict[str, Any] = {"lmax": lmax, "scf": scf, "sigma2": sigma2}
    if radius is not None:
        settings["radius"] = radius
    if standards:
        return _standards(data_root, only, settings, json, output)
    if sites:
        if compare is not None:
            return _fit_sites(absorber or "Co", compare, settings, gauss, json, output)
        return _sites(absorber or "Co", settings, json, output)
    if structure is None or absorber is None:
        raise TheoryError("name a structure and its absorber, as in: xasuite xanes CoO --absorber Co")
    settings |= {"edge": edge, "nohole": nohole, "site": site}
    if write is not None:
        return _write(structure, absorber, write, settings, output)
    if converge:
        return _converge(structure, absorber, settings, json)
    return _one(structure, absorber, settings, compare, wrong, fit, gauss, json, output)


def _one(
    structure: str,
    absorber: str,
    settings: dict[str, Any],
    measured: str | None,
    wrong: list[str],
    fit: list[str],
    gauss: float,
    json: bool,
    output: Path | None,
) -> None:
    from ..theory.comparison import rank
    from ..theory.xanes import theory_xanes

    with progress(json) as said:
        found = [theory_xanes(s, absorber=absorber, progress=said, **settings) for s in [structure, *wrong]]
    own = found[0]
    if measured is None:
        _print_spectrum(own, gauss, json)
        if output is not None:
            _save(output, own.energy, {"mu": own.mu, "bare_atom": own.atom}, ("spectrum", [own]))
        return
    from ..io import read
    from ..reduce import normalize

    ranked = rank(found, normalize(read(measured).mu()), gauss=gauss, free=("shift", "scale", *fit))
    mine = next(r.comparison for r in ranked if r.comparison.label == own.label)
    if json:
        from .common import print_json

        print_json({"kind": "theory", "ranked": [_document(r) for r in ranked], "limits": list(own.limits)})
    else:
        _print_ranked(ranked, own)
    if output is not None:
        columns = {"measured": mine.data, "theory": mine.model, "bare_atom": mine.atom}
        _save(output, mine.energy, columns, ("comparison", mine))


def _print_spectrum(theory: TheoryXanes, gauss: float, json: bool) -> None:
    from .common import print_json

    peaks = theory.peaks(gauss=gauss)
    if json:
        print_json(
            {
                "kind": "theory",
                "label": theory.label,
                "absorber": theory.absorber,
                "atoms": theory.atoms,
                "radius": theory.radius,
                "sites": [list(s) for s in theory.sites],
                "peaks": [round(p, 2) for p in peaks],
                "energy": theory.energy.tolist(),
                "mu": theory.mu.tolist(),
                "bare_atom": theory.atom.tolist(),
                "notes": list(theory.notes),
                "limits": list(theory.limits),
            }
        )
        return
    typer.echo(
        f"theory: {theory.label}, {theory.absorber} {theory.edge} edge, {theory.atoms} atoms within "
        f"{theory.radius:g} A, lmax {theory.lmax}, {'no core hole' if theory.nohole else 'core hole'}"
    )
    typer.echo(
        f"peaks (eV from the Fermi level, Gaussian {gauss:g} eV): " + " ".join(f"{p:.1f}" for p in peaks)
    )
    _print_notes(theory)


def _print_notes(theory: TheoryXanes) -> None:
    for note in theory.notes:
        typer.echo(f"note: {note}")
    typer.echo("limits: " + "; ".join(theory.limits))


def _print_ranked(ranked: tuple[Ranked, ...], own: TheoryXanes) -> None:
    from ..exafs.result import paper
    from .common import print_table

    def value(c: Comparison, name: str) -> str:
        error = c.stderr.get(name)
        return paper(c.values[name], error) if error else f"{c.values[name]:g}"

    extra = [n for n in ("gauss", "lorentz", "stretch") if n in ranked[0].comparison.fitted]
    header = (
        "structure",
        "R",
        "R bare atom",
        "correlation",
        "shift (eV)",
        "scale",
        *extra,
        "R / best",
        "noise of R",
        "excluded",
    )
    rows = []
    for r in ranked:
        c = r.comparison
        rows.append(
            (
                c.label,
                f"{c.rfactor:.5f}",
                f"{c.rfactor_atom:.5f}",
                f"{c.correlation:.4f}",
                value(c, "shift"),
                value(c, "scale"),
                *(value(c, n) for n in extra),
                f"{r.ratio:.2f}",
                f"{r.noise:.1e}",
                "yes" if r.told else ("best" if r is ranked[0] else "no"),
            )
        )
    print_table("theory against measured", header, rows)
    if not any(r.told for r in ranked) and len(ranked) > 1:
        typer.echo("XANES does not tell these structures apart: no R is twice the best one's")
    best = ranked[0].comparison
    typer.echo("peaks measured (eV): " + " ".join(f"{p:.1f}" for p in best.peaks_data))
    typer.echo(f"peaks {best.label} (eV): " + " ".join(f"{p:.1f}" for p in best.peaks_theory))
    _print_notes(own)


def _document(r: Ranked) -> dict[str, Any]:
    c = r.comparison
    return {
        "structure": c.label,
        "rfactor": c.rfactor,
        "rfactor_bare_atom": c.rfactor_atom,
        "correlation": c.correlation,
        "values": dict(c.values),
        "stderr": dict(c.stderr),
        "peaks_theory": list(c.peaks_theory),
        "peaks_measured": list(c.peaks_data),
        "ratio_to_best": r.ratio,
        "noise_of_rfactor": r.noise,
        "excluded": r.told,
    }


def _converge(structure: str, absorber: str, settings: dict[str, Any], json: bool) -> None:
    from ..theory.xanes import converge
    from .common import print_json

    most = settings.pop("radius", 7.0)
    with progress(json) as said:
        study = converge(structure, absorber=absorber, most=most, progress=said, **settings)
    if json:
        print_json(
            {
                "kind": "theory",
                "radii": list(study.radii),
                "atoms": list(study.atoms),
                "change": list(study.change),
                "converged_from": study.radius,
            }
        )
    else:
        typer.echo(str(study))
        _print_notes(study.spectra[-1])


def _standards(
    data_root: Path | None, only: list[str], settings: dict[str, Any], json: bool, output: Path | None
) -> None:
    import os

    from ..errors import ReadError
    from ..study.theory import theory_table
    from .common import print_json, print_table

    root = data_root or Path(os.environ.get("XASUITE_DATA", ""))
    if str(root) in ("", ".") or not root.is_dir():
        raise ReadError(
            "the table needs measured standards: name their folder with --data-root or XASUITE_DATA"
        )
    with progress(json) as said:
        table = theory_table(root, only or None, progress=said, **settings)
    frame = table.frame()
    if json:
        print_json(
            {
                "kind": "theory against measured",
                "rows": frame.to_dict("records"),
                "limits": list(table.limits),
            }
        )
    else:
        shown = frame.drop(columns=["wanted correlation", "scale"])
        print_table("theory against measured standards", tuple(shown.columns), shown.itertuples(index=False))
        typer.echo("limits: " + "; ".join(table.limits))
    if output is not None:
        from ..files import replacing
        from ..report.plots import style
        from ..report.plots.theory import plot_standards

        with replacing(output.with_suffix(".csv")) as temporary:
            frame.to_csv(temporary, index=False)
        style.save(plot_standards([r.comparison for r in table.rows]), output)


def _sites(absorber: str, settings: dict[str, Any], json: bool, output: Path | None) -> None:
    from ..study.theory import site_study
    from .common import print_json, print_table

    with progress(json) as said:
        study = site_study(absorber, progress=said, **settings)
    rows = [
        (d.first, d.second, f"{d.rms:.4f}", f"{d.largest:.4f}", f"{d.rfactor:.5f}", f"{d.noise:.3f}")
        for d in study.differences
    ]
    header = ("structure", "against", "rms", "largest", "R", "noise that hides it")
    if json:
        print_json(
            {
                "kind": "theory",
                "differences": [dict(zip(header, r, strict=True)) for r in rows],
                "limits": list(study.limits),
            }
        )
    else:
        print_table("theory against theory", header, rows)
        for line in study.verdict:
            typer.echo(line)
        typer.echo("limits: " + "; ".join(study.limits))
    if output is not None:
        from ..report.plots import style
        from ..report.plots.theory import plot_sites

        style.save(plot_sites(study), output)


def _fit_sites(
    absorber: str, measured: str, settings: dict[str, Any], gauss: float, json: bool, output: Path | None
) -> None:
    from ..io import read
    from ..reduce import normalize
    from ..study.theory import site_grids
    from ..theory.fit import fit_structure
    from .common import print_json

    data = normalize(read(measured).mu())
    # Self-consistency at every point of the grid would take hours.
    with progress(json) as said:
        grids = site_grids(absorber, progress=said, **{**settings, "scf": False})
    fit = fit_structure(grids, data, gauss=gauss)
    if json:
        models = [
            {
                "model": m.label,
                "probability": m.probability,
                "rfactor": m.rfactor,
                "mean": m.mean,
                "stderr": m.stderr,
            }
            for m in fit.models
        ]
        print_json({"kind": "theory against measured", "models": models, "sentences": list(fit.sentences)})
    else:
        for m in fit.models:
            typer.echo(f"{m.label}: probability {m.probability:.3f}, R {m.rfactor:.5f}")
        for sentence in fit.sentences:
            typer.echo(sentence)
        typer.echo("limits: " + "; ".join(fit.limits))
    if output is not None:
        from ..report.plots import style
        from ..report.plots.theory import plot_structure_fit

        style.save(plot_structure_fit(fit), output)


def _write(
    structure: str, absorber: str, program: str, settings: dict[str, Any], output: Path | None
) -> None:
    from ..theory.external import write_fdmnes, write_feff

    target = output or Path("feff.inp" if program.startswith("feff") else "job.inp")
    if program == "fdmnes":
        paths = write_fdmnes(
            structure, target, absorber=absorber, radius=settings.get("radius", 6.0), scf=settings["scf"]
        )
    else:
        paths = write_feff(
            structure,
            target,
            absorber=absorber,
            program=program,
            **{k: settings[k] for k in ("radius", "scf", "nohole", "site") if k in settings},
        )
    for path in paths:
        typer.echo(str(path))


def _save(output: Path, energy: Any, columns: dict[str, Any], what: tuple[str, Any]) -> None:
    import numpy as np

    from ..files import replacing
    from ..report.plots import style
    from ..report.plots import theory as plots

    with replacing(output.with_suffix(".csv")) as temporary:
        header = "energy_eV," + ",".join(columns)
        np.savetxt(
            temporary,
            np.column_stack([energy, *columns.values()]),
            delimiter=",",
            header=header,
            comments="",
            fmt="%.6f",
        )
    figure = plots.plot_theory(what[1][0]) if what[0] == "spectrum" else plots.plot_comparison(what[1])
    for path in style.save(figure, output):
        typer.echo(str(path))


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar with the time left on stderr; nothing when quiet or not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def said(what: str, done: int, most: int) -> None:
            if what not in tasks:
                # Potentials do not say how far they are: a bar without an end.
                tasks[what] = bar.add_task(what, total=most if most > 1 else None)
            bar.update(tasks[what], completed=done)

        yield said
