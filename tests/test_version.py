"""Versions of installed packages against importlib.metadata, whose answers are the reference."""

from __future__ import annotations

from importlib import metadata

import pytest

from xasuite.version import installed


@pytest.mark.parametrize(
    "package",
    ["xraylarch", "larixite", "lmfit", "numpy", "scipy", "pymatgen", "spglib", "PyMca5", "typing-extensions"],
)
def test_a_version_is_that_of_the_metadata(package: str) -> None:
    assert installed(package) == metadata.version(package)


def test_what_is_not_installed_has_no_version() -> None:
    with pytest.raises(metadata.PackageNotFoundError):
        installed("no-such-package")
