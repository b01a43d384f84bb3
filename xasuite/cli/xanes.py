"""``xasuite xanes``: a K-edge XANES from a structure, compared with a measurement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from . import xanes_studies as studies
from .common import DATA_ROOT, JSON, print_json, print_table, say

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
    compare: str | None = typer.Option(None, help="Measured spectrum (FILE or FILE::GROUP)."),
    wrong: list[str] = typer.Option([], help="Another structure for comparison; may be repeated."),
    fit: list[str] = typer.Option([], help="Also fitted: gauss, lorentz, stretch; may be repeated."),
    gauss: float = typer.Option(2.0, help="Gaussian sigma of the monochromator, eV."),
    converge: bool = typer.Option(
        False, "--converge", help="Study from which radius on the spectrum no longer changes."
    ),
    study: str | None = typer.Option(
        None,
        help="Study of references/published, as in standards/measured; with --compare its structures are fitted.",
    ),
    only: list[str] = typer.Option([], help="With --study of standards: one of them; may be repeated."),
    write: str | None = typer.Option(None, help="Write input for feff9, feff10 or fdmnes to -o and stop."),
    data_root: Path | None = DATA_ROOT,
    json: bool = JSON,
    output: Path | None = typer.Option(None, "--output", "-o", help="Stem of .csv, .png and .pdf files."),
) -> None:
    """XANES of a structure by full multiple scattering; label: theory."""
    from ..errors import TheoryError

    settings: studies.Settings = {"lmax": lmax, "scf": scf}
    # an option that is not given is left to the study, which may have another default than a single spectrum
    settings |= {k: v for k, v in (("radius", radius), ("sigma2", sigma2)) if v is not None}
    if study is not None:
        from ..specs.published import study as study_of
        from ..specs.studies import StandardsStudy

        known = study_of(study)
        if isinstance(known, StandardsStudy):
            return studies.run_standards(
                known, studies.measured_root(data_root), only, settings, json, output
            )
        if compare is not None:
            return studies.fit_structures(known, compare, gauss, settings, json, output)
        return studies.run_structures(known, settings, json, output)
    if structure is None or absorber is None:
        raise TheoryError("name a structure and its absorber, as in: xasuite xanes CoO --absorber Co")
    settings |= {"edge": edge, "nohole": nohole, "site": site}
    if write is not None:
        return studies.write_input(structure, absorber, write, settings, output)
    if converge:
        return studies.run_converge(structure, absorber, settings, json)
    found = _spectra([structure, *wrong], absorber, settings, json)
    if compare is None:
        _computed(found[0], gauss, json, output)
    else:
        _compared(found, compare, fit, gauss, json, output)


def _spectra(
    structures: list[str], absorber: str, settings: studies.Settings, json: bool
) -> list[TheoryXanes]:
    from ..theory.xanes import theory_xanes

    with studies.progress(json) as said:
        return [theory_xanes(s, absorber=absorber, progress=said, **settings) for s in structures]


def _computed(theory: TheoryXanes, gauss: float, json: bool, output: Path | None) -> None:
    """One spectrum without a measurement: its peaks, table and figure."""
    peaks = theory.peaks(gauss=gauss)
    if json:
        first = {n: getattr(theory, n) for n in ("label", "absorber", "atoms", "radius", "sites")}
        curves = {"energy": theory.energy, "mu": theory.mu, "bare_atom": theory.atom}
        said = {"notes": theory.notes, "limits": theory.limits}
        print_json({"kind": "theory", **first, "peaks": [round(p, 2) for p in peaks], **curves, **said})
    else:
        say(
            f"theory: {theory.label}, {theory.absorber} {theory.edge} edge, {theory.atoms} atoms within "
            f"{theory.radius:g} A, lmax {theory.lmax}, {'no core hole' if theory.nohole else 'core hole'}"
        )
        say(f"peaks (eV from the Fermi level, Gaussian {gauss:g} eV): " + " ".join(f"{p:.1f}" for p in peaks))
        studies.print_notes(theory)
    columns = {"energy_eV": theory.energy, "mu": theory.mu, "bare_atom": theory.atom}
    studies.save(output, columns, theory, "%.6f")


def _compared(
    found: list[TheoryXanes], measured: str, fit: list[str], gauss: float, json: bool, output: Path | None
) -> None:
    """The spectra of the structure and of the --wrong ones against a measurement, the best first."""
    from ..io import read
    from ..reduce import normalize
    from ..theory.comparison import rank

    own = found[0]
    ranked = rank(found, normalize(read(measured).mu(), method="polynomial"), gauss=gauss, free=tuple(fit))
    if json:
        print_json({"kind": "theory", "ranked": [_document(r) for r in ranked], "limits": own.limits})
    else:
        _print_ranked(ranked, own)
    c = next(r.comparison for r in ranked if r.comparison.label == own.label)
    columns = {"energy_eV": c.energy, "measured": c.data, "theory": c.model, "bare_atom": c.atom}
    studies.save(output, columns, c, "%.6f")


def _print_ranked(ranked: tuple[Ranked, ...], own: TheoryXanes) -> None:
    from ..records.quantities import as_printed

    def value(c: Comparison, name: str) -> str:
        error = c.stderr.get(name)
        return as_printed(c.values[name], error) if error else f"{c.values[name]:g}"

    best = ranked[0].comparison
    extra = [n for n in ("gauss", "lorentz", "stretch") if n in best.fitted]
    rows: list[dict[str, str]] = []
    for r in ranked:
        c = r.comparison
        row = {"structure": c.label, "R": f"{c.rfactor:.5f}", "R bare atom": f"{c.rfactor_atom:.5f}"}
        row |= {"correlation": f"{c.correlation:.4f}", "shift (eV)": value(c, "shift")}
        row |= {n: value(c, n) for n in ("scale", *extra)}
        row |= {"R / best": f"{r.ratio:.2f}", "noise of R": f"{r.noise:.1e}"}
        rows.append(row | {"excluded": "yes" if r.excluded else "best" if r is ranked[0] else "no"})
    print_table("theory against measured", tuple(rows[0]), [tuple(row.values()) for row in rows])
    if not any(r.excluded for r in ranked) and len(ranked) > 1:
        say("XANES does not distinguish these structures: no R is twice the best one's")
    say("peaks measured (eV): " + " ".join(f"{p:.1f}" for p in best.peaks_data))
    say(f"peaks {best.label} (eV): " + " ".join(f"{p:.1f}" for p in best.peaks_theory))
    studies.print_notes(own)


def _document(r: Ranked) -> dict[str, Any]:
    c = r.comparison
    fit = {"structure": c.label, "rfactor": c.rfactor, "rfactor_bare_atom": c.rfactor_atom}
    fit |= {n: getattr(c, n) for n in ("correlation", "values", "stderr", "peaks_theory")}
    place = {"ratio_to_best": r.ratio, "noise_of_rfactor": r.noise, "excluded": r.excluded}
    return fit | {"peaks_measured": c.peaks_data} | place
