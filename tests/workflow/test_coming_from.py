"""The table "Can the spec express it" of docs/guide/coming_from.md: every example is checked as `xasuite check` does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from xasuite.choices import PATH_VALUES
from xasuite.errors import SpecError
from xasuite.expressions import PATH_TOKENS, parse, term
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.specs.write import to_toml
from xasuite.workflow import check_spec
from xasuite.workflow.resolve import Context

# copper's mu(E), chi(k) and FEFF paths, small and in the repository
HERE = Path(__file__).parent / "ifeffit"
PAGE = (Path(__file__).parents[2] / "docs/guide/coming_from.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Can the spec express it")[1].split("\n## ")[0]
ROWS = [
    tuple(row)
    for row in re.findall(r"^\| ([^*|][^|]*) \| (yes|no|nearest|command) \| (.*) \|$", SECTION, re.M)
]
# text of a spec; pieces with one blank between them belong together
EXAMPLES = [
    (feature, example)
    for feature, _, here in ROWS
    for example in re.findall(r"`\[[^`]+`(?: `\[[^`]+`)*", here)
]
BASE: Mapping[str, Any] = {
    "xasuite": 2, "title": "copper", "errors": "fit", "data": [{"label": "Cu foil", "file": "cu.xmu"}], "sample": {"element": "Cu"},
    "fit": {"k": [3, 12], "kweight": [2], "r": [1.6, 2.9]},
    "params": {"s02": {"guess": 0.9}, "enot": {"guess": 0.0}, "dr": {"guess": 0.0}, "ss": {"guess": 0.005}},
    "path": [{"label": "Cu-Cu", "feff": "feff0001.dat", "s02": "s02", "e0": "enot", "deltar": "dr", "sigma2": "ss"}],
}  # fmt: skip


def whole(example: str) -> dict[str, Any]:
    """The base spec with the pieces of an example in it; names that only the example has become parameters."""
    tables: dict[str, Any] = {k: (list(v) if isinstance(v, list) else v) for k, v in BASE.items()}
    own: set[str] = set()
    for piece in re.findall(r"`([^`]+)`", example):
        found = re.fullmatch(r"(\[\[?)(\w+)\]\]? (.*)", piece)
        assert found, piece
        keys = tomllib.loads(found[3].replace("; ", "\n"))
        name = found[2]
        if found[1] == "[":
            tables[name] = {**tables.get(name, {}), **keys}
            own |= keys.keys() if name == "params" else set()
        elif name in ("data", "path"):
            before = {
                k: v
                for k, v in tables[name][0].items()
                if k != "feff" or not keys.keys() & {"crystal", "distance"}
            }
            tables[name] = [{**before, **keys}]
        else:
            tables[name] = [keys]
            if name == "shells":
                del tables["path"]
    entries = [*tables.get("path", []), *tables.get("shells", [])]
    texts = [e[v] for e in entries for v in (*PATH_VALUES, "alpha") if isinstance(e.get(v), str)]
    texts += [r["that"] for r in tables.get("restraint", [])]
    texts += [p[k] for p in tables["params"].values() for k in ("guess", "expr") if isinstance(p.get(k), str)]
    used = {n for t in texts for n in parse(t).names if term(n) is None}
    known = tables["data"][0].get("variables", {}).keys() | PATH_TOKENS
    kept = {n: p for n, p in tables["params"].items() if n in used | own}
    tables["params"] = {**{n: {"value": 0.1} for n in sorted(used - known - kept.keys())}, **kept}
    return tables


def test_each_answer_that_is_yes_has_an_example() -> None:
    assert len(ROWS) > 45
    assert {answer for _, answer, _ in ROWS} == {"yes", "no", "nearest", "command"}
    shown = {feature for feature, _ in EXAMPLES}
    for feature, answer, here in ROWS:
        if answer == "yes" and feature not in shown:
            pointer = re.search(r"fits/([\w/]+\.toml)", here)
            assert pointer, f"{feature}: no example and no spec"
            assert load_spec(fits_dir() / pointer[1]).spec.structures
        if answer == "command":
            command = re.search(r"`xasuite (\w+)", here)
            assert command, feature
            assert (Path(__file__).parents[2] / f"xasuite/cli/{command[1]}.py").is_file()


@pytest.mark.parametrize(
    ("feature", "example"), EXAMPLES, ids=[f"{f} {i}" for i, (f, _) in enumerate(EXAMPLES)]
)
def test_each_example_passes_check(feature: str, example: str) -> None:
    loaded = parse_spec(to_toml(whole(example)), HERE / "example.toml")
    check_spec(loaded, Context())


def test_a_key_that_the_table_made_up_would_be_found() -> None:
    with pytest.raises(SpecError, match="no such key"):
        parse_spec(to_toml(whole("`[[path]] legz = 2`")), HERE / "example.toml")


def test_no_key_is_named_that_the_schema_lacks() -> None:
    """Keys in code boxes that are no text of a spec: each is a key of some table."""
    text = (Path(__file__).parents[2] / "docs/guide/spec.md").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    tokens = {"reff", "degen", "nleg", "debye", "einstein"}
    for feature, _, here in ROWS:
        for word in re.findall(r"`([a-z]\w+)`", here):
            assert word in keys | tokens, f"{feature}: {word}"
