"""One FEFF cache for all tests of a run, so that none depends on the user's and each FEFF run happens once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def feff_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("feff-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XASUITE_CACHE", str(folder))
        yield folder
