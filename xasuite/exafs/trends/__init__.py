"""Fits along time: parameters that are functions of the row, or held together by a penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import loader

if TYPE_CHECKING:
    from .timeline import Kinetics, Timeline, fit_timeline

_PUBLIC: dict[str, str] = {"Kinetics": "timeline", "Timeline": "timeline", "fit_timeline": "timeline"}

__all__ = ["Kinetics", "Timeline", "fit_timeline"]


__getattr__ = loader(__name__, _PUBLIC)
