"""Reading a spec: every mistake at once, each with file, line, key, what was found and what is allowed."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import ExpressionError, SpecError
from ..exafs.model import PATH_VALUES
from ..expressions import FUNCTIONS, Expression
from ..expressions import parse as parse_expression
from .lines import key_lines, line_of
from .schema import Spec

_ALIAS = {"from_": "from"}
Schema = TypeVar("Schema", bound=BaseModel)
Loaded = TypeVar("Loaded")
Lines = dict[tuple[str | int, ...], int]


@dataclass(frozen=True)
class LoadedSpec:
    """A spec with its file, text, hash and the line of every key."""

    spec: Spec
    path: Path
    text: str
    lines: Mapping[tuple[str | int, ...], int]

    @property
    def sha256(self) -> str:
        """Hash of the spec's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """Folder and stem of its file: the name of its results."""
        return f"{self.path.absolute().parent.name}/{self.path.stem}"

    def at(self, *key: str | int) -> str:
        """ "file:line" of a key."""
        return f"{self.path.name}:{line_of(key, dict(self.lines))}"


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean "x"?' for the nearest known name, else the list of what there is."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; there are {', '.join(names)}" if names else ""


def load_spec(path: str | Path) -> LoadedSpec:
    """Read and check a spec file.

    Raises SpecError with every mistake of form and of names; what needs data or FEFF is checked by
    `spec.check_spec`.
    """
    return parse_spec(read_text(path), path)


def read_text(path: str | Path) -> str:
    """The text of a spec file of any kind. Raises SpecError when it is absent, a folder, or not text."""
    path = Path(path)
    if path.is_dir():
        raise SpecError(f"{path} is a folder; name one of the spec files (.toml) in it")
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such spec{_neighbours(path)}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not UTF-8 text, so it is no spec") from None
    except OSError as exc:
        raise SpecError(f"{path} cannot be read: {exc.strerror}") from None


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f", nor a folder {path.parent}"
    return nearest(path.name, (p.name for p in path.parent.glob("*.toml")))


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The tables of a TOML text. Raises SpecError with line and column."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise SpecError(_toml_mistake(path, text, exc)) from None


def validated(schema: type[Schema], raw: dict[str, Any], text: str, path: Path) -> tuple[Schema, Lines]:
    """The tables checked against a schema, and the line of every key. Raises SpecError with every mistake."""
    lines = key_lines(text)
    try:
        return schema.model_validate(raw), lines
    except ValidationError as exc:
        raise SpecError(validation_mistakes(exc, raw, lines, path.name, schema)) from None


def parse_spec(text: str, path: str | Path = "spec.toml") -> LoadedSpec:
    """Check a spec given as text. Raises SpecError with every mistake."""
    return checked(Spec, LoadedSpec, meaning_mistakes, text, Path(path))


def checked(
    schema: type[Schema],
    loaded: Callable[[Schema, Path, str, Lines], Loaded],
    meaning: Callable[[Loaded], list[str]],
    text: str,
    path: Path,
) -> Loaded:
    """The text as a spec of its kind: TOML, then the schema, then what a schema cannot see (`meaning`).

    Raises SpecError with every mistake.
    """
    spec, lines = validated(schema, parse_toml(text, path), text, path)
    found = loaded(spec, path, text, lines)
    mistakes = meaning(found)
    if mistakes:
        raise SpecError(mistakes)
    return found


def _toml_mistake(path: Path, text: str, exc: tomllib.TOMLDecodeError) -> str:
    message = str(exc)
    where = re.search(r"\(at line (\d+), column (\d+)\)", message)
    what = message.split(" (at ")[0]
    if where is None:
        return f"{path.name}:{len(text.splitlines())}: not TOML: {what}"
    line = text.splitlines()[int(where[1]) - 1].strip() if text.splitlines() else ""
    return f"{path.name}:{where[1]}:{where[2]}: not TOML: {what} in {line[:60]!r}"


def validation_mistakes(
    exc: ValidationError,
    raw: Mapping[str, Any],
    lines: Mapping[tuple[str | int, ...], int],
    file: str,
    schema: type[BaseModel],
) -> list[str]:
    """pydantic's errors as sentences with file, line and key; sorted by line."""
    found: list[tuple[int, str]] = []
    for error in exc.errors():
        loc = tuple(error["loc"])
        if error["type"] == "too_short" and error["input"]:
            continue  # its entries are wrong, each of which is said by itself
        while loc and not _exists(raw, loc) and error["type"] not in {"missing", "extra_forbidden"}:
            loc = loc[:-1]
        number = line_of(loc, dict(lines))
        key = _key_text(loc, raw)
        found.append((number, f"{file}:{number}: {key}{_sentence(error, loc, schema)}"))
    return [m for _, m in sorted(dict.fromkeys(found))]


def _exists(raw: Any, loc: tuple[Any, ...]) -> bool:
    for part in loc:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _key_text(loc: tuple[Any, ...], raw: Any) -> str:
    """The key's path in words: path "Co-Ru": sigma2."""
    if not loc:
        return ""
    words: list[str] = []
    here = raw
    i = 0
    while i < len(loc):
        part = loc[i]
        here = here[part] if _exists(here, (part,)) else None
        if i + 1 < len(loc) and isinstance(loc[i + 1], int) and isinstance(here, list):
            item = here[loc[i + 1]] if loc[i + 1] < len(here) else None
            label = item.get("label") if isinstance(item, dict) else None
            words.append(f'{part} "{label}"' if label else f"{part} {loc[i + 1] + 1}")
            here = item
            i += 2
            continue
        words.append(f"[{part}]" if i == 0 and isinstance(here, dict) else str(_ALIAS.get(part, part)))
        i += 1
    return ": ".join(words) + ": "


def _sentence(error: Any, loc: tuple[Any, ...], schema: type[BaseModel]) -> str:
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        return f"no such key{nearest(str(loc[-1]), _fields(schema, loc[:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        allowed = error["ctx"]["expected"].replace("'", '"')
        if loc == ("xasuite",):
            return f"found {given!r}; this program reads format 1"
        words = re.findall(r'"([^"]+)"', allowed)
        hint = nearest(str(given), words) if isinstance(given, str) else ""
        return f"found {given!r}; allowed are {allowed}{hint if 'did you mean' in hint else ''}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "too_short":
        return "needs at least one entry"
    if kind in {"tuple_type", "missing_argument"} or (kind == "too_long" and isinstance(given, list)):
        return f"found {given!r}; needs [low, high]"
    bounds = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below"}
    if kind in bounds:
        limit = next(iter(error["ctx"].values()))
        return f"found {given!r}; must be {bounds[kind]} {limit:g}"
    if kind == "less_than_equal":
        return f"found {given!r}; must be at most {error['ctx']['le']:g}"
    wanted = {"float": "a number", "int": "a whole number", "string": "text", "bool": "true or false"}
    base = kind.split("_")[0]
    if base in wanted:
        return f"found {given!r}; must be {wanted[base]}"
    return f"found {given!r}: {error['msg']}"


def _fields(schema: Any, loc: tuple[Any, ...]) -> list[str]:
    """The allowed keys of the table at `loc`."""
    here: Any = schema
    named = False  # the next part is a name of the user's own, such as a parameter's
    for part in loc:
        if isinstance(part, int) or named:
            named = False
            continue
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(part)
            named = field is not None and getattr(field.annotation, "__origin__", None) is dict
            here = _table_of(field.annotation) if field is not None else None
    if isinstance(here, type) and issubclass(here, BaseModel):
        return [f.alias or name for name, f in here.model_fields.items()]
    return []


def _table_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        table = _table_of(inner)
        if table is not None:
            return table
    return None


def meaning_mistakes(loaded: LoadedSpec) -> list[str]:
    """What the schema cannot see: names, expressions, rings, unused parameters, N_idp."""
    found: list[tuple[int, str]] = []

    def say(key: tuple[str | int, ...], sentence: str) -> None:
        number = line_of(key, dict(loaded.lines))
        found.append((number, f"{loaded.path.name}:{number}: {sentence}"))

    spec = loaded.spec
    _labels(spec, say)
    used = _path_expressions(spec, say)
    used |= _param_expressions(spec, say)
    varied = [n for n, p in spec.params.items() if p.guess is not None]
    for name in spec.params:
        if name not in used:
            say(("params", name), f"[params]: {name} is used by no path; use it or remove it")
    n_idp = 1 + 2 * (spec.fit.k[1] - spec.fit.k[0]) * (spec.fit.r[1] - spec.fit.r[0]) / 3.141592653589793
    rows = len(spec.data) if spec.fit.together else 1
    count = sum(rows if spec.params[n].each else 1 for n in varied)
    if count >= n_idp * rows:
        say(
            ("fit", "k"),
            f"[fit]: {count} variables against {n_idp * rows:.1f} independent points "
            "(1 + 2 dk dR / pi a data row); fix some parameters or widen k or r",
        )
    if any(d.simulate for d in spec.data) and spec.simulate is None:
        say(("data", 0), "[[data]] simulates a row, but there is no [simulate] table to say how")
    if any(d.simulate for d in spec.data) and not spec.reproduces:
        say(("data", 0), '[[data]] simulates a published row, but reproduces = "paper/table" is missing')
    for i, variant in enumerate(spec.variant):
        for name in variant.params:
            if name not in spec.params:
                say(
                    ("variant", i),
                    f'variant "{variant.label}": {name} is no parameter{nearest(name, spec.params)}',
                )
    return [m for _, m in sorted(dict.fromkeys(found))]


def _labels(spec: Spec, say: Any) -> None:
    tables: dict[str, tuple[Any, ...]] = {"path": spec.path, "data": spec.data, "variant": spec.variant}
    for table, items in tables.items():
        seen: dict[str, int] = {}
        for i, item in enumerate(items):
            if item.label in seen:
                say(
                    (table, i, "label"),
                    f'{table} "{item.label}" stands twice; give each {table} its own label',
                )
            seen[item.label] = i
    rows = {d.label for d in spec.data}
    for i, p in enumerate(spec.path):
        if p.data and p.data not in rows:
            say(
                ("path", i, "data"),
                f'path "{p.label}": data = "{p.data}" is no data row{nearest(p.data, rows)}',
            )


def _path_expressions(spec: Spec, say: Any) -> set[str]:
    used: set[str] = set()
    for i, p in enumerate(spec.path):
        for quantity in PATH_VALUES:
            text = getattr(p, quantity)
            if text is None:
                continue
            expression = _parsed(text, ("path", i, quantity), f'path "{p.label}": {quantity}', say)
            if expression is None:
                continue
            for name in sorted(expression.names - spec.params.keys()):
                say(
                    ("path", i, quantity),
                    f'path "{p.label}": {quantity} = "{text}" is no parameter{nearest(name, spec.params)}'
                    if expression.is_name
                    else f'path "{p.label}": {quantity} = "{text}": {name} is no parameter'
                    f"{nearest(name, spec.params)}",
                )
            used |= expression.names
    return used


def _param_expressions(spec: Spec, say: Any) -> set[str]:
    needs: dict[str, frozenset[str]] = {}
    for name, p in spec.params.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in FUNCTIONS or name == "pi":
            say(("params", name), f"[params]: {name!r} cannot name a parameter; use letters, digits and _")
        if p.expr is None:
            continue
        expression = _parsed(p.expr, ("params", name), f"[params]: {name}: expr", say)
        if expression is None:
            continue
        for other in sorted(expression.names - spec.params.keys()):
            say(
                ("params", name),
                f'[params]: {name}: expr = "{p.expr}": {other} is no parameter{nearest(other, spec.params)}',
            )
        needs[name] = expression.names & spec.params.keys()
    ring = _ring(needs)
    if ring:
        say(("params", ring[0]), f"[params]: {' -> '.join(ring)} depend on each other in a ring")
    return set().union(*needs.values()) if needs else set()


def _ring(needs: Mapping[str, frozenset[str]]) -> list[str]:
    for first in needs:
        trail = [first]

        def walk(name: str, trail: list[str] = trail, first: str = first) -> bool:
            for other in sorted(needs.get(name, ())):
                if other == first:
                    trail.append(other)
                    return True
                if other not in trail:
                    trail.append(other)
                    if walk(other):
                        return True
                    trail.pop()
            return False

        if walk(first):
            return trail
    return []


def _parsed(text: str | float, key: tuple[str | int, ...], what: str, say: Any) -> Expression | None:
    try:
        return parse_expression(text)
    except ExpressionError as exc:
        say(key, f"{what} = {exc}")
        return None
