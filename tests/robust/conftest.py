"""What tests of files from a stranger share: honest data, limits of time and memory, and how a refusal reads."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.errors import XasuiteError

SECONDS, BYTES = 20.0, 1 << 30
E = np.arange(7000.0, 7300.0)
MU = 0.5 + np.arctan(E - 7112.0) / np.pi


@pytest.fixture
def limited() -> Iterator[None]:
    """So much processor time and so much more memory, and no more: what is beyond is a failure and not a hang."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + BYTES, before[1]))
    begun = time.process_time()
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.process_time() - begun < SECONDS


def refused(path: str | Path, says: str) -> None:
    with pytest.raises(XasuiteError, match=says) as caught:
        io.read_all(path)
    assert "\n" not in str(caught.value)
