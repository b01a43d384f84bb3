"""Every kind of check on a case that it must pass, a case that it must fail, and one that it cannot decide."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from xasuite.exafs.result import Value
from xasuite.references import fits_dir, references_dir
from xasuite.specs import parse_spec
from xasuite.specs.claims import Check, Claim
from xasuite.specs.published import paper
from xasuite.workflow.claims import (
    FAILS,
    HOLDS,
    UNDECIDED,
    check_claim,
    check_claims,
    difference_error,
)
from xasuite.workflow.lobes import lobe_growth, lobe_order
from xasuite.workflow.run import SpecResult, run_spec


@lru_cache(maxsize=16)
def result(name: str, old: str = "", new: str = "") -> SpecResult:
    """A shipped spec fitted, with a piece of its text replaced."""
    path = fits_dir() / f"{name}.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    return run_spec(parse_spec(text.replace(old, new) if old else text, path), variants=False)


def verdicts(check: dict, *results: SpecResult) -> list[str]:
    claim = Claim(id="x", text="", check=(TypeAdapter(Check).validate_python(check),))
    return [v for v, _, _ in check_claim(claim, {r.loaded.name: r for r in results})]


TREND = {"kind": "trend", "spec": "ccro/s7_co", "path": "Co-O", "start": "OCP", "end": "120 min"}


def test_a_trend() -> None:
    assert verdicts(TREND, result("ccro/s7_co")) == [HOLDS]
    # the truth behind the last row shrinks by 0.04 A where the table prints a growth of 0.033
    row = 'row = "120 min", noise = 3e-4, seed = 6'
    shrunk = result("ccro/s7_co", row, row + ', change = { "Co-O" = { r = 1.93 } }')
    assert verdicts(TREND, shrunk) == [FAILS]
    # 0.004 A in a minute: what the rows share cancels in the error of a difference, 0.002 A at this noise
    assert verdicts(TREND | {"end": "1 min"}, result("ccro/s7_co")) == [HOLDS]
    # the same step at seven times the noise: an error of the difference of 0.008 A decides nothing
    noisy = result("ccro/s7_co", "noise = 3e-4", "noise = 2e-3")
    assert verdicts(TREND | {"end": "1 min"}, noisy) == [UNDECIDED]


def test_told_apart_needs_a_control_that_does_not_pass_too() -> None:
    """N = 3.1 after 30 h is told from 5.8, which its control gives back; a metal-N4 model does not pass as N = 3."""
    told = {
        "kind": "told_apart",
        "spec": "ccro/s9_co",
        "path": "Co-O",
        "other": 5.8,
        "control": "ccro/s4b_co",
    }
    assert verdicts(told, result("ccro/s9_co"), result("ccro/s4b_co")) == [HOLDS]
    assert verdicts(told, result("ccro/s9_co")) == [UNDECIDED]  # no control, no evidence
    low, four = result("comn/lco1mn1_co"), result("comn/co1mn1_co")
    three = {
        "kind": "told_apart",
        "spec": "comn/lco1mn1_co",
        "path": "Co-N",
        "other": 4,
        "control": "comn/co1mn1_co",
    }
    assert verdicts(three, low, four) == [UNDECIDED]
    assert verdicts(three | {"spec": "comn/co1mn1_co"}, four) == [UNDECIDED]


def test_the_error_of_a_difference_leaves_out_what_is_common() -> None:
    """A foil's 5 % in both of two equal values cancels; fits' own errors add in quadrature."""
    a = Value.of(4.0, {"fit": 0.3, "s02": 0.2})
    assert difference_error(a, a) == pytest.approx(0.3 * math.sqrt(2))
    assert difference_error(a, Value.of(8.0, {"fit": 0.4, "s02": 0.4})) == pytest.approx(
        math.hypot(0.3, 0.4, 0.2)
    )


def test_peaks_and_a_distance() -> None:
    """The model has Co-N at 1.89 and Co-Mn at 2.88 A, which peak near 1.4 and 2.5 A."""
    model = result("comn/lco1mn1_co")
    peaks = {"kind": "peaks", "spec": "comn/lco1mn1_co", "at": [1.4, 2.5]}
    assert verdicts(peaks, model) == [HOLDS]
    assert verdicts(peaks | {"at": [1.4, 2.2]}, model) == [FAILS]
    far = {"kind": "distance", "spec": "comn/lco1mn1_co", "path": "Co-Mn", "range": [2.4, 2.6]}
    assert verdicts(far | {"range": [2.8, 2.9]}, model) == [HOLDS]
    assert verdicts(far, model) == [FAILS]
    assert verdicts(far | {"height": 1.24}, model) == [UNDECIDED]  # it rests on a height that was put in


def test_lobe_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that elements contradict fails; a lobe that stands from the start did not grow in."""
    from xasuite.workflow import claims

    quick = {"seeds": 12, "noises": ()}
    monkeypatch.setattr(claims, "lobe_order", lambda check, seeds: lobe_order(check, **quick))
    monkeypatch.setattr(claims, "lobe_growth", lambda c, a, b, seeds: lobe_growth(c, a, b, seeds=12))
    order = next(x for c in paper("comn").claim for x in c.check if x.kind == "lobe_order")
    data = order.model_dump() | {
        "site": [s.model_dump() for s in (order.site[0], order.site[2], order.site[5])],
        "order": [("Co-N", "Co-Co foil"), ("Co-Co foil", "Mn-Mn foil")],
    }
    assert verdicts(data, result("comn/lco1mn1_co")) == [HOLDS, FAILS]
    grows = next(x for c in paper("ccro").claim for x in c.check if x.kind == "lobe_growth").model_dump()
    grows["hours"] = [0, 30]
    both = result("ccro/s7_co"), result("ccro/s9_co")
    assert verdicts(grows, *both) == [HOLDS]
    assert verdicts(grows | {"before": ("ccro/s9_co", "Co-30 h")}, *both) == [FAILS]


def test_a_simulated_valence_is_arithmetic() -> None:
    """The 3 that was put in comes back, which decides nothing; had 4 been claimed of the same edges, it would fail."""
    check = {
        "kind": "valence",
        "spec": "ccro/s4b_co",
        "valence": "valence/ccro_co.toml",
        "unknown": "Ca2CoRuO6, Co",
        "value": 3,
    }
    assert verdicts(check, result("ccro/s4b_co")) == [UNDECIDED]
    assert verdicts(check | {"value": 4}, result("ccro/s4b_co")) == [FAILS]


def test_a_paper_of_ones_own(tmp_path: Path) -> None:
    """The same checks on another paper's table: a file of claims in published/ beside the specs that it names."""
    text = (references_dir() / "published/ccro.toml").read_text(encoding="utf-8")
    text = text[: text.index("[[claim]]")] + (
        '[[claim]]\nid = "mine"\ntext = "N falls."\n'
        'check = [{ kind = "trend", spec = "own/s7", path = "Co-O", start = "OCP", end = "120 min", quantity = "n" }]\n'
    )
    folder = tmp_path / "own"
    (folder / "published").mkdir(parents=True)
    (folder / "published/mine.toml").write_text(text, encoding="utf-8")
    spec = (fits_dir() / "ccro/s7_co.toml").read_text(encoding="utf-8").replace('"ccro/S7"', '"mine/S7"')
    found = check_claims([run_spec(parse_spec(spec, folder / "s7.toml"), variants=False)])
    assert [(c.id, c.verdict) for c in found] == [
        ("mine", HOLDS)
    ]  # -0.2 printed; what the rows share cancels in the difference
