"""A copy of an HDF5 file that needs no other file: what it links to is written into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import files
from ..errors import ReadError
from ..io.formats.members import members_of, others_of
from ..io.limits import HDF5

DEPTH = 32


def linked(path: Path) -> list[str]:
    """Members of an HDF5 file that lie in other files; [] for any other file, and where there are none."""
    import h5py

    with open(path, "rb") as handle:
        if handle.read(8) != HDF5:
            return []
    found: list[str] = []

    def look(name: str, link: Any) -> None:
        value = file[name] if isinstance(link, h5py.HardLink) else None
        elsewhere = isinstance(value, h5py.Dataset) and (value.is_virtual or value.external)
        if isinstance(link, h5py.ExternalLink) or elsewhere:
            found.append(f"/{name}")

    try:
        with h5py.File(path, "r") as file:
            file.visititems_links(look)
    except (OSError, RuntimeError) as exc:
        raise ReadError(f"{path} cannot be looked into for a deposition: {exc}") from None
    return found


def copy_whole(source: Path, target: Path) -> None:
    """Copy an HDF5 file with everything that it links to. Raises ReadError for a member whose data are not there."""
    import h5py

    with (
        files.replacing(target) as temporary,
        h5py.File(source, "r") as old,
        h5py.File(temporary, "w") as new,
    ):
        new.attrs.update(old.attrs)
        _copy(old, new, str(source), "", 0, {})


def _copy(old: Any, new: Any, file: str, name: str, depth: int, made: dict[tuple[str, int], str]) -> None:
    """The members of a group; one that has two names is copied once and linked."""
    import h5py

    if depth > DEPTH:
        raise ReadError(
            f"{file}: {name}: groups lie more than {DEPTH} deep, or in a ring of files; deposit a plain copy"
        )
    refused: dict[str, str] = {}
    members = members_of(old, file, refused)
    for key in old:
        link, at = old.get(key, getlink=True), f"{name}/{key}"
        if isinstance(link, h5py.SoftLink):
            new[key] = h5py.SoftLink(link.path)
            continue
        if members.get(key) is None:
            if isinstance(link, h5py.ExternalLink) or key in refused:
                why = refused.get(key, f"{getattr(link, 'filename', '')} is not there")
                raise ReadError(f"{file}: {at} cannot be deposited: {why}")
            continue  # a dataset without a value
        value = members[key]
        identity = (value.file.filename, h5py.h5o.get_info(value.id).addr)
        if identity in made:
            new[key] = new.file[made[identity]]
            continue
        made[identity] = new.name.rstrip("/") + f"/{key}"
        if isinstance(value, h5py.Group):
            group = new.create_group(key)
            group.attrs.update(value.attrs)
            _copy(value, group, value.file.filename, at, depth + 1, made)
        elif isinstance(value, h5py.Dataset) and (value.is_virtual or value.external):
            _there(value, file, at)
            new.create_dataset(key, data=value[()]).attrs.update(value.attrs)
        else:
            value.file.copy(value, new, key)


def _there(data: Any, file: str, name: str) -> None:
    """Raises ReadError where a file that holds part of a dataset is missing: HDF5 itself would give zeros."""
    folder = Path(data.file.filename).parent
    for other in others_of(data):
        if not (folder / other).is_file():
            raise ReadError(f"{file}: {name} cannot be deposited: it lies in {other}, which is not there")
