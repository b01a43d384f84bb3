"""Loading specs of every kind: every mistake at once, each with file, line, key, what was found and what is allowed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ..errors import SpecError
from ..notices import warn
from .schema import FORMAT, Spec
from .toml import line_of, parse_toml, read_text, upgraded

if TYPE_CHECKING:
    from .series import SeriesSpec
    from .valence import ValenceSpec

LARGEST = 200_000  # characters; the largest of fits/ has 10 000
# of a LONG text only so many mistakes are listed: to find the line of each, the text is parsed some ten times
LONG, MOST_MISTAKES = 20_000, 20

S = TypeVar("S", "Spec", "SeriesSpec", "ValenceSpec")
S_co = TypeVar("S_co", bound="Spec | ValenceSpec", covariant=True)
# the kinds of spec: its class, the table that it has and no other, the spec in words, and the command that runs it
KINDS = (
    ("SeriesSpec", "series", "the spec of a series", "xasuite series"),
    ("ValenceSpec", "calibration", "the spec of a valence calibration", "xasuite valence"),
    ("Spec", "fit", "the spec of a fit", "xasuite fit"),
)


@dataclass(frozen=True)
class Loaded(Generic[S_co]):
    """A spec with its file and text."""

    spec: S_co
    path: Path
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the spec's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """Folder and stem of its file: the name of its results."""
        return f"{self.path.absolute().parent.name}/{self.path.stem}"

    def at(self, *key: str | int) -> str:
        """ "file:line" of a key."""
        return f"{self.path.name}:{line_of(key, self.text)}"


LoadedSpec = Loaded[Spec]


@overload
def load_spec(path: str | Path) -> Loaded[Spec]: ...
@overload
def load_spec(path: str | Path, kind: type[S]) -> Loaded[S]: ...
@overload
def load_spec(path: str | Path, kind: None) -> Loaded[Any]: ...
def load_spec(path: str | Path, kind: type[Any] | None = Spec) -> Loaded[Any]:
    """Read and check a spec file.

    Parameters
    ----------
    path : str or Path
        The file (.toml).
    kind : Spec, SeriesSpec, ValenceSpec or None
        What it has to be, Spec (of a fit) when left out; None takes every kind.

    Returns
    -------
    Loaded
        The spec with its file and text.

    Raises
    ------
    SpecError
        With every mistake of form and of names. What needs data or FEFF is checked by `workflow.check_spec`.

    Examples
    --------
    >>> from xasuite.references import fits_dir
    >>> load_spec(fits_dir() / "foils/co_foil.toml").spec.fit.k
    (3.0, 11.0)
    """
    return parse_spec(read_text(path), path, kind)


@overload
def parse_spec(text: str, path: str | Path = ...) -> Loaded[Spec]: ...
@overload
def parse_spec(text: str, path: str | Path, kind: type[S]) -> Loaded[S]: ...
@overload
def parse_spec(text: str, path: str | Path, kind: None) -> Loaded[Any]: ...
def parse_spec(text: str, path: str | Path = "spec.toml", kind: type[Any] | None = Spec) -> Loaded[Any]:
    """Check a spec given as text; `load_spec` says the rest.

    Parameters
    ----------
    text : str
        The text.
    path : str or Path
        The file.
    kind : type object, optional
        The kind of spec.

    Returns
    -------
    Loaded
        The spec with its name and text.

    Raises
    ------
    SpecError
        With every mistake.

    Examples
    --------
    >>> from xasuite.errors import SpecError
    >>> from xasuite.specs import parse_spec
    >>> try:
    ...     parse_spec("xasuite = 2")
    ... except SpecError as exc:
    ...     print(len(exc.mistakes) > 1)
    True
    """
    path = Path(path)
    if len(text) > LARGEST:
        raise SpecError(f"{path.name}:1: {len(text)} characters; a spec has at most {LARGEST}")
    raw = parse_toml(text, path)
    if raw.get("xasuite") == 1:
        warn(
            f"{path.name} is written in format 1 of specs; xasuite check --upgrade {path} rewrites it as format {FORMAT}",
        )
        text = upgraded(text)
        raw = parse_toml(text, path)
    name, _, what, command = next((k for k in KINDS if k[1] in raw), KINDS[-1])
    if kind is not None and kind.__name__ != name:
        table = next(table for wanted, table, *_ in KINDS if wanted == kind.__name__)
        raise SpecError(f"{path.name}:1: [{table}] is missing; this is {what}: run it with {command} {path}")
    # a fit does not load the schema of a series
    found: type[Any] = getattr(import_module(__package__), name)
    spec, mistakes = found.checked(raw)
    if mistakes:
        most = MOST_MISTAKES if len(text) > LONG else len(mistakes)
        said = {(line_of(key, text), sentence) for key, sentence in mistakes[:most]}
        lines = [f"{path.name}:{line}: {sentence}" for line, sentence in sorted(said)]
        more = len(mistakes) - most
        raise SpecError([*lines, f"{path.name}: and {more} mistakes more"] if more > 0 else lines)
    return Loaded(spec, path, text)


def as_loaded(spec: str | Path | S | Loaded[S], kind: type[S]) -> Loaded[S]:
    """What a runner was given, a file or a spec made in Python, as a loaded spec of a kind. Raises SpecError."""
    if isinstance(spec, str | Path):
        return load_spec(spec, kind)
    if isinstance(spec, Loaded):
        return spec if type(spec.spec) is kind else parse_spec(spec.text, spec.path, kind)
    return replace(parse_spec(spec.to_toml(), f"{slug(spec.title)}.toml", kind), spec=spec)


def slug(text: str) -> str:
    """A text as the name of a file."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("_.")[:60] or "spec"
