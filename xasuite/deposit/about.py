"""What a deposition says of itself: README.md, CITATION.cff, references.bib, requirements.txt and the RO-Crate metadata."""

from __future__ import annotations

import json
import platform
import re
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import files
from ..version import __version__, installed
from .archive import SUMS
from .stage import DATA, FEFF, RESULTS, SPECS

CRATE = "ro-crate-metadata.json"
XDI = "xdi"
UNKNOWN = "not stated"
# The depositor replaces it by a name
NO_AUTHOR = "Author not stated"

_README = """# {title}

{what}

| folder | what it holds |
|---|---|
| `{specs}/` | the analysis: a spec (TOML) for each table, those it takes values from, structures (CIF, xyz), published values |
| `{data}/` | the measured files as they were read |
| `{xdi}/` | the spectrum of every row as XDI, a series as one stack of NXxas (NeXus), for other programs |
| `{feff}/` | input and output of every FEFF run: feff.inp, feffNNNN.dat |
| `{results}/` | tables, figures, curves, the methods in words, result.json |

`{sums}` holds the SHA-256 of every file (`sha256sum -c {sums}`); `requirements.txt` the versions used.
`{crate}` describes all of it (RO-Crate). Keys of the specs that named files elsewhere name the copies.

To make every number again, without network:

```
xasuite reproduce {name}
```

## Data

| row | spec | source | licence |
|---|---|---|---|
{rows}

## To cite

`CITATION.cff` is for this deposition, `references.bib` lists the programs and methods it rests on.
"""


@dataclass(frozen=True)
class Row:
    """A data row: spec, label, kind, where it comes from, its licence ("" where it is not stated)."""

    spec: str
    label: str
    kind: str
    source: str
    licence: str


@dataclass(frozen=True)
class About:
    """Name, title, authors ("Family, Given", or a name) and rows of a deposition."""

    name: str
    title: str
    authors: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences of the data, each once."""
        return tuple(dict.fromkeys(r.licence for r in self.rows if r.licence))

    @property
    def unlicensed(self) -> tuple[Row, ...]:
        """The measured rows whose licence is not stated."""
        return tuple(r for r in self.rows if r.kind == "measured" and not r.licence)


def describe(folder: Path, about: About) -> None:
    """Write README.md, CITATION.cff, references.bib, requirements.txt and the RO-Crate metadata. Raises WriteError."""
    rows = "\n".join(
        f"| {_cell(r.label)} | {_cell(r.spec)} | {_cell(r.source or UNKNOWN)} | {_cell(_licence(r))} |"
        for r in about.rows
    )
    what = f"Deposition of an X-ray absorption analysis, made by xasuite {__version__} on {time.strftime('%Y-%m-%d')}."
    text = _README.format(
        title=about.title, what=what, name=about.name, rows=rows, specs=SPECS, data=DATA, feff=FEFF, results=RESULTS,
        xdi=XDI, sums=SUMS, crate=CRATE,
    )  # fmt: skip
    files.write_text(folder / "README.md", text)
    files.write_text(folder / "CITATION.cff", _citation(about))
    files.write_text(folder / "references.bib", _references(folder))
    files.write_text(folder / "requirements.txt", "".join(f"{n}=={v}\n" for n, v in versions().items()))
    files.write_text(folder / CRATE, json.dumps(_crate(folder, about), indent=1, ensure_ascii=False) + "\n")


def versions() -> dict[str, str]:
    """xasuite and what it needs, as installed, by name."""
    needed = [re.match(r"[\w.-]+", r) for r in metadata.requires("xasuite") or () if "extra ==" not in r]
    names = ["xasuite", *sorted({m[0] for m in needed if m})]
    return {n: installed(n) for n in names}


def _licence(row: Row) -> str:
    return row.licence or ("simulated, none needed" if row.kind != "measured" else UNKNOWN)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _citation(about: About) -> str:
    """CITATION.cff 1.2.0 of the deposition, with the software it rests on."""
    import yaml

    said: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use these data, please cite them as below.",
        "type": "dataset",
        "title": about.title,
        "date-released": time.strftime("%Y-%m-%d"),
        "authors": [_name(author) for author in about.authors or (NO_AUTHOR,)],
    }
    if len(about.licences) == 1 and not about.unlicensed and _spdx(about.licences[0]):
        said["license"] = about.licences[0]
    developers = [{"name": "The xasuite developers"}]
    software = {"type": "software", "title": "xasuite", "version": __version__, "authors": developers}
    return yaml.safe_dump({**said, "references": [software]}, sort_keys=False, allow_unicode=True, width=1000)


def _name(author: str) -> dict[str, str]:
    family, comma, given = (part.strip() for part in author.partition(","))
    return {"family-names": family, "given-names": given} if comma else {"name": family}


def _spdx(licence: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9.+-]+", licence) is not None


def _references(folder: Path) -> str:
    """The BibTeX entries of every result, each once."""
    found = [
        entry.strip()
        for bib in sorted((folder / RESULTS).rglob("references.bib"))
        for entry in bib.read_text(encoding="utf-8").split("\n\n")
    ]
    return "\n\n".join(dict.fromkeys(e for e in (_SOFTWARE, *found) if e)) + "\n"


_SOFTWARE = f"""@software{{xasuite,
  author = {{{{The xasuite developers}}}},
  title = {{xasuite}},
  version = {{{__version__}}}
}}"""


# ------------------------------------------------------------------------------------------------------ RO-Crate


def _crate(folder: Path, about: About) -> dict[str, Any]:
    """The RO-Crate 1.1 metadata: every file with size and checksum, licences, authors, and the run that made the results."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.model.person import Person
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.name = about.title
    crate.description = f"X-ray absorption data, analysis and results, made by xasuite {__version__}"
    licences = {
        text: crate.add(ContextEntity(crate, _address(text), {"@type": "CreativeWork", "name": text}))
        for text in about.licences
    }
    unknown = f"The licence of the data is {UNKNOWN}: {', '.join(r.label for r in about.unlicensed)}"
    crate.license = [*licences.values(), *([unknown] if about.unlicensed else [])] or "No measured data"
    if people := [Person(crate, f"#author-{i}", {"name": a}) for i, a in enumerate(about.authors, 1)]:
        crate.root_dataset["author"] = [crate.add(p) for p in people]
    added = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        said = {"name": path.name, "contentSize": str(path.stat().st_size), "sha256": files.sha256(path)}
        kind = _KINDS.get(path.suffix.lower())
        added[name] = crate.add_file(path, name, properties=said | ({"encodingFormat": kind} if kind else {}))
    program = {"@type": "SoftwareApplication", "name": "xasuite", "softwareVersion": __version__}
    software = crate.add(ContextEntity(crate, "#xasuite", program))
    on = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    of = [e for n, e in added.items() if n.startswith((f"{SPECS}/", f"{DATA}/", f"{FEFF}/"))]
    gave = [e for n, e in added.items() if n.startswith(f"{RESULTS}/")]
    crate.add_action(software, "#fits", of, gave, {"name": "Fits", "description": on})
    crate.root_dataset["mentions"] = [{"@id": "#fits"}]
    crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"
    return dict(crate.metadata.generate())


def _address(licence: str) -> str:
    """The address of a licence; that of SPDX's list for an identifier."""
    if re.match(r"https?://", licence):
        return licence
    if _spdx(licence):
        return f"https://spdx.org/licenses/{licence}"
    return f"#licence-{re.sub(r'[^A-Za-z0-9]+', '-', licence)}"


_KINDS: dict[str, str] = {
    ".md": "text/markdown", ".toml": "application/toml", ".json": "application/json", ".csv": "text/csv", ".png": "image/png",
    ".pdf": "application/pdf", ".txt": "text/plain", ".dat": "text/plain", ".inp": "text/plain", ".xdi": "text/plain",
    ".cif": "chemical/x-cif", ".xyz": "chemical/x-xyz", ".h5": "application/x-hdf5", ".tex": "application/x-tex",
    ".bib": "application/x-bibtex", ".nxs": "application/x-hdf5", ".parquet": "application/vnd.apache.parquet",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}  # fmt: skip
