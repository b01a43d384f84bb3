"""Shared fixtures: the measured data, where the machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of measured spectra named by XASUITE_DATA; tests that need it skip without."""
    value = os.environ.get("XASUITE_DATA")
    if not value or not Path(value).is_dir():
        pytest.skip("needs measured spectra: XASUITE_DATA names no folder")
    return Path(value)
