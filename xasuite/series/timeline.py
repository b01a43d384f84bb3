"""The fit of a whole series at once: parameters shared or smooth along time, or kinetics (exafs.batch.fit_timeline)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .plan import Plan


def along_time(plan: Plan, paths: Sequence[Path]) -> dict[str, Any] | None:
    """Arrays of the timeline fit by name, None where the spec asks for none."""
    if plan.series.timeline is None:
        return None
    raise NotImplementedError
