"""A project of Artemis, Larix or Athena as a folder of specs, with its logged results as published tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import files
from ..choices import PATH_VALUES
from ..errors import ExpressionError, ReadError, SpecError
from ..exafs.tokens import bound
from ..expressions import FUNCTIONS, PATH_TOKENS, parse
from ..feff.paths import FeffPath, parse_feff_dat
from ..feff.run import run_feff
from ..feff.single import Listed, paths_dat
from ..io.projects import Project, ProjectData, ProjectFit, ProjectParameter, ProjectPath, read_project
from ..specs.meaning import names_mistakes
from ..specs.toml import parse_toml
from .convert_groups import convert_groups, origin, write_data

# functions that have another name in Ifeffit and Larch
_ELSEWHERE = {"eins": "einstein", "sigma2_eins": "einstein", "sigma2_debye": "debye"}
_OF_PATH = frozenset({"reff", "debye", *_ELSEWHERE})
_PENALTY = re.compile(r"\bpenalty\(\s*([^(),]+?)\s*,\s*([^(),]+?)\s*,\s*([^(),]+?)\s*\)", re.I)
_VARIED = ("guess", "lguess")
_NAME = re.compile(r"\b[A-Za-z_]\w*\b")


@dataclass(frozen=True)
class Conversion:
    """What was written: specs, the published tables, and fits (or groups) that could not be converted with the reason.

    `runs` is False where the specs still want their paths, which an Athena project does not hold.
    """

    specs: tuple[Path, ...]
    published: Path | None
    refused: Mapping[str, str]
    runs: bool = True


def convert(project: str | Path, folder: str | Path, *, crystal: str | None = None) -> Conversion:
    """Write the fits of a project of Artemis (.fpj, .apj) or Larix (.larix), or the groups of Athena (.prj), as specs.

    Parameters
    ----------
    project : str or Path
        The project file; FILE::GROUP for one group of an Athena project.
    folder : str or Path
        Where specs, data and FEFF paths are written; made where it is not there.
    crystal : str, optional
        For Athena projects, which hold no paths: the crystal whose shells are fitted.

    Returns
    -------
    Conversion
        Each spec names its data (data/), its FEFF paths (feff/) and the table of logged results
        (published/), so that ``xasuite reproduce FOLDER`` scores the old fit.

    Raises
    ------
    ReadError
        The project cannot be read, or none of its fits can be expressed.
    SpecError
        A crystal was given for a project that has its own paths.

    Notes
    -----
    What a spec cannot express stands in it as a comment. A fit whose path values cannot be expressed is not
    written at all: it would be another fit under the same name.
    """
    file, _, group = str(project).partition("::")
    source, target = read_project(file), Path(folder)
    if source.groups or source.unread:
        return _groups(source, target, group, crystal)
    if crystal is not None or group:
        raise SpecError(
            f"{file} holds fits with their own paths: leave {'::' + group if group else '--crystal'} out"
        )
    specs, refused, cells = [], {}, []
    stem = re.sub(r"\W+", "_", Path(file).stem)
    for fit in source.fits:
        try:
            text, rows = _spec(source, fit, target, stem)
            if wrong := names_mistakes(parse_toml(text, f"{fit.name}.toml")):
                raise SpecError([sentence for _, sentence in wrong])
        except (SpecError, ExpressionError) as exc:
            refused[fit.name] = str(exc)
            continue
        path = target / f"{fit.name}.toml"
        files.write_text(path, text)
        specs.append(path)
        cells.append(rows)
    if not specs:
        raise ReadError(f"{project}: no fit can be converted: {next(iter(refused.values()))}")
    published = target / "published" / f"{stem}.toml"
    tables = [rows for rows in cells if rows]
    if tables:
        files.write_text(published, _published(source, stem, tables))
    return Conversion(tuple(specs), published if tables else None, refused)


def _groups(source: Project, target: Path, group: str, crystal: str | None) -> Conversion:
    """The groups of an Athena project, or one of them. Raises ReadError where none is written."""
    if group:
        kept = tuple(g for g in source.groups if g.label == group)
        if not kept:
            known = ", ".join([*(g.label for g in source.groups), *source.unread])
            raise ReadError(f"{source.path} holds no group {group!r}; there are {known}")
        source = replace(source, groups=kept, unread={})
    specs, refused = convert_groups(source, target, crystal)
    if not specs:
        raise ReadError(f"{source.path}: no group can be converted: {next(iter(refused.values()))}")
    return Conversion(tuple(specs), None, refused, runs=crystal is not None)


def _spec(source: Project, fit: ProjectFit, target: Path, stem: str) -> tuple[str, str]:
    """The text of a spec and of its published table ("" where the fit logged nothing)."""
    fit = _with_absorber(fit)
    _refuse(fit)
    names = {p.name.lower(): p.name for p in fit.parameters if p.kind != "skip"}
    inlined = _of_path(fit)
    paths = [_values(p, fit, names, inlined) for p in fit.paths]
    restraints = _restraints(fit, names)
    used, starts = _used(fit, [*paths, {r: r for r in restraints}], names, inlined)
    lost = [*fit.lost, *(note for d in fit.data for note in d.lost)]
    lost += [f"{p.kind} {p.name} = {p.expression}" for p in fit.parameters if p.kind in ("after", "penalty")]
    labels = _labels(fit.paths)
    feff = _feff(source, fit, target / "feff", labels)
    logged = _logged(fit, names)
    used_here = _named(paths)
    unlogged = sorted(used_here - logged.keys() - _variables(fit))
    fitted = fit.rfactor is not None and not unlogged
    if fit.rfactor is not None and unlogged:
        lost.append(f"the logged results, which have no single value of {unlogged[0]}")
    out = [
        f"# {source.program}, {Path(source.path).name}, fit {fit.name}; written by xasuite convert.",
        *(f"# Not carried over: {note}." for note in dict.fromkeys(lost)),
        "xasuite = 2",
        f"title = {_quoted(f'{stem}, fit {fit.name}')}",
        'errors = "fit"  # as the project had them; without this line the errors are a budget of all choices',
        *([f'reproduces = "{stem}/{fit.name}"'] if fitted else []),
        "",
    ]
    named = used_here.union(*(_names_of(fit, p, names, True) for p in used))
    for d in fit.data:
        out += _data(source, d, fit.data[0], target, named)
    first = fit.data[0]
    out += ["[sample]", f"element = {_quoted(first.element)}", f"edge = {_quoted(first.edge)}", ""]
    if first.reduce:
        out += ["[reduce]", *(f"{k} = {json.dumps(v)}" for k, v in first.reduce.items()), ""]
    out += ["[fit]", *(f"{k} = {json.dumps(v)}" for k, v in first.fit.items())]
    out += ["together = true"] if len(fit.data) > 1 else []
    out += ["", "[params]", *(_param(fit, p, names, p.name in starts) for p in used), ""]
    for text in restraints:
        out += ["[[restraint]]", f"that = {_quoted(text)}", "is = 0", "within = 1", ""]
    for label, p, values, file in zip(labels, fit.paths, paths, feff, strict=True):
        out += ["[[path]]", f"label = {_quoted(label)}", f"feff = {_quoted(file)}"]
        out += [f"data = {_quoted(p.data)}"] if len(fit.data) > 1 else []
        out += [f"{k} = {v if _number(v) is not None else _quoted(v)}" for k, v in values.items()] + [""]
    return "\n".join(out), _table(fit, labels, paths, _written(feff, target), logged, names) if fitted else ""


def _refuse(fit: ProjectFit) -> None:
    """Raises SpecError for what one spec cannot be."""
    if not fit.data:
        raise SpecError("it holds no data set")
    for p in fit.parameters:
        if p.kind in (*_VARIED, "def", "set") and not re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", p.name):
            raise SpecError(f"parameter {p.name!r}: a name is made of letters, digits and _")
        if p.kind == "merge":
            raise SpecError(f"parameter {p.name} is defined twice (merge); decide in Artemis which one holds")
    if len({json.dumps(d.fit) for d in fit.data}) > 1:
        raise SpecError("its data sets have different fit ranges; a spec has one")
    if len({json.dumps({**d.reduce, "e0": None}) for d in fit.data}) > 1:
        raise SpecError("its data sets are reduced differently; a spec has one [reduce]")


def _data(
    source: Project, d: ProjectData, first: ProjectData, target: Path, named: frozenset[str]
) -> list[str]:
    """The lines of a [[data]]: what differs from the first one, and those of its variables that expressions name."""
    own = {"element": (d.element, first.element), "edge": (d.edge, first.edge)}
    own["e0"] = (d.reduce.get("e0"), first.reduce.get("e0"))
    kept = ", ".join(f"{n} = {v:g}" for n, v in d.variables.items() if n in named)
    return [
        "[[data]]",
        f"label = {_quoted(d.label)}",
        f"file = {_quoted(write_data(d, target / 'data'))}",
        f"source = {_quoted(origin(source))}",
        *(['kind = "chi"'] if d.chi is not None else []),
        *(f"{key} = {json.dumps(value)}" for key, (value, usual) in own.items() if value != usual),
        *([f"variables = {{ {kept} }}"] if kept else []),
        "",
    ]


def _with_absorber(fit: ProjectFit) -> ProjectFit:
    """The fit with the absorber that FEFF's paths tell, where its data name none."""
    if all(d.element for d in fit.data) or not fit.paths:
        return fit
    element = parse_feff_dat(fit.paths[0].feff, fit.paths[0].label).absorber
    return replace(fit, data=tuple(replace(d, element=d.element or element) for d in fit.data))


# ------------------------------------------------------------------------------------------------ expressions


def _plain(text: str, names: Mapping[str, str]) -> str:
    """An Ifeffit or Larch expression in a spec's words: ** for ^, names in one letter case."""

    def word(found: re.Match[str]) -> str:
        name = _ELSEWHERE.get(found[0].lower(), found[0].lower())
        ours = name in FUNCTIONS or name in PATH_TOKENS or name == "pi"
        return names.get(name, name if ours else found[0])

    inside = _PENALTY.sub(r"(max((\2) - (\1), 0) + max((\1) - (\3), 0))", text.replace("^", "**"))
    out = re.sub(r"(?<![\w.])([A-Za-z_]\w*)\b", word, inside)
    parse(out)
    return out


def _of_path(fit: ProjectFit) -> dict[str, str]:
    """Definitions that differ path by path, by its reff or by a model of its sigma2: their text by lower-case name."""
    found: dict[str, str] = {}
    while True:
        more = {
            p.name.lower(): p.expression
            for p in fit.parameters
            if p.kind == "def" and {w.lower() for w in _NAME.findall(p.expression)} & {*_OF_PATH, *found}
        }
        if more.keys() == found.keys():
            return found
        found = more


def _inline(text: str, inlined: Mapping[str, str]) -> str:
    for _ in range(len(inlined) + 1):
        text = _NAME.sub(lambda m: f"({inlined[m[0].lower()]})" if m[0].lower() in inlined else m[0], text)
    return text


def _values(
    p: ProjectPath, fit: ProjectFit, names: Mapping[str, str], inlined: Mapping[str, str]
) -> dict[str, str]:
    """The values of a path as a spec writes them. Raises SpecError for what it cannot express."""
    out = {}
    known = {*names.values(), *_variables(fit), *PATH_TOKENS}
    for key, text in p.values.items():
        value = _plain(_inline(text, inlined), names)
        unknown = sorted(parse(value).names - known)
        if unknown:
            raise SpecError(
                f"path {p.label}: {key} = {text} uses {unknown[0]}, which is no parameter of the fit"
            )
        zero = _number(value) == 0.0
        if key in PATH_VALUES and not zero:
            out[key] = value
    # Larix keeps the degeneracy at one and writes it into the amplitude, as 4.0 * s02
    if out.get("n") == "1" and (
        factors := re.fullmatch(r"([\d.]+)\s*\*\s*([A-Za-z_]\w*)", out.get("s02", ""))
    ):
        out["n"], out["s02"] = f"{float(factors[1]):g}", factors[2]
    return out


def _restraints(fit: ProjectFit, names: Mapping[str, str]) -> list[str]:
    """Ifeffit's restraints: expressions whose squares it adds to chi-square, divided by their standard deviation already."""
    found = [
        _plain(p.expression, names)
        for p in fit.parameters
        if p.kind == "restrain" and _number(p.expression) is None
    ]
    for text in found:
        if unknown := sorted(parse(text).names - {*names.values(), *_variables(fit)}):
            raise SpecError(f"restraint {text} uses {unknown[0]}, which is no parameter of the fit")
    return found


def _used(
    fit: ProjectFit, paths: list[dict[str, str]], names: Mapping[str, str], inlined: Mapping[str, str]
) -> tuple[list[ProjectParameter], set[str]]:
    """Parameters that a path needs, directly or through others, in the project's order; and those that only start a guess.

    Raises SpecError where an expression uses an unknown name.
    """

    def needed(wanted: frozenset[str], guesses: bool) -> frozenset[str]:
        while True:
            own = (fit.parameter(n) for n in wanted - _variables(fit))
            more = wanted.union(*(_names_of(fit, p, names, guesses) for p in own))
            if more == wanted:
                return wanted
            wanted = more

    live = needed(_named(paths), False)
    every = needed(live, True)
    every -= _variables(fit)
    used = [p for p in fit.parameters if p.name in every and p.name.lower() not in inlined]
    return used, set(every - live)


def _named(paths: list[dict[str, str]]) -> frozenset[str]:
    """The names in the values of paths, a path's own tokens apart."""
    return frozenset().union(*(parse(v).names for values in paths for v in values.values())) - PATH_TOKENS


def _variables(fit: ProjectFit) -> frozenset[str]:
    """Names that have a number for each data set and are no parameter."""
    return frozenset().union(*(d.variables for d in fit.data)) - {p.name for p in fit.parameters}


def _names_of(
    fit: ProjectFit, p: ProjectParameter, names: Mapping[str, str], guesses: bool
) -> frozenset[str]:
    """The names in a parameter's expression; for a guess only with `guesses`, because it is evaluated at the start only.

    Raises SpecError for an unknown name.
    """
    if _number(p.expression) is not None or p.kind not in ("def", *(_VARIED if guesses else ())):
        return frozenset()
    found = parse(_plain(p.expression, names)).names
    if unknown := sorted(found - set(names.values()) - _variables(fit)):
        raise SpecError(
            f"{p.kind} {p.name} = {p.expression} uses {unknown[0]}, which is no parameter of the fit"
        )
    return found


def _start(
    fit: ProjectFit, p: ProjectParameter, names: Mapping[str, str], above: tuple[str, ...] = ()
) -> float:
    """The value of a parameter before the fit. Raises SpecError where it has none."""
    expression = parse(_plain(p.expression, names))
    unknown = sorted(n for n in expression.names if n not in names.values())
    if unknown or p.name in above:
        why = f"uses {unknown[0]}, which is no parameter of the fit" if unknown else "depends on itself"
        raise SpecError(f"{p.kind} {p.name} = {p.expression} {why}")
    try:
        return float(
            expression({n: _start(fit, fit.parameter(n), names, (*above, p.name)) for n in expression.names})
        )
    except (ArithmeticError, TypeError, ValueError) as exc:
        raise SpecError(f"{p.kind} {p.name} = {p.expression} has no value before the fit: {exc}") from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _param(fit: ProjectFit, p: ProjectParameter, names: Mapping[str, str], held: bool) -> str:
    """A parameter's line. A guess that only starts another one is `held`, since no path depends on it; a set has its value."""
    value = _number(p.expression)
    if (p.kind == "set" or (held and p.kind in _VARIED)) and value is None:
        value = _start(fit, p, names)
    text = repr(value) if value is not None else _quoted(_plain(p.expression, names))
    if p.kind in _VARIED and not held:
        bounds = "".join(f", {k} = {b:g}" for k, b in (("min", p.min), ("max", p.max)) if b is not None)
        each = ", each = true" if p.kind == "lguess" and len(fit.data) > 1 else ""
        return f"{p.name} = {{ guess = {text}{bounds}{each} }}"
    return f"{p.name} = {{ {'expr' if value is None else 'value'} = {text} }}"


# -------------------------------------------------------------------------------------------- files of a spec


def _labels(paths: tuple[ProjectPath, ...]) -> list[str]:
    out: list[str] = []
    for p in paths:
        label, n = " ".join(p.label.split()) or "path", 1
        while label in out:
            n += 1
            label = f"{' '.join(p.label.split())} ({n})"
        out.append(label)
    return out


def _feff(source: Project, fit: ProjectFit, folder: Path, labels: list[str]) -> list[str]:
    """The feffNNNN.dat of every path, kept from the project or made by feff6l from the project's own input."""
    texts = {label: p.feff for label, p in zip(labels, fit.paths, strict=True) if p.feff}
    for key in dict.fromkeys(p.feff_input for p in fit.paths if not p.feff):
        if key not in source.feff_inputs:
            raise SpecError(f"the project does not hold FEFF's input {key}")
        mine = [(label, p) for label, p in zip(labels, fit.paths, strict=True) if p.feff_input == key]
        # FEFF takes the paths as the project has them and searches for none
        control = re.sub(r"^(\s*CONTROL\s+).*$", r"\g<1>1 0 1 1", source.feff_inputs[key], flags=re.M | re.I)
        run = run_feff(
            {
                "feff.inp": control,
                "paths.dat": paths_dat([Listed(p.atoms, p.reff, p.degen, p.nleg) for _, p in mine]),
            },
            program="feff6l",
            label=key,
        )
        for i, (label, p) in enumerate(mine, 1):
            made = run.files.get(f"feff{i:04d}.dat")
            if made is None:
                raise SpecError(f"FEFF made no path {p.label}")
            texts[label] = made.decode("ascii", "replace")
    out = []
    for number, label in enumerate(labels, 1):
        name = f"{fit.name}_{number:02d}.dat"
        files.write_text(folder / name, texts[label])
        out.append(f"feff/{name}")
    return out


# ------------------------------------------------------------------------------------------- logged results


def _logged(fit: ProjectFit, names: Mapping[str, str]) -> dict[str, float]:
    """The logged value of each parameter; for a `set` without one, the value that it is set to."""
    known = [p for p in fit.parameters if p.name.lower() in names]
    sets = {names[p.name.lower()]: _start(fit, p, names) for p in known if p.kind == "set" and p.best is None}
    return sets | {names[p.name.lower()]: p.best for p in known if p.best is not None}


def _written(files_of: list[str], folder: Path) -> list[FeffPath]:
    """FEFF's paths as they were written."""
    return [parse_feff_dat((folder / f).read_text(encoding="utf-8"), f) for f in files_of]


def _table(
    fit: ProjectFit,
    labels: list[str],
    paths: list[dict[str, str]],
    feff: list[FeffPath],
    best: Mapping[str, float],
    names: Mapping[str, str],
) -> str:
    """The logged values of every path as a published table; errors by first derivatives, parameters independent."""
    errors = {names[p.name.lower()]: p.stderr for p in fit.parameters if p.stderr}
    variables = {d.label: d.variables for d in fit.data}
    d = fit.data[0]
    lines = [
        f"[table.{fit.name}]",
        f"title = {_quoted(f'fit {fit.name}')}",
        f"k = {json.dumps(d.fit['k'])}",
        f'kweight = {{ "{d.element} {d.edge}" = {max(d.fit["kweight"])} }}',
    ]
    for label, p, values, made in zip(labels, fit.paths, paths, feff, strict=True):
        here = {**variables[p.data], **best}
        lines += [
            "",
            f"[[table.{fit.name}.cell]]",
            f"row = {_quoted(p.data)}",
            f'edge = "{d.element} {d.edge}"',
            f"path = {_quoted(label)}",
        ]
        reff = p.reff or made.reff
        fixed = []
        for key in ("n", "s02", "deltar", "sigma2"):
            expression = bound(parse(values.get(key, "0")), made)
            value = float(expression(here))
            spread = sum(
                (float(expression({**here, n: here[n] + e})) - value) ** 2 for n, e in errors.items() if n in expression.names
            ) ** 0.5  # fmt: skip
            name = "r" if key == "deltar" else key
            lines.append(f"{name} = {value + (reff if key == 'deltar' else 0):.6g}")
            if spread > 0 and name != "n":
                lines.append(f"{name}_err = {spread:.4g}")
            if not spread:
                fixed.append(name)
        lines += [f"rfactor = {fit.rfactor:.6g}", f"fixed = {json.dumps(fixed)}"]
    return "\n".join(lines)


def _published(source: Project, stem: str, tables: list[str]) -> str:
    head = [
        f"# Results that {source.program} logged in {Path(source.path).name}; written by xasuite convert.",
        f"paper = {_quoted(stem)}",
        f"citation = {_quoted(f'{Path(source.path).name}, {source.program}')}",
        f"software = {_quoted(source.program)}",
    ]
    return "\n\n".join(["\n".join(head), *tables]) + "\n"


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
