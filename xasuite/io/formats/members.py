"""The members of an HDF5 group that may be read: none in another file of the machine, none larger than the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ReadError
from ..limits import check_size


def members_of(group: Any, file: str, refused: dict[str, str]) -> dict[str, Any]:
    """Members by name; what may not or cannot be opened goes into `refused` with the reason.

    A dataset without a value (null) is left out.
    """
    import h5py

    found: dict[str, Any] = {}
    for raw in group.id:
        name = raw.decode("utf-8", "surrogateescape")
        try:
            kind = group.id.links.get_info(raw).type
            if kind == h5py.h5l.TYPE_EXTERNAL:
                _inside(group.get(name, getlink=True).filename, file, name)
            # what a hard link names is there, and is opened without being looked for first
            value = group[name] if kind == h5py.h5l.TYPE_HARD else group.get(name)
            if isinstance(value, h5py.Dataset):
                if value.shape is None:
                    continue
                _check(value, file, name)
        except ReadError as exc:
            refused[name] = str(exc)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as exc:
            refused[name] = f"{name} cannot be opened: {str(exc)[:120]}"
        else:
            found[name] = value
    return found


def _check(data: Any, file: str, name: str) -> None:
    """Raises ReadError for a dataset that lies in other files or is larger than the limit."""
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


class Known:
    """A group that keeps the names of its members: what is absent is not looked for in the file."""

    def __init__(self, group: Any) -> None:
        self.group, self.names = group, frozenset(map(str, group))

    def __contains__(self, path: str) -> bool:
        return path.split("/", 1)[0] in self.names and path in self.group

    def __getitem__(self, path: str) -> Any:
        return self.group[path]

    def get(self, path: str, default: Any = None) -> Any:
        """The member at a path, or `default`."""
        return self.group.get(path, default) if path.split("/", 1)[0] in self.names else default
