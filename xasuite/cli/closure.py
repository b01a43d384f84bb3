"""``xasuite closure``: what the pipeline does to a known truth, over noise seeds and over the analyst's choices."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import JSON, OUTPUT, console, print_json, print_table, spinner


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("closure")(closure)


def closure(
    spec: Path = typer.Argument(help=r"A spec whose \[\[data]] are simulated."),
    seeds: int = typer.Option(200, min=5, help="Noise seeds a row."),
    output: Path = OUTPUT,
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figure of the choices."),
) -> None:
    """Bias, spread, reported error and coverage of every published value; and how far N moves with each choice."""
    from ..errors import SpecError
    from ..report.closure import closure_json, recovery_rows, write_closure
    from ..specs import load_spec
    from ..workflow.closure import study

    loaded = load_spec(spec)
    if not any(d.simulate for d in loaded.spec.data):
        raise SpecError(f"{spec.name}: no [[data]] row is simulated, so there is no truth to compare with")
    with spinner(json) as progress:
        done = study(loaded, seeds=seeds, progress=progress)
        written = write_closure(done, output / loaded.name, figures=figures)
    if json:
        print_json(closure_json(done))
        return
    header, rows = recovery_rows(done.recoveries)
    print_table(f"{loaded.name}: {seeds} seeds a row (closure)", header, rows)
    for r in done.recoveries:
        if r.reason:
            console().print(
                f"  {r.row} {r.path} {r.quantity} at {r.noise:.1e}: coverage {r.coverage:.2f}: {r.reason}",
                style="yellow",
            )
    for row, level in done.matching.items():
        text = "none between 5e-5 and 5e-2" if level is None else f"{level:.2e}"
        console().print(f"  {row}: the noise that gives N its published error: epsilon_k {text}", style="dim")
    moved = [
        (c.what, c.row, c.path, f"{c.n:.2f}", f"{c.n_shift:+.2f}", f"{c.r:.3f}", f"{c.sigma2 * 1e3:.2f}")
        for c in done.choices
    ]
    print_table(
        "Other choices, without noise: where N ends",
        ("choice", "row", "path", "N", "N moves by", "R (A)", "sigma2 (1e-3 A^2)"),
        moved,
    )
    for line in done.impossible:
        console().print(f"  {line}", style="yellow")
    console().print(f"written: {', '.join(str(p) for p in written)}")
