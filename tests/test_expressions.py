"""Expressions: arithmetic only, safe from strangers, equal to Python's own on what both accept."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uncertainties import ufloat

from xasuite._larch.fitting import python_text
from xasuite.errors import ExpressionError
from xasuite.expressions import parse

NUMBERS = st.floats(0.1, 9.0)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_equals_python(a: float, b: float, c: float) -> None:
    for text in (
        "a + b * c",
        "-(a - b) / c",
        "a ** 2 - 3 * b",
        "sqrt(a) * exp(-b / c)",
        "max(a, b) - min(b, c)",
    ):
        expected = eval(text, {"sqrt": math.sqrt, "exp": math.exp}, {"a": a, "b": b, "c": c})
        assert parse(text)({"a": a, "b": b, "c": c}) == pytest.approx(expected, rel=1e-14)


def test_text_for_the_door_means_the_same() -> None:
    values = {"a": 1.3, "b": 0.7}
    space = {"log": np.log, "minimum": np.minimum, "maximum": np.maximum, "sqrt": np.sqrt}
    for text in ("ln(a) - b", "min(a, b) ** 2", "-a * (b - 3) / max(a, 2)", "a - (b - 1)", "2 ** -a"):
        expression = parse(text)
        assert eval(python_text(expression), space, values) == pytest.approx(
            float(expression(values)), rel=1e-15
        )


def test_arrays_and_errors_pass_through() -> None:
    assert np.allclose(parse("ln(i0 / it)")({"i0": np.array([2.0, 3.0]), "it": 1.0}), np.log([2, 3]))
    got = parse("12 - n")({"n": ufloat(5, 0.3)})
    assert got.nominal_value == 7
    assert got.std_dev == pytest.approx(0.3)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.b",
        "a[0]",
        "lambda: 1",
        "(a, b)",
        "a if b else c",
        "'x'",
        "f(a)",
        "sqrt(a, b)",
        "a and b",
        "True",
        "a :=1",
        "",
        "(" * 300,
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        parse(text)
