"""A methods paragraph from a result, which an author can paste, and the BibTeX of what it cites."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

# The parts of an error (Value.parts) in words; any other name is that of an inherited parameter
PARTS = {
    "noise": "the noise of the data",
    "choices": "the spread over normalisation, background, ranges and k weights",
    "shells": "farther shells that the model leaves out",
    "foil": "the reference foil",
    "theory": "theoretical phases and amplitudes and the energy scale",
}
PROGRAMS = {"feff8l": "FEFF8L", "feff6l": "FEFF6L"}
WINDOWS = {"kaiser": "Kaiser-Bessel"} | {n: n.title() for n in ("hanning", "parzen", "welch", "gaussian")}
SPACES = {"r": "R", "k": "k", "q": "back-transformed k"}


def methods(document: Mapping[str, Any]) -> str:
    """The methods paragraph of a result (the content of result.json): reduction, ranges, potentials, errors, software.

    A setting that differs between rows is given as its lowest to its highest value.
    """
    return " ".join(s for s in (_reduction(document), _background(document), _fit(document), _model(document), _errors(document)) if s)  # fmt: skip


def bibtex(document: Mapping[str, Any]) -> str:
    """BibTeX of what the methods paragraph cites."""
    known = (resources.files(__package__) / "templates" / "cited.bib").read_text(encoding="utf-8")
    entries = (f"@{e.strip()}" for e in ("\n" + known).split("\n@")[1:])
    cited = _cited(document)
    return "\n\n".join(e for e in entries if e.partition("{")[2].partition(",")[0] in cited) + "\n"


def _cited(document: Mapping[str, Any]) -> set[str]:
    rule = any(s.get("method") not in (None, "polynomial") for s in _steps(document, "normalize"))
    spline = {"autobk"} if _steps(document, "background") else set()
    return {"larch", *_programs(document)} | spline | ({"elam"} if rule else set())


def _steps(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The settings of one step of the reduction, of every data row that has it."""
    history = (d["history"] for row in document["rows"] for d in row.get("data", ()))
    return [step for steps in history for step in steps if step["step"] == name]


def _paths(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    spec = tomllib.loads(document["spec_text"] or "")
    return [*spec.get("path", []), *spec.get("shells", [])]


def _potentials(document: Mapping[str, Any]) -> list[str]:
    """The potentials that the values are averaged over; none where one calculation was used."""
    errors = tomllib.loads(document["spec_text"] or "").get("errors", {})
    named = errors.get("potentials", []) if isinstance(errors, dict) else []
    return [named] if isinstance(named, str) else named


def _programs(document: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(p.get("program", "feff8l") for p in _paths(document) if not p.get("feff")))


def _span(values: Iterable[Any], unit: str, form: str = "g") -> str:
    """One number, or the lowest and the highest of several."""
    found = sorted({float(v) for v in values if v is not None})
    if not found:
        return ""
    low, high = format(found[0], form), format(found[-1], form)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit} (depending on the spectrum)"


def _pair(pairs: list[Any], unit: str) -> str:
    """A range of every row in words: "-150 to -30 eV"."""
    kept = {tuple(p) for p in pairs if p}
    if len(kept) == 1:
        low, high = kept.pop()
        return f"from {low:g} to {high:g} {unit}"
    return f"from {_span((p[0] for p in kept), unit)} to {_span((p[1] for p in kept), unit)}" if kept else ""


def _reduction(document: Mapping[str, Any]) -> str:
    steps, sample = _steps(document, "normalize"), document["sample"]
    versions = document["provenance"]["versions"]
    text = f"The {sample['element']} {sample['edge']}-edge data were reduced and fitted with xasuite "
    text += f"{versions['xasuite']} (Larch {versions['xraylarch']} [@larch])."
    if not steps:
        return text
    degree = {0: "constant", 1: "line", 2: "quadratic polynomial", 3: "cubic polynomial"}
    pre, norm = (_pair([s.get(name) for s in steps], "eV") for name in ("pre_range", "norm_range"))
    posts = " or ".join(dict.fromkeys(degree.get(s.get("nnorm", -1), "polynomial") for s in steps))
    rule = any(s.get("method") not in (None, "polynomial") for s in steps)
    text += f" Spectra were normalised with a pre-edge line {pre}" if pre else " Spectra were normalised"
    if rule:
        text += ", the edge step from a fit of tabulated absorption [@elam]"
    text += f" and a post-edge {posts} {norm}" if norm else ""
    return text + f", relative to E0 = {_span((s.get('e0') for s in steps), 'eV', '.2f')}."


def _background(document: Mapping[str, Any]) -> str:
    steps = _steps(document, "background")
    if not steps:
        return ""
    return (
        f"The background was removed with the autobk algorithm [@autobk], R_bkg = {_span((s['rbkg'] for s in steps), 'Å')}, "
        f"k weight {' or '.join(dict.fromkeys(str(s['kweight']) for s in steps))}."
    )


def _fit(document: Mapping[str, Any]) -> str:
    f = document["range"]
    weights = " and ".join(map(str, f["kweight"]))
    text = (
        f"χ(k) with k weight{'s' * (len(f['kweight']) > 1)} {weights} was transformed from k = {f['k'][0]:g} to {f['k'][1]:g} 1/Å "
        f"({WINDOWS.get(f['window'], f['window'])} window, dk = {f['dk']:g} 1/Å) and fitted in {SPACES[f['space']]} space from R = {f['r'][0]:g} "
        f"to {f['r'][1]:g} Å (not corrected for phase)"
    )
    good = [r for r in document["rows"] if r["paths"]]
    if good:
        points = _span((r["n_idp"] for r in good), "independent points", ".1f")
        text += f", with {_span((r['n_varys'] for r in good), '').strip()} variables against {points}"
    return text + "."


def _structure(path: Mapping[str, Any]) -> str:
    """The structure that FEFF calculated a path from; "" for a given file of FEFF, which does not name it."""
    if number := path.get("amcsd"):
        return f"AMCSD {number}"
    if name := path.get("crystal") or path.get("cluster"):
        return Path(str(name)).stem
    return "rock salt of absorber and scatterer" if path.get("distance") else ""


def _model(document: Mapping[str, Any]) -> str:
    paths = _paths(document)
    if not paths:
        return ""
    crystals = list(dict.fromkeys(filter(None, map(_structure, paths))))
    programs = " and ".join(f"{PROGRAMS.get(p, p)} [@{p}]" for p in _programs(document))
    scf = ", with self-consistent potentials" if any(p.get("scf") for p in paths) else ""
    held = {
        f"{n} = {p['value']:.4g}" + (f" ({Path(p['origin']).name})" if p["origin"] != "given" else "")
        for r in document["rows"]
        for n, p in r["params"].items()
        if p["kind"] == "inherited"
    }
    calculated = f"Scattering paths were calculated with {programs} for {', '.join(crystals)}{scf}."
    text = calculated if programs else ""
    if given := sum(bool(p.get("feff")) for p in paths):
        text += f"{' ' if text else ''}{given} of {len(paths)} scattering paths were given as files in FEFF's format."
    return text + (f" Held at what is known, with its error: {'; '.join(sorted(held))}." if held else "")


def _errors(document: Mapping[str, Any]) -> str:
    params = [p for r in document["rows"] for p in r["params"].values()]
    parts = list(dict.fromkeys(n for p in params for n in p.get("parts", {})))
    named = [PARTS[n] for n in parts if n in PARTS]
    inherited = [n for n in parts if n not in PARTS and n != "fit"]
    text = ""
    if named:
        text = f"Errors are standard errors that add in quadrature: {'; '.join(named)}."
        if potentials := _potentials(document):
            text = f"Values are means over the potentials of {' and '.join(potentials)}, of foil and sample alike. {text}"
    elif params:
        text = "Errors are standard errors of the fit, scaled by the square root of reduced chi-square."
    if inherited:
        text += f" The error of {', '.join(inherited)} is included in every value that depends on it."
    return text
