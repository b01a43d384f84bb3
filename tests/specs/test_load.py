"""Specs: every mistake at once, each message's full text pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xasuite.errors import SpecError, XasuiteWarning
from xasuite.references import fits_dir
from xasuite.specs import SeriesSpec, load_spec, parse_spec
from xasuite.specs.toml import line_of, upgraded

GOOD = """\
xasuite = 2
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
        (
            "guess = 0.8",
            "guess = true",
            "s.toml:17: [params]: s02: guess: found True; must be a number, or an expression in quotes",
        ),
        (
            "guess = 0.8",
            'guess = "2*drr"',
            's.toml:17: [params]: s02: guess = "2*drr": drr is no parameter; did you mean "dr"?',
        ),
        (
            "guess = 0.8",
            'guess = "-2*0.4"',
            "s.toml:17: [params]: s02: guess = -2*0.4, which is -0.8, lies outside min = 0, max = inf",
        ),
        (
            "guess = 0.8",
            'guess = "1/0"',
            "s.toml:17: [params]: s02: guess: '1/0' is no number: float division by zero",
        ),
        (
            "guess = 0.8",
            'guess = "debye(1, ss2)"',
            's.toml:17: [params]: s02: guess = "debye(1, ss2)": debye belongs to a path; write it in a [[path]]',
        ),
        (
            "guess = 6e-3",
            'guess = "2*ss"',
            "s.toml:20: [params]: ss -> ss2 -> ss depend on each other in a ring",
        ),
        (
            "guess = 0.8, min = 0 }",
            'guess = "2*T" }\nTT = { expr = "T" }',
            's.toml:17: [params]: s02: guess = "2*T": T is no parameter; did you mean "TT"?',
        ),
        ("xasuite = 2", "xasuite = 3", "s.toml:1: xasuite: found 3; this program reads format 2"),
        ('e0 = "enot"\n', "", "s.toml:18: [params]: enot is used by no path; use it or remove it"),
        (
            '"0.5 * ss2"',
            '"0.5 * ss4"',
            's.toml:20: [params]: ss: expr = "0.5 * ss4": ss4 is no parameter; did you mean "ss"?',
        ),
        (
            '"dr"',
            '"dr * __import__(1)"',
            "s.toml:30: path \"Co-Co\": deltar: 'dr * __import__(1)' calls '__import__'; allowed functions are sqrt, exp, ln, log, log10, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, abs, min, max, einstein, debye",
        ),
        (
            '"dr"',
            '"dr.real"',
            "s.toml:30: path \"Co-Co\": deltar: 'dr.real' holds 'dr.real', which is not arithmetic; allowed are + - * / **, names, numbers and sqrt, exp, ln, log, log10, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, abs, min, max, einstein, debye",
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
            's.toml:4: data "Co foil": needs exactly one of file, files, simulate, example; found none',
        ),
    ],
)
def test_each_mistake_has_its_own_message(old: str, new: str, message: str) -> None:
    assert old in GOOD
    found = mistakes(GOOD.replace(old, new))
    assert message in found, found


def test_a_start_made_of_others() -> None:
    """What only starts another parameter is used; a row's variable can start none, and a variant's guess is looked at too."""
    held = GOOD.replace("guess = 0.8, min = 0 }", 'guess = "b0/2" }\nb0 = { value = 1.6 }')
    assert parse_spec(held, "s.toml").spec.params["s02"].guess == "b0/2"
    assert mistakes(held.replace("value = 1.6", "guess = 1.6")) == [
        "s.toml:18: [params]: b0 is used by no path; use it or remove it"
    ]
    row = 'file = "co.xdi"\nvariables = { T = 10 }'
    of_row = held.replace("value = 1.6", 'expr = "T/2"').replace('file = "co.xdi"', row)
    assert mistakes(of_row) == [
        's.toml:18: [params]: s02: guess = "b0/2": T is a variable of the data rows; a start is made of parameters alone'
    ]
    variant = (
        '\n[[variant]]\nlabel = "v"\nparams = { dr = { guess = "2*ss2" }, ss2 = { guess = "dr + nix" } }\n'
    )
    assert mistakes(GOOD + variant) == [
        's.toml:33: variant "v": [params]: dr -> ss2 -> dr depend on each other in a ring',
        's.toml:33: variant "v": [params]: ss2: guess = "dr + nix": nix is no parameter; there are dr, enot, s02, ss, ss2',
    ]


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
    for key, line in (
        (("a",), 1),
        (("c",), 4),
        (("t", "d"), 9),
        (("p", 0, "x"), 11),
        (("p", 1), 12),
        (("p", 1, "y", "z"), 13),
        (("p", 1, "q", "w"), 15),
        (("p", 1, "q", "nothing"), 14),
        (("nothing",), 1),
    ):
        assert line_of(key, text) == line, key
        assert line_of(key, text.replace("\n", "\r\n")) == line, key


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("r = [1.0, 3.0]", 'r = [1.0, 3.0]\nwindow = "bessel"', '[fit]: window: found \'bessel\'; allowed are "hanning"'),
        ("[fit]", '[reduce]\nbkg_window = "haning"\n[fit]', 'bkg_window: found \'haning\'; allowed are "hanning"'),
        ("[fit]", "[reduce]\nbkg_kweight = 4\n[fit]", "[reduce]: bkg_kweight: found 4; allowed are 0, 1, 2 or 3"),
        ("kweight = 3", "kweight = 5", "[fit]: kweight: found 5; allowed are 0, 1, 2, 3 or 4"),
        ("r = [1.0, 3.0]", 'r = [1, 3]\nwindow = "kaiser"\ndk = 0', 'window = "kaiser" needs dk above 0'),
        ("dr   = { guess = 0.0 }", "dr   = 6", "dr: found 6; write dr = { guess = 6 } to vary it or { value = 6 } to hold it"),
        ("guess = 0.8", "guess = nan", "guess: found nan; must be a finite number"),
        ("n = 12", 'n = "1/0"', "n: '1/0' is no number"),
        ("n = 12", 'n = "9**9**9"', "n: '9**9**9' is no number"),
        ("n = 12", 'n = "(-8)**0.5"', "n: '(-8)**0.5' is no number"),
        ("n = 12", "n = true", "n: found True; must be a number, or an expression in quotes"),
        ("min = 0 }", "min = 0, stderr = -1 }", "stderr: found -1; must be at least 0"),
        ('title = "Co foil"', "title = 3", "title: found 3; must be text in quotes"),
        ("[fit]", "[reduce]\npre = [-150, -50]\n[fit]", '[reduce]: pre: no such key; did you mean "pre_range"?'),
    ],
)  # fmt: skip
def test_what_used_to_pass_and_failed_later_is_said_at_once(old: str, new: str, message: str) -> None:
    assert old in GOOD
    found = mistakes(GOOD.replace(old, new, 1))
    assert any(message in m for m in found), found


def test_a_wrong_type_does_not_hide_the_other_mistakes() -> None:
    text = GOOD.replace("dr   = { guess = 0.0 }", "dr   = 6").replace('sigma2 = "ss"', 'sigma2 = "ss3"')
    text = text.replace('"0.5 * ss2"', '"0.5 * ss4"').replace("k = [3, 11]", 'k = "3 to 11"')
    found = mistakes(text)
    for needle in (
        "dr: found 6",
        'sigma2 = "ss3" is no parameter',
        "ss4 is no parameter",
        "found '3 to 11'; needs [low, high]",
    ):
        assert any(needle in m for m in found), (needle, found)  # fmt: skip


def test_variants_are_checked_with_the_spec() -> None:
    more = '\n[[variant]]\nlabel = "v"\nfit = { kwieght = 2, k = [9, 3] }\nreduce = { rbkg = -1 }\n'
    found = mistakes(GOOD + more)
    assert any('variant "v": fit: kwieght: no such key; did you mean "kweight"?' in m for m in found), found
    assert any("runs backwards" in m for m in found)
    assert any("rbkg: found -1; must be above 0" in m for m in found)


OLD = """\
xasuite = 1                 # the format
title = "Co foil"
[[data]]
label = "Co foil"
file = "co.xdi"
[sample]
element = "Co"
[reduce]                    # norm = [1, 2] in words
  pre = [-150, -50]         # pre, from E0
norm=[150, 690]
[fit]
k = [3, 11]
r = [1.0, 3.0]
[[path]]
label = "Co-Co"
crystal = "Co_hcp"
scatterer = "Co"
[[variant]]
label = "v"
reduce = { rbkg = 1.0, norm = [100, 690] }
"""


def test_format_1_loads_with_a_warning_and_is_rewritten_with_its_comments() -> None:
    with pytest.warns(XasuiteWarning, match=r"xasuite check --upgrade s\.toml"):
        old = parse_spec(OLD, "s.toml")
    assert old.spec.reduce.pre_range == (-150, -50)
    assert old.spec.reduce.norm_range == (150, 690)
    assert old.spec.variant[0].reduce == {"rbkg": 1.0, "norm_range": [100, 690]}
    text = upgraded(OLD)
    assert parse_spec(text, "s.toml").spec == old.spec
    changed = [(a, b) for a, b in zip(OLD.splitlines(), text.splitlines(), strict=True) if a != b]
    assert changed == [
        ("xasuite = 1                 # the format", "xasuite = 2                 # the format"),
        ("  pre = [-150, -50]         # pre, from E0", "  pre_range = [-150, -50]         # pre, from E0"),
        ("norm=[150, 690]", "norm_range=[150, 690]"),
        ("reduce = { rbkg = 1.0, norm = [100, 690] }", "reduce = { rbkg = 1.0, norm_range = [100, 690] }"),
    ]


def test_the_kind_of_a_spec_is_said_with_its_command() -> None:
    with pytest.raises(
        SpecError, match=r"\[series\] is missing; this is the spec of a fit: run it with xasuite fit"
    ):
        parse_spec(GOOD, "s.toml", SeriesSpec)
    with pytest.raises(SpecError, match=r"this is the spec of a series: run it with xasuite series"):
        parse_spec(GOOD + '[series]\nfiles = "x"\n', "s.toml")


@pytest.mark.parametrize(
    "path", sorted(fits_dir().rglob("*.toml")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_every_shipped_spec_comes_back_from_its_own_toml(path: Path) -> None:
    loaded = load_spec(path, None)
    assert parse_spec(loaded.spec.to_toml(), path, None).spec == loaded.spec


def test_replace_changes_keys_of_tables_and_checks_them() -> None:
    spec = parse_spec(GOOD, "s.toml").spec
    other = spec.replace(fit={"k": (3, 10), "kweight": None}, params={"ss2": {"guess": 5e-3, "max": 0.1}})
    assert (other.fit.k, other.fit.kweight, other.fit.r) == ((3, 10), (2,), spec.fit.r)
    assert other.params["ss2"].guess == 5e-3
    assert other.params["ss2"].max == 0.1
    assert parse_spec(other.to_toml()).spec == other
    with pytest.raises(SpecError, match=r"\[fit\]: kwieght: no such key"):
        spec.replace(fit={"kwieght": 3})
