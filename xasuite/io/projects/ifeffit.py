"""Scripts of Ifeffit read as data: the commands that describe a fit are kept, none is run.

read_data, pre_edge, spline, guess, def, set, restraints, path and feffit of one script, in its order. What draws, prints or
writes is passed over; a macro is never expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ExpressionError, ReadError
from ...expressions import parse
from ...records import Array
from .common import arrays, feffit_ranges, ifeffit_reduce, path_values
from .records import Project, ProjectData, ProjectFit, ProjectParameter, ProjectPath

# commands that show, write or transform what has been fitted, and say nothing of the fit itself
_PASSED = {
    "show", "print", "echo", "plot", "newplot", "zoom", "cursor", "color", "linestyle", "plot_arrow", "plot_text", "plot_marker",
    "write_data", "log", "history", "pause", "quit", "exit", "fftf", "fftr", "window", "ff2chi", "get_path", "chi_noise", "correl",
    "erase", "rename", "sync", "save", "help", "bkg_cl", "uncertainties", "comment",
}  # fmt: skip
_WORK = r"\b(read_data|spline|pre_edge|guess|def|set|path|feffit|unguess)\b"
_FUNCTIONS = {"eins": "einstein"}
Item = tuple[str, str | None]


def is_ifeffit(text: str) -> bool:
    """Whether a text is a script of Ifeffit with a fit or a background in it."""
    return bool(re.search(r"^\s*(read_data|feffit|spline)\s*\(", text, re.M | re.I))


def read_ifeffit(text: str, path: Path) -> Project:
    """The fits of a script. Raises ReadError naming the line where something cannot be read."""
    script = _Script(path)
    for number, line in _statements(text, path.name):
        script.take(number, line)
    if not script.fits:
        macro = next((n for n, body in script.macros.items() if "feffit" in body.lower()), None)
        why = f"its fit is made by the macro {macro}, which cannot be carried over; write its commands out in the script"
        raise ReadError(f"{path}: {why if macro else 'the script holds no feffit command'}")
    return Project(path.name, "Ifeffit", tuple(script.fits))


def _statements(text: str, name: str) -> Iterator[tuple[int, str]]:
    """Each statement with the number of its first line; comments gone, what stands in brackets in one line."""
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"""("[^"]*"|'[^']*')|#.*|^\s*[%!*].*""", lambda m: m[1] or "", line).strip()
        first = first if held else number
        held = f"{held} {bare}".strip()
        if held.count("(") <= held.count(")"):
            if held:
                yield first, held
            held = ""
    if held:
        raise ReadError(f"{name}:{first}: a bracket is opened and never closed: {held[:60]}")


def items(text: str) -> list[Item]:
    """The arguments of a command, each (key, value), or (word, None): those outside brackets and quotes."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    parts = re.findall(r"""(?:[^,"'()]|"[^"]*"|'[^']*'|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+""", text)
    out: list[Item] = []
    for part in parts:
        key, mark, value = part.strip().partition("=")
        if key:
            out.append((key.strip().lower(), value.strip().strip("\"'") if mark else None))
    return out


def plain(text: str) -> str:
    """An expression of Ifeffit as ours: ** for ^, e for Fortran's d, no letter case."""
    out = re.sub(r"(?<=[\d.])[dD](?=[+-]?\d)", "e", text.strip()).replace("^", "**").lower()
    return re.sub(r"[a-z_]\w*", lambda m: _FUNCTIONS.get(m[0], m[0]), out)


@dataclass
class _Group:
    """A group of arrays: what read_data read, and how spline reduced it."""

    file: str = ""
    columns: dict[str, Array] = field(default_factory=dict)
    reduce: dict[str, Any] | None = None
    mu: tuple[Array, Array] | None = None
    lost: tuple[str, ...] = ()


class _Script:
    """What a script has said so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parameters: dict[str, ProjectParameter] = {}
        self.strings: dict[str, str] = {}
        self.groups: dict[str, _Group] = {}
        self.paths: dict[int, dict[str, str]] = {}
        self.macros: dict[str, str] = {}
        self.lost: list[str] = []
        self.sets: list[tuple[ProjectData, tuple[ProjectPath, ...]]] = []
        self.restraints: list[str] = []
        self.fits: list[ProjectFit] = []
        self._macro = ""
        self._at = ""

    def take(self, number: int, line: str) -> None:
        """One statement. Raises ReadError."""
        self._at = f"{self.path.name}:{number}"
        if self._macro:
            self._in_macro(line)
            return
        found = re.match(r"([$&@A-Za-z_][\w.&$@]*)\s*(.*)$", line, re.S)
        if found is None:
            raise ReadError(f"{self._at}: no command: {line[:60]}")
        name, rest = found[1].lower(), found[2].strip()
        if rest.startswith("="):
            self._assign(items(line))
        elif name == "macro":
            self._macro = rest.split()[0].lower() if rest else "?"
            self.macros[self._macro] = ""
        elif name in self.macros:
            self._macro_called(name)
        elif name in ("guess", "set", "def"):
            self._assign(items(rest), name)
        elif hasattr(self, f"do_{name}"):
            getattr(self, f"do_{name}")(items(rest))
        elif name not in _PASSED:
            self.lost.append(f"line {number}: {name}, a command that describes no fit here")

    def _in_macro(self, line: str) -> None:
        if re.match(r"end\s+macro\b", line, re.I):
            self._macro = ""
        else:
            self.macros[self._macro] += line + "\n"

    def _macro_called(self, name: str) -> None:
        if re.search(_WORK, self.macros[name], re.I):
            raise ReadError(
                f"{self._at}: the macro {name} changes the fit and cannot be carried over; write its commands out in the script"
            )
        self.lost.append(f"the macro {name}")

    # -- values

    def _assign(self, given: list[Item], kind: str = "") -> None:
        """Assignments: a number is set, an expression follows its parameters unless `kind` says otherwise."""
        for key, value in given:
            if value is None:  # "guess e0 0.0"
                key, _, value = key.partition(" ")
            if key.startswith("$") or key in ("kwindow", "rwindow", "fit_space"):
                self.strings[key.lstrip("$")] = value.strip("\"' ")
            elif "." in key:
                self._array(key, value)
            else:
                self._parameter(key, plain(value), kind)

    def _parameter(self, name: str, text: str, kind: str) -> None:
        value = self.value(text)
        if kind in ("set", "guess") and value is None:
            raise ReadError(f"{self._at}: {kind} {name} = {text} has no value yet")
        if kind in ("set", "guess"):
            text = repr(value)
        constant = re.fullmatch(r"[-+\d.e]+", text) is not None
        self.parameters[name] = ProjectParameter(name, kind or ("set" if constant else "def"), text)

    def value(self, text: str | None) -> float | None:
        """The number of an expression at this place of the script; None where it has none."""
        if text is None:
            return None
        try:
            expression = parse(plain(text))
            known = {n: self.value(self.parameters[n].expression) for n in expression.names}
            return None if None in known.values() else float(expression(known))
        except (KeyError, ExpressionError, ArithmeticError, TypeError, ValueError, RecursionError):
            return None

    def number(self, given: Mapping[str, str], *names: str) -> float | None:
        """The first of the named settings that is given, in a command or before it."""
        for name in names:
            text = given.get(name) or (self.parameters[name].expression if name in self.parameters else None)
            if (found := self.value(text)) is not None:
                return found
        return None

    def do_unguess(self, given: list[Item]) -> None:
        names = [key for key, _ in given] or list(self.parameters)
        for name in names:
            p = self.parameters.get(name)
            if p is not None and p.kind == "guess":
                self.parameters[name] = ProjectParameter(name, "set", p.expression)

    # -- data

    def do_read_data(self, given: list[Item]) -> None:
        keys = dict(given)
        file = keys.get("file") or next((k for k, v in given if v is None), "")
        name = str(keys.get("group") or keys.get("prefix") or "my").lower()
        kind = str(keys.get("type") or "label").lower()
        self.groups[name] = _Group(file, read_columns(self.path.parent / _as_written(file), kind, self._at))

    def _array(self, key: str, text: str) -> None:
        """An array of a group made of others, such as data.xmu = ln(data.2 / data.3)."""
        name, _, column = key.partition(".")
        if (group := self.groups.get(name)) is None:
            return
        made = re.sub(rf"\b{re.escape(name)}\.(\w+)", r"c_\1", plain(text))
        try:
            values = parse(made)({f"c_{c}": v for c, v in group.columns.items()})
        except (ExpressionError, KeyError, TypeError, ValueError):
            raise ReadError(
                f"{self._at}: {key} = {text} cannot be made of the columns {', '.join(group.columns)}"
            ) from None
        group.columns[column] = np.asarray(values, float)

    def _column(self, text: str | None, otherwise: str) -> tuple[_Group, Array]:
        name, _, column = (text or "").lower().partition(".")
        group = self.groups.get(name)
        if group is None or (found := group.columns.get(column or otherwise)) is None:
            raise ReadError(f"{self._at}: {text or otherwise} was not read: no read_data command gives it")
        return group, found

    def do_pre_edge(self, given: list[Item]) -> None:
        for name, text in given:
            if text is not None and name in ("e0", "pre1", "pre2", "norm1", "norm2", "norm_order"):
                self._parameter(name, plain(text), "set")

    def do_spline(self, given: list[Item]) -> None:
        keys = {k: v for k, v in given if v is not None}
        bare = [k for k, v in given if v is None]
        group, energy = self._column(keys.get("energy") or (bare[0] if bare else None), "energy")
        _, mu = self._column(keys.get("xmu") or (bare[1] if len(bare) > 1 else None), "xmu")
        self.do_pre_edge(given)
        # Ifeffit's own names of the settings, those of before the command behind, and what it takes otherwise
        names = {
            "bkg_e0": ("e0",), "bkg_rbkg": ("rbkg",), "bkg_kw": ("kweight", "kweight_spl"), "bkg_spl1": ("kmin", "kmin_spl"),
            "bkg_spl2": ("kmax", "kmax_spl"), "bkg_dk": ("dk", "dk1", "dk1_spl"), "bkg_pre1": ("pre1",), "bkg_pre2": ("pre2",),
            "bkg_nor1": ("norm1",), "bkg_nor2": ("norm2",), "bkg_nnorm": ("norm_order",), "bkg_clamp1": ("clamp1",),
            "bkg_clamp2": ("clamp2",),
        }  # fmt: skip
        args: dict[str, Any] = {"bkg_kw": 0, "bkg_pre1": -200, "bkg_pre2": -50, "bkg_nor1": 100, "bkg_nor2": 400,
                                "bkg_nnorm": 3, "bkg_dk": 0}  # fmt: skip
        # the fit's, of the same names, are not the spline's
        of_fit = {"kweight", "kmin", "kmax", "dk", "dk1"}
        for key, (own, *before) in names.items():
            set_before = [n for n in (own, *before) if n not in of_fit]
            found = self.value(keys[own]) if own in keys else self.number({}, *set_before)
            if found is not None:
                args[key] = found
        args["bkg_kwindow"] = keys.get("kwindow") or self.strings.get("kwindow", "hanning")
        group.reduce = ifeffit_reduce(args) | {"background": "ifeffit"}
        group.mu = arrays(energy, mu, self._at)
        end = float(np.sqrt(max(energy[-1] - args.get("bkg_e0", energy[0]), 0.0) / 3.81))
        if group.reduce.get("bkg_k", [0, 0])[1] > end:
            del group.reduce["bkg_k"]
        if "e0" not in group.reduce:
            group.lost = ("Ifeffit found E0 itself; here it is found as well, and may differ by some eV",)
        if "chi_std" in keys:
            group.lost += ("the background was made against a standard",)

    # -- paths and fits

    def do_path(self, given: list[Item]) -> None:
        keys = {k: v for k, v in given if v is not None}
        which = keys.pop("index", None) or next((k for k, v in given if v is None), "1")
        for index in _indices(which, self._at):
            self.paths.setdefault(index, {}).update(keys)

    def do_feffit(self, given: list[Item]) -> None:
        keys = {k: v for k, v in given if v is not None}
        wanted = [i for k, v in given if v is None for i in _indices(k, self._at)]
        self.restraints += [plain(v) for k, v in given if k.startswith("restraint") and v]
        total, number = (int(self.number(keys, n) or 1) for n in ("data_total", "data_set"))
        group = str(keys.get("chi") or "").lower().partition(".")[0]
        paths = [feff_path(i, self.paths.get(i, {}), self.path, self._at) for i in wanted]
        data = self._data(keys, group, given, paths)
        self.sets.append((data, tuple(replace(p, data=data.label) for p in paths)))
        if number >= total:
            self._fit(str(keys.get("group") or f"fit{len(self.fits) + 1}").lower())

    def _fit(self, name: str) -> None:
        restraints = tuple(
            ProjectParameter(f"restraint {i}", "restrain", r) for i, r in enumerate(self.restraints, 1)
        )
        while name in {f.name for f in self.fits}:
            name += "_2"
        data, paths = tuple(d for d, _ in self.sets), tuple(p for _, paths in self.sets for p in paths)
        given = (*self.parameters.values(), *restraints)
        self.fits.append(ProjectFit(name, given, data, paths, lost=tuple(self.lost)))
        self.sets, self.restraints = [], []

    def _data(
        self, keys: Mapping[str, str], name: str, given: list[Item], paths: list[ProjectPath]
    ) -> ProjectData:
        group = self.groups.get(name)
        if group is None:
            raise ReadError(
                f"{self._at}: feffit fits {keys.get('chi')}, which no read_data or spline command gives"
            )
        k, r = self._range(keys, "kmin", "kmax"), self._range(keys, "rmin", "rmax")
        weights = [w for k, v in given if k == "kweight" and (w := self.value(v)) is not None]
        weights = weights or [self.number({}, "kweight") or 0.0]
        dk, dk2 = self.number(keys, "dk1", "dk") or 0.0, self.number(keys, "dk2", "dk")
        lost = [*group.lost]
        if (keys.get("do_bkg") or "").lower() in ("true", "1", "yes", "t"):
            lost.append("Ifeffit fitted the background with the paths; here it is removed before the fit")
        space = keys.get("fit_space") or self.strings.get("fit_space") or "r"
        shape = keys.get("kwindow") or self.strings.get("kwindow", "hanning")
        fit = feffit_ranges(space, k, weights, shape, (dk, dk2), r, self._at)
        fit |= {"epsilon_k": noise} if (noise := self.value(keys.get("epsilon_k"))) else {}
        if any(w != int(w) for w in weights):
            lost.append(f"the k weights {weights}, which are no whole numbers")
        edge = edge_of(paths, self._at)
        label = name if len(self.groups) > 1 or not group.file else Path(group.file).stem
        if group.mu is not None and group.reduce is not None:
            return ProjectData(label, *group.mu, "", edge, group.reduce, fit, tuple(lost))
        if "chi" not in group.columns or "k" not in group.columns:
            raise ReadError(
                f"{self._at}: {keys.get('chi')} was neither read with type=chi nor made by spline"
            )
        return ProjectData.of_chi(
            label, group.columns["k"], group.columns["chi"], element="", edge=edge, fit=fit, lost=tuple(lost)
        )

    def _range(self, keys: Mapping[str, str], low: str, high: str) -> list[float]:
        if (last := self.number(keys, high)) is None:
            raise ReadError(f"{self._at}: feffit without {high}; set {low} and {high} before it")
        return [self.number(keys, low) or 0.0, last]


def _indices(text: str, at: str) -> list[int]:
    """Path numbers: "3", "1-4"."""
    found = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", text)
    if found is None:
        raise ReadError(f"{at}: {text} is no list of paths, such as 1-4,6")
    return list(range(int(found[1]), int(found[2] or found[1]) + 1))


def _as_written(file: str) -> Path:
    return Path(file.strip("\"' ").replace("\\", "/"))


def feff_path(index: int, keys: Mapping[str, str], script: Path, at: str) -> ProjectPath:
    """A path with the text of its feffNNNN.dat. Raises ReadError where that file is not there."""
    if (file := keys.get("feff")) is None:
        raise ReadError(f"{at}: path {index} was not given a file of FEFF")
    where = script.parent / _as_written(file)
    try:
        text = where.read_text("utf-8", "replace")
    except OSError:
        raise ReadError(
            f"{at}: FEFF's file {file} of path {index} is not there ({where}); put it there and convert again"
        ) from None
    return ProjectPath(
        label=keys.get("label") or keys.get("id") or f"path {index}",
        data="",
        values={k: plain(v) for k, v in path_values(keys).items()},
        feff=text,
    )


def edge_of(paths: list[ProjectPath], at: str) -> str:
    """The edge, which only FEFF's files tell, as they tell the absorber."""
    if not paths:
        raise ReadError(f"{at}: feffit names no path")
    found = re.search(r"\b(K|L[123]|LI{1,3})\s+shell", paths[0].feff)
    return {"LI": "L1", "LII": "L2", "LIII": "L3"}.get(found[1], found[1]) if found else "K"


def read_columns(path: Path, kind: str, at: str) -> dict[str, Array]:
    """The columns of a data file by name: those of its type, those of its labels, else 1, 2, ... Raises ReadError."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        raise ReadError(f"{at}: the data file {path} is not there") from None
    rows, labels = [], ""
    for line in lines:
        try:
            rows.append([float(v) for v in line.replace(",", " ").split()])
        except ValueError:
            labels = labels if rows else line
    rows = [r for r in rows if r]
    if len(rows) < 2 or len({len(r) for r in rows}) > 1:
        raise ReadError(f"{at}: {path.name} is no table of numbers")
    table = np.array(rows).T
    names = {"xmu": ["energy", "xmu"], "chi": ["k", "chi"]}.get(kind, [])
    if not names:
        words = [re.sub(r"\W+", "_", w.lower()).strip("_") for w in labels.lstrip("#%!* ").split()]
        names = words if kind != "raw" and len(words) == len(table) else []
    out = {str(i): column for i, column in enumerate(table, 1)}
    return out | dict(zip(names, table, strict=False))
