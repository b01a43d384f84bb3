"""FEFF's runs are kept between test sessions (they depend on FEFF alone); scattering is always computed anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def feff_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    folder = Path(request.config.cache.mkdir("xasuite-feff"))  # type: ignore[union-attr]
    shutil.rmtree(folder / "theory", ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        if "XASUITE_CACHE" not in os.environ:
            patch.setenv("XASUITE_CACHE", str(folder))
        yield
