"""What the tables of every kind of spec share: checks of ranges and of expressions, and copies with changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)

from ..errors import ExpressionError, SpecError
from ..expressions import parse
from .mistakes import Mistake, validation_mistakes


class Table(BaseModel):
    """A table of a spec: every key is known, every number is finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False, defer_build=True
    )

    def one_of(self, *names: str, least: int = 1) -> list[str]:
        """Which of the keys are given. Raises ValueError unless it is exactly one (or, with least = 0, none)."""
        given = [n for n in names if getattr(self, n) not in (None, ())]
        if not least <= len(given) <= 1:
            found = ", ".join(n.rstrip("_") for n in given) or "none"
            raise ValueError(f"needs exactly one of {', '.join(n.rstrip('_') for n in names)}; found {found}")
        return given

    def tables(self) -> dict[str, Any]:
        """The keys that were given, as plain tables."""
        return self.model_dump(exclude_unset=True, by_alias=True)


class SpecTable(Table):
    """A whole spec of any kind."""

    xasuite: Literal[2]
    title: str
    _held: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def checked(cls, tables: Mapping[str, Any]) -> tuple[Self | None, list[Mistake]]:
        """The spec of plain tables (None where the schema refuses them), and every mistake."""
        names = cls.names_mistakes(tables)
        try:
            spec = cls.model_validate(tables)
        except ValidationError as exc:
            return None, [*validation_mistakes(exc, tables, cls), *names]
        return spec, [*names, *spec.mistakes()]

    @classmethod
    def names_mistakes(cls, tables: Mapping[str, Any]) -> list[Mistake]:
        """Mistakes of names, which are found in plain tables that the schema has not checked yet."""
        return []

    def mistakes(self) -> list[Mistake]:
        """Contradictions between tables that are each valid."""
        return []

    @classmethod
    def made(cls, tables: Mapping[str, Any]) -> Self:
        """The spec of plain tables. Raises SpecError with every mistake."""
        spec, mistakes = cls.checked(tables)
        if spec is None or mistakes:
            raise SpecError([sentence for _, sentence in mistakes])
        return spec

    def replace(self, **changes: Any) -> Self:
        """A copy with changes, checked as a file is.

        Parameters
        ----------
        **changes
            New values by key. A table is given as a mapping of the keys that change, None takes a key back to its
            default.

        Returns
        -------
        The changed spec.

        Raises
        ------
        SpecError
            With every mistake.

        Examples
        --------
        >>> from xasuite.references import fits_dir
        >>> from xasuite.specs import load_spec
        >>> spec = load_spec(fits_dir() / "foils/co_foil.toml").spec
        >>> spec.replace(fit={"k": (3, 10)}).fit.k
        (3.0, 10.0)
        """
        return self.made(merged(self.tables(), changes)).holding(self._held)

    def holding(self, records: Mapping[str, Any]) -> Self:
        """The spec with records given in Python, by the label of their row: they stand for the rows' files."""
        self._held.update(records)
        return self

    @property
    def held(self) -> Mapping[str, Any]:
        """The records given in Python, by the label of their row."""
        return self._held

    def to_toml(self) -> str:
        """The text of a file that loads as an equal spec."""
        from .write import to_toml

        return to_toml(self.tables())


def merged(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables with changes; None takes a key out."""
    out = dict(tables)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(out.get(key), Mapping):
            out[key] = merged(out[key], value)
        elif value is None:
            out.pop(key, None)
        else:
            out[key] = value
    return out


def _pair(value: Any) -> Any:
    if not (isinstance(value, list | tuple) and len(value) == 2 and all(_number(v) for v in value)):
        raise ValueError(f"found {value!r}; needs [low, high]")
    if not all(math.isfinite(v) for v in value):
        raise ValueError("both ends must be numbers")
    if value[0] >= value[1]:
        raise ValueError(f"[{value[0]:g}, {value[1]:g}] runs backwards; write the lower end first")
    return value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _expression(value: Any) -> Any:
    if not isinstance(value, str) and not _number(value):
        raise ValueError(f"found {value!r}; must be a number, or an expression in quotes")
    try:
        expression = parse(value)
        if not expression.names and not math.isfinite(expression({})):
            raise ExpressionError(f"found {value!r}; must be a finite number")
    except ExpressionError as exc:
        raise ValueError(str(exc)) from None
    except (ArithmeticError, TypeError, ValueError) as exc:
        raise ValueError(f"{value!r} is no number: {exc}") from None
    return value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Pair = Annotated[tuple[float, float], BeforeValidator(_pair)]
Value = Annotated[str | float, BeforeValidator(_expression)]
Text = Annotated[str, AfterValidator(_expression)]
Listed = BeforeValidator(_listed)
Texts = Annotated[tuple[str, ...], Listed]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
