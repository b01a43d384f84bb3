"""Arithmetic over names, parsed and never handed to eval: a spec from an unknown source is safe.

An `Expression` evaluates over numbers, numpy arrays and ufloats alike, and gives itself as a postfix
program, which the batched engine runs with derivatives.
"""

from __future__ import annotations

import ast
import json
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .choices import PATH_VALUES
from .errors import ExpressionError

CONSTANTS = {"pi": math.pi}
# the name in an expression, and that in numpy and uncertainties
FUNCTIONS: dict[str, str] = {
    "sqrt": "sqrt", "exp": "exp", "ln": "log", "log": "log", "log10": "log10", "sin": "sin", "cos": "cos", "tan": "tan",
    "asin": "asin", "acos": "acos", "atan": "atan", "atan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "abs": "abs", "min": "min", "max": "max", "einstein": "einstein", "debye": "debye",
}  # fmt: skip
ARITY = {"min": 2, "max": 2, "atan2": 2, "einstein": 2, "debye": 2}
# names that have a value for each path, which exafs.tokens inserts
PATH_TOKENS = frozenset({"reff", "degen", "nleg"})
PATH_FUNCTIONS = frozenset({"einstein", "debye"})
# values of paths that a restraint may use: r("Co-O"), valence_sum(3, "Co-O"); exafs.restraints inserts them
VALENCE_SUM = "valence_sum"
PATH_TERMS = frozenset({*PATH_VALUES, "r", VALENCE_SUM})
# names that no parameter and no variable can have
RESERVED = frozenset({*FUNCTIONS, *CONSTANTS, *PATH_TOKENS, VALENCE_SUM})
_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}
_OPERATORS: Mapping[str, Any] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
}


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its text, the names it uses, and its postfix program.

    `program` is a tuple of (op, argument): ("const", 2.0), ("name", "dr"), ("add", None), ("neg", None),
    ("call", "sqrt"). Call it with a mapping of names to values to evaluate it.
    """

    text: str
    names: frozenset[str]
    program: tuple[tuple[str, Any], ...]

    def __call__(self, values: Mapping[str, Any]) -> Any:
        stack: list[Any] = []
        for op, argument in self.program:
            if op == "const":
                stack.append(argument)
            elif op == "name":
                stack.append(values[argument])
            elif op == "neg":
                stack.append(-stack.pop())
            elif op == "call":
                stack.append(_call(argument, [stack.pop() for _ in range(ARITY.get(argument, 1))][::-1]))
            else:
                b, a = stack.pop(), stack.pop()
                stack.append(_OPERATORS[op](a, b))
        return stack[0]

    def given(self, numbers: Mapping[str, float]) -> Expression:
        """The expression with numbers in the place of some of its names."""
        if self.names.isdisjoint(numbers):
            return self
        program = tuple(
            ("const", float(numbers[a])) if op == "name" and a in numbers else (op, a)
            for op, a in self.program
        )
        return Expression(self.text, self.names - numbers.keys(), program)

    @property
    def is_name(self) -> bool:
        """Whether the expression is a single name."""
        return len(self.program) == 1 and self.program[0][0] == "name"

    @property
    def calls(self) -> frozenset[str]:
        """The functions that it calls."""
        return frozenset(argument for op, argument in self.program if op == "call")

    @property
    def is_constant(self) -> bool:
        """Whether the expression holds no name."""
        return not self.names


def _call(name: str, arguments: list[Any]) -> Any:
    if any(hasattr(a, "std_dev") for a in arguments):
        from uncertainties import umath

        pythons: dict[str, Any] = {"min": min, "max": max, "abs": abs}
        return (pythons.get(name) or getattr(umath, FUNCTIONS[name]))(*arguments)
    return getattr(np, {"min": "minimum", "max": "maximum"}.get(name, FUNCTIONS[name]))(*arguments)


LONGEST = 1000  # characters


@lru_cache(maxsize=4096)
def parse(text: str | float) -> Expression:
    """Parse arithmetic (+ - * / **, parentheses) over names, numbers and a short list of functions.

    Raises ExpressionError naming what is not allowed.
    """
    if not isinstance(text, str):
        return Expression(repr(text), frozenset(), (("const", float(text)),))
    if len(text) > LONGEST:
        raise ExpressionError(f"{text[:60]!r} is not an expression: it has more than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as exc:
        raise ExpressionError(f"{text[:60]!r} is not an expression: {exc.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{text[:60]!r} is not an expression") from None
    program: list[tuple[str, Any]] = []
    names: set[str] = set()
    _compile(tree.body, text, program, names, 0)
    return Expression(text.strip(), frozenset(names), tuple(program))


def _compile(node: ast.AST, text: str, program: list[tuple[str, Any]], names: set[str], depth: int) -> None:
    if depth > 50:
        raise ExpressionError(f"{text[:60]!r} is nested more than 50 deep")
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and node.value is not True:
        try:
            program.append(("const", float(node.value)))
        except OverflowError:
            raise ExpressionError(f"{text[:60]!r} is no number: it is beyond 1.8e308") from None
    elif isinstance(node, ast.Name):
        if node.id in CONSTANTS:
            program.append(("const", CONSTANTS[node.id]))
        elif node.id == VALENCE_SUM:
            _add_term(VALENCE_SUM, [], program, names)
        else:
            names.add(node.id)
            program.append(("name", node.id))
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        _compile(node.left, text, program, names, depth + 1)
        _compile(node.right, text, program, names, depth + 1)
        program.append((_BINARY[type(node.op)], None))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        _compile(node.operand, text, program, names, depth + 1)
        if isinstance(node.op, ast.USub):
            program.append(("neg", None))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        _compile_call(node, node.func.id, text, program, names, depth)
    else:
        found = ast.get_source_segment(text.strip(), node) if isinstance(node, ast.expr) else None
        raise ExpressionError(
            f"{text!r} holds {found or type(node).__name__!r}, which is not arithmetic; allowed are + - * / **, "
            f"names, numbers and {', '.join(FUNCTIONS)}"
        )


def _compile_call(
    node: ast.Call, name: str, text: str, program: list[tuple[str, Any]], names: set[str], depth: int
) -> None:
    if name in PATH_TERMS:
        given: list[Any] = [a.value if isinstance(a, ast.Constant) else None for a in node.args]
        labels: list[Any] = (
            given[1:] if name == VALENCE_SUM and given and isinstance(given[0], int | float) else given
        )
        if not all(isinstance(label, str) for label in labels) or (name != VALENCE_SUM and len(labels) != 1):
            takes = 'a valence and labels of paths: valence_sum(3, "Co-O")' if name == VALENCE_SUM else f'the label of a path: {name}("Co-O")'  # fmt: skip
            raise ExpressionError(f"{text!r}: {name} takes {takes}")
        _add_term(name, given, program, names)
        return
    if name not in FUNCTIONS:
        raise ExpressionError(f"{text!r} calls {name!r}; allowed functions are {', '.join(FUNCTIONS)}")
    wanted = ARITY.get(name, 1)
    if len(node.args) != wanted:
        raise ExpressionError(f"{text!r}: {name} takes {wanted} argument(s), found {len(node.args)}")
    for argument in node.args:
        _compile(argument, text, program, names, depth + 1)
    program.append(("call", name))


def _add_term(name: str, given: list[Any], program: list[tuple[str, Any]], names: set[str]) -> None:
    """A value of a path as one name, which `term` takes apart again."""
    written = f"{name}({', '.join(json.dumps(v, ensure_ascii=False) for v in given)})"
    names.add(written)
    program.append(("name", written))


def term(name: str) -> tuple[str, tuple[Any, ...]] | None:
    """Function and arguments of a name that stands for a value of paths; None for a parameter's name.

    Examples
    --------
    >>> [term(n) for n in sorted(parse('2 * r("Co-O") + x').names)]
    [('r', ('Co-O',)), None]
    """
    head, bracket, rest = name.partition("(")
    return (head, tuple(json.loads(f"[{rest[:-1]}]"))) if bracket else None
