"""Mistakes that a schema cannot find: labels used twice, names of no parameter, parameters that depend on each other in a circle."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..choices import PATH_VALUES
from ..errors import ExpressionError, nearest
from ..expressions import PATH_FUNCTIONS, PATH_TOKENS, RESERVED, Expression, parse, term
from .mistakes import Mistake
from .toml import Key


def names_mistakes(raw: Mapping[str, Any]) -> list[Mistake]:
    """Mistakes of names in the tables of a fit's spec; entries of a wrong form are left to the schema."""
    tables = {t: _entries(raw, t) for t in ("data", "path", "shells", "variant", "restraint")}
    params = _table(raw, "params")
    found = [m for t, entries in tables.items() if t != "restraint" for m in _twice(t, entries)]
    rows = {str(e.get("label", "")) for _, e in tables["data"]}
    paths = [(t, i, _called(t, i, e), e) for t in ("path", "shells") for i, e in tables[t]]
    for table, i, what, entry in paths:
        if (data := str(entry.get("data", ""))) and data not in rows:
            sentence = f'data = "{data}" is no data row{nearest(data, rows)}'
            found.append(((table, i, "data"), f"{what}: {sentence}"))
    rows_have = _variables(raw, tables["data"])
    everywhere = set.intersection(*rows_have.values()) if rows_have else set()
    found += _of_variables(tables["data"], params, rows_have)
    used: set[str] = set()
    for table, i, what, entry in paths:
        own = rows_have.get(str(entry.get("data", "")), everywhere)
        for value in (*PATH_VALUES, "alpha"):
            names = _names(entry.get(value))
            used |= names
            key, text = (table, i, value), entry.get(value)
            found += _unknown(key, f"{what}: {value}", text, names, params, own, rows_have)
    labels = None if tables["shells"] else {str(e.get("label", "")) for _, e in tables["path"]}
    for i, entry in tables["restraint"]:
        names = _names(entry.get("that"))
        used |= names
        plain = {n for n in names if term(n) is None}
        key, what = ("restraint", i, "that"), f"restraint {i + 1}: that"
        found += _unknown(key, what, entry.get("that"), plain, params, everywhere, rows_have)
        found += [(key, f"{what} = {entry['that']}: {said}") for said in _no_path(names - plain, labels)]
    found += _of_params(params, params, everywhere, rows_have)
    for p in params.values():
        starts = {n for n in _names(_text(p, "guess")) if not _varied(params.get(n))}
        used |= _names(_text(p, "expr")) | starts
    unused = [name for name in params if name not in used]
    found += [(("params", n), f"[params]: {n} is used by no path; use it or remove it") for n in unused]
    for i, entry in tables["variant"]:
        changed = _table(entry, "params")
        what = f'variant "{entry.get("label")}": '
        for name in changed:
            if name not in params:
                found.append((("variant", i), f"{what}{name} is no parameter{nearest(name, params)}"))
        of_it = _of_params({**params, **changed}, changed, everywhere, rows_have)
        found += [(("variant", i), what + sentence) for _, sentence in of_it]
    return found


def _of_params(
    params: Mapping[str, Any], asked: Mapping[str, Any], own: set[str], rows: Mapping[str, set[str]]
) -> list[Mistake]:
    """Mistakes of names in the `asked` of all parameters, whose expressions may name the variables `own` of every row."""
    found: list[Mistake] = []
    needs = {n: _names(_text(p, "expr")) | _names(_text(p, "guess")) for n, p in params.items()}
    variables = set().union(*rows.values()) - params.keys()
    for name, p in asked.items():
        at, what = ("params", name), f"[params]: {name}"
        if not _can_name(name):
            found.append((at, f"[params]: {name!r} cannot name a parameter; use letters, digits and _"))
        expr, guess = _text(p, "expr"), _text(p, "guess")
        found += _unknown(at, f"{what}: expr", expr, _names(expr), params, own, rows)
        found += _unknown(at, f"{what}: guess", guess, _names(guess) - variables, params, set(), {})
        if guess is not None and (of_rows := sorted(_reached(name, needs) & variables)):
            sentence = f"{of_rows[0]} is a variable of the data rows; a start is made of parameters alone"
            found.append((at, f'{what}: guess = "{guess}": {sentence}'))
        found += [
            (at, f'{what}: {key} = "{text}": {f} belongs to a path; write it in a [[path]]')
            for key, text in (("expr", expr), ("guess", guess))
            for f in sorted(_parsed(text).calls & PATH_FUNCTIONS)
        ]
    ring = _ring({n: names & params.keys() for n, names in needs.items()})
    return found + [m for m in ring if m[0][1] in asked]


def _text(p: Any, key: str) -> str | None:
    """A parameter's expression under a key."""
    text = p.get(key) if isinstance(p, dict) else None
    return text if isinstance(text, str) else None


def _varied(p: Any) -> bool:
    return isinstance(p, dict) and p.get("guess") is not None


def _reached(name: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Every name that a parameter needs, directly or through others."""
    found: set[str] = set()
    wanted = set(needs[name])
    while wanted:
        found |= wanted
        wanted = set().union(*(needs.get(n, set()) for n in wanted)) - found
    return found


def _of_variables(
    data: list[tuple[int, dict[str, Any]]], params: Mapping[str, Any], rows_have: Mapping[str, set[str]]
) -> list[Mistake]:
    """Variables of data rows that cannot be named so, or that a parameter is named as."""
    found: list[Mistake] = []
    for name in (n for n in params if any(n in have for have in rows_have.values())):
        said = f"{name} is a variable of the data rows as well; give one of them another name"
        found.append((("params", name), f"[params]: {said}"))
    for i, e in data:
        for name in (n for n in _table(e, "variables") if not _can_name(n)):
            said = f"{name!r} cannot name a variable; use letters, digits and _"
            found.append((("data", i, "variables"), f'data "{e.get("label", i + 1)}": {said}'))
    return found


def _no_path(terms: set[str], labels: set[str] | None) -> list[str]:
    """Labels in a restraint's terms that no path has; none where FEFF's paths make the labels (`labels` None)."""
    named = {a for n in terms for a in (term(n) or ("", ()))[1] if isinstance(a, str)}
    return [] if labels is None else [f'"{n}" is no path{nearest(n, labels)}' for n in sorted(named - labels)]


def _called(table: str, i: int, entry: Mapping[str, Any]) -> str:
    """An entry in words: path "Co-O", shells 1."""
    return f'{table} "{entry["label"]}"' if entry.get("label") else f"{table} {i + 1}"


def _can_name(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)) and name not in RESERVED


def _entries(raw: Mapping[str, Any], table: str) -> list[tuple[int, dict[str, Any]]]:
    """The entries of an array of tables that are tables, numbered."""
    entries = raw.get(table)
    each = entries if isinstance(entries, list | tuple) else ()
    return [(i, e) for i, e in enumerate(each) if isinstance(e, dict)]


def _table(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table within a table; an empty one where it is none."""
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _twice(table: str, entries: list[tuple[int, dict[str, Any]]]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for i, entry in entries:
        label = str(entry.get("label", ""))
        if label in seen:
            yield (table, i, "label"), f'{table} "{label}" stands twice; give each {table} its own label'
        seen |= {label} if label else set()


def _names(text: Any) -> set[str]:
    """The names that an expression uses; none where it is none, which the schema says."""
    return set(_parsed(text).names)


def _parsed(text: Any) -> Expression:
    """An expression; a number where it is none."""
    try:
        return parse(text if isinstance(text, str) else 0.0)
    except ExpressionError:
        return parse(0.0)


def _variables(raw: Mapping[str, Any], data: list[tuple[int, dict[str, Any]]]) -> dict[str, set[str]]:
    """The names of the numbers that each row has, by its label; those of a series' rows by ""."""
    series = raw.get("series")
    if isinstance(series, dict):
        found = {str(n) for _, log in _entries(series, "log") for n in _table(log, "columns")}
        return {"": found | set(re.findall(r"\(\?P<(\w+)>", str(series.get("names", "")))) | {"time"}}
    return {str(e.get("label", "")): set(_table(e, "variables")) for _, e in data}


def _unknown(
    key: Key, what: str, text: Any, names: set[str], params: Mapping[str, Any], own: set[str],
    rows: Mapping[str, set[str]],
) -> Iterator[Mistake]:  # fmt: skip
    known = params.keys() | own | (PATH_TOKENS if key[0] in ("path", "shells") else frozenset())
    for name in sorted(names - known):
        if term(name) is not None:
            yield key, f"{what} = {text}: {name} is a value of paths; it can stand in a [[restraint]] only"
            continue
        which = "" if name == str(text).strip() else f": {name}"
        without = [label for label, have in rows.items() if name not in have]
        if len(without) < len(rows):  # some rows have it
            yield key, f'{what} = "{text}"{which} is a variable that data "{without[0]}" does not have'
        else:
            yield key, f'{what} = "{text}"{which} is no parameter{nearest(name, [*params, *own])}'


def _ring(needs: Mapping[str, set[str]]) -> Iterator[Mistake]:
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as exc:
        ring = list(reversed(exc.args[1]))
        yield ("params", ring[0]), f"[params]: {' -> '.join(ring)} depend on each other in a ring"
