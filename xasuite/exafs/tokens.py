"""Names of a path's own values in its expressions: reff, degen, nleg, einstein(T, theta), debye(T, theta).

They are replaced by numbers and arithmetic when a path is made, so that a fit only has parameters and operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..expressions import ARITY, PATH_FUNCTIONS, PATH_TOKENS, Expression
from ..feff import disorder
from ..feff.paths import FeffPath

Codes = tuple[tuple[str, Any], ...]


def bound(expression: Expression, path: FeffPath) -> Expression:
    """The expression with the path's own values filled in.

    Raises FeffError if the path's text does not have what the Debye model needs.
    """
    if not expression.names & PATH_TOKENS and not expression.calls & PATH_FUNCTIONS:
        return expression
    own: Mapping[str, float] = {"reff": path.reff, "degen": path.degen, "nleg": float(path.nleg)}
    stack: list[Codes] = []
    for op, argument in expression.program:
        if op == "name" and argument in PATH_TOKENS:
            stack.append((("const", own[argument]),))
        elif op in ("const", "name"):
            stack.append(((op, argument),))
        elif op == "call" and argument in PATH_FUNCTIONS:
            theta, temperature = stack.pop(), stack.pop()
            terms = disorder.debye_terms(path) if argument == "debye" else disorder.einstein_terms(path)
            stack.append(_thermal(terms, temperature, theta))
        else:
            n = 1 if op == "neg" else ARITY.get(argument, 1) if op == "call" else 2
            parts, stack[-n:] = stack[-n:], []
            stack.append((*(code for part in parts for code in part), (op, argument)))
    names = frozenset(a for op, a in stack[0] if op == "name")
    return Expression(expression.text, names, stack[0])


def _thermal(terms: disorder.Terms, temperature: Codes, theta: Codes) -> Codes:
    """The codes of sum a / tanh(w theta / 2 T) over theta."""
    ratio: Codes = (*theta, *temperature, ("div", None))
    out: Codes = (("const", 0.0),)
    for a, w in terms:
        bend = (("const", 0.5 * w), *ratio, ("mul", None), ("call", "tanh"))
        out = (*out, ("const", a), *bend, ("div", None), ("add", None))
    return (*out, *theta, ("div", None))
