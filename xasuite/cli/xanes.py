"""``xasuite xanes``: a K-edge XANES from a structure, compared with a measurement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import DATA_ROOT, JSON, say

if TYPE_CHECKING:
    from ..theory.comparison import Comparison, Ranked
    from ..theory.xanes import TheoryXanes


def xanes(
    structure: str | None = typer.Argument(
        None, help="Crystal or cluster: a shipped name, a CIF or xyz file, amcsd:NUMBER."
    ),
    absorber: str | None = typer.Option(None, "--absorber", "-a", help="Absorbing element."),
    edge: str = typer.Option("K", help="Edge; only K can be computed."),
    radius: float | None = typer.Option(None, help="Radius of the cluster that scatters, A.  [6.5]"),
    lmax: int = typer.Option(3, help="Largest angular momentum."),
    site: str | None = typer.Option(None, help="One site (number or label) in place of their average."),
    scf: bool = typer.Option(True, "--scf/--no-scf", help="Self-consistent potentials (minutes, once)."),
    nohole: bool = typer.Option(False, "--nohole", help="Without the core hole (better for metals)."),
    sigma2: float | None = typer.Option(
        None, help="Mean square relative displacement of every pair, A^2.  [0; a study's own]"
    ),
    compare: str | None = typer.Option(None, "--compare", help="Measured spectrum (FILE or FILE::GROUP)."),
    wrong: list[str] = typer.Option([], "--wrong", help="Another structure for comparison; may be repeated."),
    fit: list[str] = typer.Option([], "--fit", help="Also fitted: gauss, lorentz, stretch; may be repeated."),
    gauss: float = typer.Option(2.0, help="Gaussian sigma of the monochromator, eV."),
    converge: bool = typer.Option(
        False, "--converge", help="Radius study: when does the spectrum stop changing?"
    ),
    study: str | None = typer.Option(
        None,
        "--study",
        help="PAPER/NAME in references/published: standards/measured; with --compare a fit of its structures.",
    ),
    only: list[str] = typer.Option([], "--only", help="With --study of standards: these; may be repeated."),
    write: str | None = typer.Option(
        None, "--write", help="Write input for feff9, feff10 or fdmnes to -o and stop."
    ),
    data_root: Path | None = DATA_ROOT,
    json: bool = JSON,
    output: Path | None = typer.Option(None, "--output", "-o", help="Stem of .csv, .png and .pdf files."),
) -> None:
    """XANES of a structure by full multiple scattering; label: theory."""
    from ..errors import TheoryError
    from .xanes_studies import run_converge, run_study, write_input

    settings: dict[str, Any] = {"lmax": lmax, "scf": scf}
    # What is not given is the callee's own default: a study has another than a single spectrum.
    settings |= {k: v for k, v in (("radius", radius), ("sigma2", sigma2)) if v is not None}
    if study is not None:
        return run_study(study, compare, data_root, only, settings, gauss, json, output)
    if structure is None or absorber is None:
        raise TheoryError("name a structure and its absorber, as in: xasuite xanes CoO --absorber Co")
    settings |= {"edge": edge, "nohole": nohole, "site": site}
    if write is not None:
        return write_input(structure, absorber, write, settings, output)
    if converge:
        return run_converge(structure, absorber, settings, json)
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
    from .xanes_studies import progress

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

    ranked = rank(found, normalize(read(measured).mu(), method="polynomial"), gauss=gauss, free=tuple(fit))
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
    from .xanes_studies import print_notes

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
    say(
        f"theory: {theory.label}, {theory.absorber} {theory.edge} edge, {theory.atoms} atoms within "
        f"{theory.radius:g} A, lmax {theory.lmax}, {'no core hole' if theory.nohole else 'core hole'}"
    )
    say(f"peaks (eV from the Fermi level, Gaussian {gauss:g} eV): " + " ".join(f"{p:.1f}" for p in peaks))
    print_notes(theory)


def _print_ranked(ranked: tuple[Ranked, ...], own: TheoryXanes) -> None:
    from ..records.quantities import as_printed
    from .common import print_table
    from .xanes_studies import print_notes

    def value(c: Comparison, name: str) -> str:
        error = c.stderr.get(name)
        return as_printed(c.values[name], error) if error else f"{c.values[name]:g}"

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
                "yes" if r.excluded else ("best" if r is ranked[0] else "no"),
            )
        )
    print_table("theory against measured", header, rows)
    if not any(r.excluded for r in ranked) and len(ranked) > 1:
        say("XANES does not distinguish these structures: no R is twice the best one's")
    best = ranked[0].comparison
    say("peaks measured (eV): " + " ".join(f"{p:.1f}" for p in best.peaks_data))
    say(f"peaks {best.label} (eV): " + " ".join(f"{p:.1f}" for p in best.peaks_theory))
    print_notes(own)


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
        "excluded": r.excluded,
    }


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
        typer.echo(str(path), err=True)
