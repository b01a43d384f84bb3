"""The groups of an Athena project as specs: their own E0, ranges, background and Fourier transforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import files
from ..errors import ReadError, XasuiteError
from ..io import write
from ..io.projects import Project, ProjectData
from ..io.table import unique
from ..records import Source, Spectrum
from ..specs.load import slug
from ..specs.schema import FORMAT
from ..specs.write import to_toml

_PATHS_WANTED = """# Athena has no scattering paths, so that the fit is still to be written: a [[path]] for each shell, as
# xasuite convert ... --crystal NAME writes them, or by hand:
#
# [params]
# s02 = { value = 0.85, stderr = 0.10 }
# enot = { guess = 0.0 }
# dr = { guess = 0.0 }
# ss = { guess = 0.005, min = 0.0 }
#
# [[path]]
# label = "first shell"
# crystal = "NAME"
# scatterer = "ELEMENT"
# s02 = "s02"
# e0 = "enot"
# deltar = "dr"
# sigma2 = "ss"
"""


def write_data(d: ProjectData, folder: Path, name: str = "") -> str:
    """A data set of a project as XDI, chi(k) as two columns; its name from the spec's folder."""
    stem = (name or slug(d.label)).removesuffix(".xdi")
    if d.chi is not None:
        rows = "".join(f"{k:.5f} {chi!r}\n" for k, chi in d.chi.T.tolist())
        files.write_text(folder / f"{stem}.chi", f"# k chi\n{rows}")
        return f"{folder.name}/{stem}.chi"
    target = folder / f"{stem}.xdi"
    folder.mkdir(parents=True, exist_ok=True)
    write(target, Spectrum(d.energy, d.mu, d.element, d.edge, label=d.label, source=Source(path=d.label)))
    return f"{folder.name}/{target.name}"


def origin(source: Project) -> str:
    """Where the data of a project's spec come from, as the spec says it."""
    return f"from {Path(source.path).name}, {source.program}"


def convert_groups(source: Project, target: Path, crystal: str | None) -> tuple[list[Path], dict[str, str]]:
    """Write a spec a group, and say of each group without one why; with a crystal its shells are the paths."""
    specs: list[Path] = []
    refused = dict(source.unread)
    taken: list[str] = []
    for group in source.groups:
        taken.append(unique(slug(group.label), taken))
        file = write_data(group, target / "data", taken[-1])
        try:
            kind = {} if group.chi is None else {"kind": "chi"}
            data = {"label": group.label, "file": file, **kind, "source": origin(source)}
            tables, said = _tables(group, target, data, crystal)
        except XasuiteError as exc:
            refused[group.label] = str(exc)
            continue
        head = [
            f"# {source.program}, {Path(source.path).name}, group {group.label}; written by xasuite convert."
        ]
        head += [f"# Not carried over: {note}." for note in (*group.lost, *said)]
        text = "\n".join(head) + "\n" + to_toml(tables) + ("" if crystal else "\n" + _PATHS_WANTED)
        path = target / f"{taken[-1]}.toml"
        files.write_text(path, text)
        specs.append(path)
    return specs, refused


def _tables(
    group: ProjectData, target: Path, data: dict[str, str], crystal: str | None
) -> tuple[dict[str, Any], list[str]]:
    """The tables of a group's spec, and what of its settings they leave out."""
    fit = dict(group.fit)
    if crystal is None:
        return {
            "xasuite": FORMAT,
            "title": group.label,
            "data": [data],
            "sample": {"element": group.element, "edge": group.edge},
            **({"reduce": dict(group.reduce)} if group.reduce else {}),
            "fit": fit,
        }, []
    if group.chi is not None:
        raise ReadError(
            "it is chi(k), which new specs are not made of; convert it without --crystal and write its paths"
        )
    from .new import make_spec

    span = fit.pop("r", None)
    spec = make_spec(
        str(target / data["file"]), crystal=crystal, absorber=group.element, edge=group.edge, k=fit.pop("k", None),
        title=group.label, reduce=group.reduce, fit=fit,
    )  # fmt: skip
    tables = spec.tables()
    tables["data"] = [data]
    found = tables["fit"]["r"]
    if not span:
        return tables, []
    return tables, [
        f"Athena transformed back R = {span[0]:g} to {span[1]:g} A; the fit's R = {found[0]:g} to {found[1]:g} A is the crystal's shells"
    ]
