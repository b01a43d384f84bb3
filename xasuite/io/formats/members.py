"""The members of an HDF5 group that may be read: none in a file outside the folder, none larger than the limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import ReadError
from ..limits import check_size


def members_of(group: Any, file: str, refused: dict[str, str]) -> dict[str, Any]:
    """Members by name; what may not or cannot be opened goes into `refused` with the reason.

    A dataset without a value (null) is left out, and so is a link to nothing.
    """
    names = (raw.decode("utf-8", "surrogateescape") for raw in group.id)
    return {name: value for name in names if (value := _opened(group, name, file, refused)) is not None}


def _opened(group: Any, name: str, file: str, refused: dict[str, str]) -> Any:
    """One member, None where `members_of` leaves it out."""
    import h5py

    try:
        kind = group.id.links.get_info(name.encode("utf-8", "surrogateescape")).type
        # what a hard link names is there, and is opened without being looked for first
        if kind == h5py.h5l.TYPE_HARD:
            value = group[name]
        else:
            if kind == h5py.h5l.TYPE_EXTERNAL:
                _inside(group.get(name, getlink=True).filename, file, name)
            value = group.get(name)
            if value is not None and _fileno(value) != _fileno(group):  # a link may lead to another link
                _inside(str(Path(value.file.filename).resolve()), file, name)
        if isinstance(value, h5py.Dataset):
            if value.shape is None:
                return None
            _check(value, file, name)
        return value
    except ReadError as exc:
        refused.setdefault(name, str(exc))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as exc:
        refused.setdefault(name, f"{name} cannot be opened: {str(exc)[:120]}")
    return None


def _fileno(value: Any) -> int:
    """A number of the open file that an object lies in."""
    import h5py

    return int(h5py.h5o.get_info(value.id).fileno)


def _check(data: Any, file: str, name: str) -> None:
    """Raises ReadError for a dataset that lies in files outside the folder or is larger than the limit."""
    check_size(data.size * max(8, data.dtype.itemsize), name)
    for other in others_of(data):
        _inside(other, file, name)


def others_of(data: Any) -> list[str]:
    """The other files that a dataset's values lie in."""
    virtual = {source.file_name for source in data.virtual_sources()} if data.is_virtual else set()
    return sorted({*virtual, *(other for other, _, _ in data.external or ())} - {"."})


def _inside(other: str, file: str, name: str) -> None:
    """Raises ReadError for a file that is not in the folder of `file` or below."""
    folder = Path(file).resolve().parent
    if not (folder / other).resolve().is_relative_to(folder):
        raise ReadError(
            f"{name} lies in another file, {other}, outside the folder of this one: it is not opened"
        )


class Known(Mapping[str, Any]):
    """A group whose members, by name or path, are opened once and only where they may be: groups are `Known` as well.

    What is absent is not looked for in the file. `members` are those that are open already; the reasons of `members_of` go
    into `refused`.
    """

    def __init__(
        self, group: Any, file: str, refused: dict[str, str], members: Mapping[str, Any] | None = None
    ) -> None:
        self.group, self.file, self.refused = group, file, refused
        self._held: dict[str, Any] = dict(members or {})
        self._names = dict.fromkeys(map(str, group) if members is None else members)

    def __getitem__(self, path: str) -> Any:
        import h5py

        name, _, rest = path.partition("/")
        if name in self._names and name not in self._held:
            self._held[name] = _opened(self.group, name, self.file, self.refused)
        found = self._held.get(name)
        if isinstance(found, h5py.Group):
            found = self._held[name] = Known(found, self.file, self.refused)
        if rest and found is not None:
            found = found.get(rest) if isinstance(found, Known) else None
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
