"""Specs: every mistake at once, each message's full text pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xasuite.errors import SpecError
from xasuite.spec import load_spec, parse_spec
from xasuite.spec.lines import key_lines, line_of

GOOD = """\
xasuite = 1
title = "Co foil"

[[data]]
label = "Co foil"
file = "co.xdi"

[sample]
element = "Co"

[fit]
k = [3, 11]
kweight = 3
r = [1.0, 3.0]

[params]
s02  = { guess = 0.8, min = 0 }
enot = { guess = 0.0 }
dr   = { guess = 0.0 }
ss   = { expr = "0.5 * ss2" }
ss2  = { guess = 6e-3 }

[[path]]
label = "Co-Co"
crystal = "Co_hcp"
scatterer = "Co"
n = 12
s02 = "s02"
e0 = "enot"
deltar = "dr"
sigma2 = "ss"
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "s.toml")
    return caught.value.mistakes


def test_a_good_spec_loads() -> None:
    loaded = parse_spec(GOOD, "s.toml")
    assert loaded.spec.fit.kweight == (3,)
    assert loaded.spec.params["s02"].min == 0
    assert loaded.spec.path[0].n == 12


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'sigma2 = "ss"',
            'sigma2 = "ss3"',
            's.toml:31: path "Co-Co": sigma2 = "ss3" is no parameter; did you mean "ss"?',
        ),
        ("kweight = 3", "kwieght = 3", 's.toml:13: [fit]: kwieght: no such key; did you mean "kweight"?'),
        (
            "k = [3, 11]",
            "k = [11, 3]",
            "s.toml:12: [fit]: k: [11, 3] runs backwards; write the lower end first",
        ),
        ("k = [3, 11]", "k = 3", "s.toml:12: [fit]: k: found 3; needs [low, high]"),
        ("k = [3, 11]\n", "", "s.toml:11: [fit]: k: is missing"),
        (
            'crystal = "Co_hcp"\n',
            "",
            's.toml:23: path "Co-Co": needs exactly one of crystal, cluster, amcsd, feff; found none',
        ),
        (
            "guess = 0.8",
            "guess = -0.8",
            "s.toml:17: [params]: s02: guess = -0.8 lies outside min = 0, max = inf",
        ),
        (
            "guess = 0.8",
            "guess = 0.8, value = 1",
            "s.toml:17: [params]: s02: needs exactly one of guess, value, expr, from; found guess, value",
        ),
        ("guess = 0.8", 'guess = "a"', "s.toml:17: [params]: s02: guess: found 'a'; must be a number"),
        ("xasuite = 1", "xasuite = 2", "s.toml:1: xasuite: found 2; this program reads format 1"),
        ('e0 = "enot"\n', "", "s.toml:18: [params]: enot is used by no path; use it or remove it"),
        (
            '"0.5 * ss2"',
            '"0.5 * ss4"',
            's.toml:20: [params]: ss: expr = "0.5 * ss4": ss4 is no parameter; did you mean "ss"?',
        ),
        (
            '"dr"',
            '"dr * __import__(1)"',
            "s.toml:30: path \"Co-Co\": deltar = 'dr * __import__(1)' calls '__import__'; allowed functions are sqrt, exp, ln, log, log10, sin, cos, tan, abs, min, max",
        ),
        (
            '"dr"',
            '"dr.real"',
            "s.toml:30: path \"Co-Co\": deltar = 'dr.real' holds 'dr.real', which is not arithmetic; allowed are + - * / **, names, numbers and sqrt, exp, ln, log, log10, sin, cos, tan, abs, min, max",
        ),
        (
            '[sample]\nelement = "Co"',
            '[sample]\nelement = "Co"\nedge = "M"',
            's.toml:10: [sample]: edge: found \'M\'; allowed are "K", "L1", "L2" or "L3"',
        ),
        (
            "r = [1.0, 3.0]",
            "r = [1.0, 1.5]",
            "s.toml:12: [fit]: 4 variables against 3.5 independent points (1 + 2 dk dR / pi a data row); fix some parameters or widen k or r",
        ),
        (
            "ss2  = { guess = 6e-3 }",
            'ss2  = { expr = "2 * ss" }',
            "s.toml:20: [params]: ss -> ss2 -> ss depend on each other in a ring",
        ),
        (
            'file = "co.xdi"\n',
            "",
            's.toml:4: data "Co foil": needs exactly one of file, simulate, example; found none',
        ),
    ],
)
def test_each_mistake_has_its_own_message(old: str, new: str, message: str) -> None:
    assert old in GOOD
    found = mistakes(GOOD.replace(old, new))
    assert message in found, found


def test_labels_that_stand_twice() -> None:
    again = GOOD + GOOD[GOOD.index("[[path]]") :]
    assert mistakes(again) == ['s.toml:33: path "Co-Co" stands twice; give each path its own label']


def test_five_mistakes_at_once() -> None:
    text = (
        GOOD.replace("kweight = 3", "kwight = 3")
        .replace("guess = 0.8", "gess = 0.8")
        .replace('element = "Co"', 'elment = "Co"')
        .replace("r = [1.0, 3.0]", "r = [3, 1]")
        .replace('label = "Co-Co"', 'lable = "Co-Co"')
    )
    found = mistakes(text)
    assert len(found) >= 5
    assert all(re.match(r"s\.toml:\d+: ", m) for m in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xasuite = ", "s.toml:1: not TOML: Invalid value"),
        ("a = 1\na = 2\n", "s.toml:2:6: not TOML: Cannot overwrite a value in 'a = 2'"),
    ],
)
def test_not_toml(text: str, message: str) -> None:
    assert mistakes(text) == [message]


def test_absent_specs(tmp_path: Path) -> None:
    (tmp_path / "co_foil.toml").write_text(GOOD)
    with pytest.raises(
        SpecError, match=r'co_foli\.toml: there is no such spec; did you mean "co_foil\.toml"\?'
    ):
        load_spec(tmp_path / "co_foli.toml")
    with pytest.raises(SpecError, match="is a folder; name one of the spec files"):
        load_spec(tmp_path)
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="is not UTF-8 text"):
        load_spec(tmp_path / "x.toml")


def test_lines_survive_strings_arrays_and_nesting() -> None:
    text = 'a = """\nb = 1\n"""\nc = [\n  1,\n  2,\n]\n[t]\nd = 1\n[[p]]\nx = 1\n[[p]]\ny = { z = 1 }\n[p.q]\nw = 1\n'
    lines = key_lines(text)
    assert lines[("a",)] == 1
    assert ("b",) not in lines
    assert lines[("c",)] == 4
    assert lines[("t", "d")] == 9
    assert lines[("p", 0, "x")] == 11
    assert lines[("p", 1, "y")] == 13
    assert lines[("p", 1, "q", "w")] == 15
    assert line_of(("p", 1, "y", "z"), lines) == 13
    assert line_of(("nothing",), lines) == 1
