"""``xasuite wavelet``: wavelet maps of scans or of a spec's rows, their lobes as numbers, and the figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import DATA_ROOT, JSON, OUTPUT, Interval, present, print_json, ranged, spinner

if TYPE_CHECKING:
    from ..exafs.wavelet_transform import Lobes
    from ..records import Chi


def wavelet(
    inputs: list[str] = typer.Argument(help="Scans (FILE or FILE::GROUP) and fit specs (.toml)."),
    kind: str = typer.Option("morlet", help="morlet or cauchy."),
    k: Interval = ranged("3,12", "--k", help="k range in 1/Å; unless given, that of a spec."),
    kweight: float = typer.Option(2.0, help="k weight; unless given, that of a spec."),
    dk: float = typer.Option(1.0, help="Taper of the window, 1/A."),
    window: str = typer.Option("hanning", help="Window on k."),
    r: Interval = ranged("0.5,4", "--r", help="R range in Å, not corrected for phase."),
    eta: float = typer.Option(10.0, help="Morlet: frequency; resolution R / (eta sigma) in R."),
    sigma: float = typer.Option(1.0, help="Morlet: width of the Gaussian."),
    order: int = typer.Option(200, help="Cauchy: order; resolution R / sqrt(order) in R."),
    noise: float | None = typer.Option(None, help="epsilon_k for the errors; left out, from the data."),
    resamples: int = typer.Option(200, min=0, help="Noisy copies for the errors."),
    seed: int = typer.Option(0, help="Seed of the noise."),
    threshold: float = typer.Option(0.2, help="Least height of a lobe, as a share of the highest."),
    e0: float | None = typer.Option(None, help="Edge energy of scans in eV; found if left out."),
    rbkg: float = typer.Option(1.0, help="Background of scans: rbkg in A."),
    bkg_kweight: int = typer.Option(3, help="Background of scans: k weight."),
    paths: bool = typer.Option(False, "--paths", help="Run a spec's fit and show data, fit and each path."),
    each: bool = typer.Option(False, "--each", help="Scale every map to its own maximum."),
    ridge: bool = typer.Option(False, "--ridge", help="Draw the ridge along R."),
    difference: bool = typer.Option(False, "--difference", help="With two maps: both and their difference."),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    json: bool = JSON,
    ctx: typer.Context = None,  # type: ignore[assignment]
) -> None:
    """Wavelet maps: lobes with errors as a table, the figure and lobes.csv under results/wavelet-NAME/."""
    from dataclasses import replace

    from ..exafs.wavelet_transform import find_lobes
    from ..records.table import joined, plain
    from ..report.plots.style import save
    from ..report.tables import write_table

    given = {n for n in ("k", "kweight", "window", "dk") if _stated(ctx, n)}
    settings: dict[str, Any] = {
        "kind": kind, "k": k, "kweight": kweight, "window": window, "dk": dk, "r": r, "eta": eta, "sigma": sigma,
        "order": order,
    }  # fmt: skip
    errors: Any = {"epsilon_k": noise, "resamples": resamples, "seed": seed, "threshold": threshold}
    lobes, maps = [], []
    with spinner(json) as progress:
        for name in inputs:
            progress(name)
            if name.endswith(".toml"):
                chis, own = spec_chis(name, data_root, paths)
            else:
                chis, own = file_chi(name, e0, rbkg, bkg_kweight), {}
            used = settings | {n: v for n, v in own.items() if n not in given}
            lobes += [find_lobes(chi, **errors, **used) for chi in chis]
            maps += [(chi, used) for chi in chis]
        figure = draw(maps, lobes, each=each, ridges=ridge, difference=difference)
        folder = output / f"wavelet-{Path(inputs[0].partition('::')[0]).stem}"
        table = joined([one.summary() for one in lobes])
        written = [write_table(table, folder / "lobes.csv"), *save(figure, folder / "wavelet")]
    if json:
        print_json(plain(document(lobes, maps)))
        return
    present(False, replace(table, title="Lobes of |W(k, R)|"), written=written)


def _stated(ctx: typer.Context | None, name: str) -> bool:
    """Whether an option was given on the command line, which replaces the value of a spec."""
    source = ctx.get_parameter_source(name) if ctx is not None else None
    return source is not None and source.name == "COMMANDLINE"


def file_chi(name: str, e0: float | None, rbkg: float, kweight: int) -> list[Chi]:
    """chi(k) of a scan: read, normalised, background removed."""
    from dataclasses import replace

    from .. import io, reduce

    scan = io.read(name)
    chi = reduce.background(reduce.normalize(scan.mu(), e0=e0), rbkg=rbkg, kweight=kweight)
    return [replace(chi, label=scan.label or Path(name).stem)]


def spec_chis(name: str, data_root: Path | None, paths: bool) -> tuple[list[Chi], dict[str, Any]]:
    """chi(k) of every row of a spec (or data, fit and paths of every row's fit), and its ranges and weight."""
    import numpy as np

    from .. import specs, workflow
    from ..records import Chi
    from ..reduce.noise import noise_of
    from ..workflow.resolve import Context

    context = Context.of(data_root)
    loaded = specs.load_spec(name)
    ranges = loaded.spec.fit
    own = {"k": tuple(ranges.k), "kweight": ranges.kweight[-1], "window": ranges.window, "dk": ranges.dk}
    if not paths:
        return [row.chi for row in workflow.resolve_spec(loaded, context).rows], own
    chis = []
    for fit in workflow.run_spec(loaded, context, variants=False).rows:
        for data in fit.data:
            # fit and paths get the noise of the data that they were fitted to
            noise = noise_of(data.k, data.data)
            curves = {"data": data.data, "fit": data.fit, **data.paths}
            chis += [
                Chi(k=data.k, chi=curve, e0=np.asarray(data.e0), edge_step=np.asarray(data.edge_step),
                    label=f"{data.label}: {part}", epsilon_k=noise)
                for part, curve in curves.items()
            ]  # fmt: skip
    return chis, own


def draw(
    maps: list[tuple[Chi, dict[str, Any]]], lobes: list[Lobes], *, each: bool, ridges: bool, difference: bool
) -> Any:
    """The figure: maps on one scale, or two maps and their difference. Raises DataError for a difference of other than two."""
    from ..errors import DataError
    from ..exafs.wavelet_transform import ridge, wavelet
    from ..report.plots.wavelet import plot_difference, plot_wavelets

    made = [wavelet(chi, **settings) for chi, settings in maps]
    if difference:
        if len(made) != 2:
            raise DataError(f"--difference compares two maps, these are {len(made)}; name two scans or rows")
        return plot_difference(*made)
    lines = [ridge(w, k=s["k"]) if ridges else None for w, (_, s) in zip(made, maps, strict=True)]
    return plot_wavelets(made, lobes=lobes, ridges=lines, each=each)


def document(lobes: list[Lobes], maps: list[tuple[Chi, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What --json prints: one object per map with its settings, noise and lobes; null where there is no number."""
    from ..exafs.wavelet_transform.lobes import VALUES

    def values(lobe: Any) -> dict[str, Any]:
        errors = {f"{n}_err": lobe.error(n) for n in VALUES}
        return {n: getattr(lobe, n) for n in VALUES} | errors | {"found": lobe.found}

    return [
        {"label": one.label, "settings": settings}
        | {n: getattr(one, n) for n in ("epsilon_k", "resamples", "seed")}
        | {"lobes": [values(lobe) for lobe in one]}
        for one, (_, settings) in zip(lobes, maps, strict=True)
    ]
