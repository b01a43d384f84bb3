"""pydantic's errors as sentences: which key, what was found, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import nearest
from .toml import Key, holds

Mistake = tuple[Key, str]  # the key and the sentence about it

_BOUNDS = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below", "less_than_equal": "at most"}  # fmt: skip
_KINDS = {
    "float": "a number", "int": "a whole number", "string": "text in quotes", "bool": "true or false", "finite": "a finite number",
    "model": "a table { ... }", "dict": "a table { ... }", "tuple": "a list [ ... ]",
}  # fmt: skip


def validation_mistakes(
    exc: ValidationError, raw: Mapping[str, Any], schema: type[BaseModel]
) -> list[Mistake]:
    """What pydantic found wrong with the tables of a spec."""
    found: list[Mistake] = []
    for error in exc.errors():
        loc = error["loc"]
        if error["type"] == "too_short" and error["input"]:
            continue  # its entries are wrong, each of which is said by itself
        while loc and not holds(raw, loc) and error["type"] not in {"missing", "extra_forbidden"}:
            loc = loc[:-1]
        found.append((loc, f"{_words(loc, raw)}{_sentence(error, loc, schema)}"))
    return list(dict.fromkeys(found))


def _words(loc: Key, raw: Any) -> str:
    """The key in words: path "Co-Ru": sigma2."""
    words: list[str] = []
    for i, part in enumerate(loc):
        raw = raw[part] if holds(raw, (part,)) else None
        if isinstance(part, int):
            label = raw.get("label") if isinstance(raw, dict) else None
            words[-1] = f'{loc[i - 1]} "{label}"' if label else f"{loc[i - 1]} {part + 1}"
        else:
            words.append(f"[{part}]" if i == 0 and isinstance(raw, dict) else part)
    return "".join(f"{w}: " for w in words)


def _sentence(error: ErrorDetails, loc: Key, schema: type[BaseModel]) -> str:
    kind, given, context = error["type"], _short(error["input"]), error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"no such key{nearest(str(loc[-1]), _fields(schema, loc[:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        allowed = context["expected"].replace("'", '"')
        if loc == ("xasuite",):
            return f"found {given!r}; this program reads format {allowed}"
        hint = nearest(given, re.findall(r'"([^"]+)"', allowed)) if isinstance(given, str) else ""
        return f"found {given!r}; allowed are {allowed}{hint if 'did you mean' in hint else ''}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "too_short":
        return "needs at least one entry"
    if len(loc) == 2 and loc[0] == "params" and isinstance(given, int | float):
        return f"found {given!r}; write {loc[1]} = {{ guess = {given} }} to vary it or {{ value = {given} }} to hold it"
    if kind in _BOUNDS:
        return f"found {given!r}; must be {_BOUNDS[kind]} {next(iter(context.values())):g}"
    wanted = _KINDS.get(kind.split("_")[0])
    return f"found {given!r}; must be {wanted}" if wanted else f"found {given!r}: {error['msg']}"


def _short(given: Any) -> Any:
    """What was found, its middle left out where it fills a page."""
    said = repr(given)
    return given if len(said) <= 200 else _Said(f"{said[:60]} ... {said[-10:]}")


class _Said(str):
    """A text that shows itself without quotes."""

    __repr__ = str.__str__


def _fields(kind: Any, loc: Key) -> list[str]:
    """The allowed keys of the table at `loc`."""
    for part in loc:
        model = _model(kind)
        if model is None:
            return []
        kind = model if get_origin(kind) in (dict, tuple) else model.model_fields[str(part)].annotation
    model = _model(kind)
    return [f.alias or name for name, f in model.model_fields.items()] if model else []


def _model(annotation: Any) -> type[BaseModel] | None:
    """The table that an annotation is of: itself, or what an optional one, a list or a dictionary holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := _model(a))), None)
