from __future__ import annotations

from pathlib import Path

import pytest

from xasuite.feff import find_paths, select
from xasuite.io import write


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated copper foil as a data file."""
    from xasuite.simulate import TruthPath, spectrum

    paths = find_paths("Cu", absorber="Cu", program="feff6l")
    first = select(paths, scatterer="Cu", shell=1)
    made = spectrum([TruthPath(first, n=12, s02=0.9, sigma2=0.008)], element="Cu", noise=3e-4, seed=3)
    return write(tmp_path_factory.mktemp("scans") / "cu <foil>.xdi", made.spectrum)
