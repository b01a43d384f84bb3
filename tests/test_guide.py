"""The user guide against the code: every key of every spec with its default, the JSON shapes key by key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from xasuite.specs import claims, closure, figures, published, schema, series, studies, valence

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide"
PAGES = {
    "spec.md": (
        schema.Spec, schema.Errors, schema.Data, closure.SimulateRow, schema.Sample, schema.Reduce, schema.Fit, schema.Param, schema.Path, schema.Shells, schema.Restraint,
        schema.DeadTime, schema.Elements, schema.Overabsorption, closure.Simulate, closure.TruthShell, closure.TruthRest, schema.Variant,
    ),
    "series.md": (
        series.SeriesTable, series.Time, series.Log, series.PixelCalibration, series.Align, series.Bin, series.Average,
        series.Checks, series.Hold,
        series.SimulatedSeries, series.Timeline, series.Valence, series.Components,
    ),
    "published.md": (
        published.Paper, published.PublishedTable, published.PublishedPath, claims.Claim, claims.Trend, claims.ToldApart,
        claims.Peaks, claims.Distance, claims.LobeOrder, claims.LobeGrowth, claims.ValenceClosure, claims.Undecided,
        studies.StructuresStudy, studies.StandardsStudy, figures.Figure,
    ),
    "valence.md": (valence.CalibrationTable, valence.StandardTable, valence.SimulateEdge),
}  # fmt: skip
TABLES = [(page, model) for page, models in PAGES.items() for model in models]


def table(page: str, heading: str) -> dict[str, str]:
    """Key and default of each row of the table under a heading."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    found = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", text, re.M | re.S)
    assert found, f"{page} has no section {heading}"
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \| ", found.group(1), re.M))


def default(field: Any) -> str:
    """A default as the guide writes it."""
    if field.is_required():
        return "-"
    value = field.default
    if value is PydanticUndefined:
        return "{}"
    if value is None:
        return "*none*"
    if isinstance(value, tuple):
        return json.dumps(list(value))
    if isinstance(value, bool | str):
        return json.dumps(value)
    if isinstance(value, int | float):
        return str(value)
    return "see below"


@pytest.mark.parametrize(("page", "model"), TABLES, ids=lambda x: getattr(x, "__name__", x))
def test_every_key_with_its_default(page: str, model: Any) -> None:
    wanted = {f.alias or name: default(f) for name, f in model.model_fields.items()}
    assert table(page, model.__name__) == wanted


def test_no_table_of_a_spec_is_left_out() -> None:
    written = {m for _, m in TABLES}
    for module in (schema, series, valence):
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and value.__module__ == module.__name__
                and hasattr(value, "model_fields")
            ):
                hidden = value.__name__.startswith("_") or value.__name__ in {
                    "SeriesSpec",
                    "Structure",
                    "ValenceSpec",
                    "Measured",
                }
                assert hidden or value in written, value.__name__


# Objects whose keys are names of the user's own, or settings that the spec's page describes
OWN = (
    "stated",
    "params",
    "missing",
    "failed",
    "parts",
    "range",
    "history",
    "feff",
    "versions",
    "data",
    "facts",
)


def keys(document: Any, path: str = "") -> set[str]:
    """Every key of a document, a name of the user's own (a parameter) left as NAME."""
    if isinstance(document, dict):
        own = path in OWN
        return {k for k in document if not own} | {x for k, v in document.items() for x in keys(v, k)}
    return {x for v in document for x in keys(v, path)} if isinstance(document, list) else set()


def test_json_shapes_are_written_down() -> None:
    """What the two commands print, made here from a closure spec that needs no data."""
    from xasuite.references import fits_dir
    from xasuite.workflow import reproduce_specs

    done = reproduce_specs([fits_dir() / "foils" / "co_foil_closure.toml"])
    page = (GUIDE / "json.md").read_text(encoding="utf-8")
    fit, reproduce = page.split("## `xasuite reproduce --json`")
    for text, document in ((fit, done.results[0].to_dict()), (reproduce, done.to_dict())):
        for key in keys(document):
            assert re.search(rf"[`.\"]{key}(\[\])?[`.\"]", text), key
