"""Fits along time: parameters that are functions of the row, or held together by a penalty."""

from .timeline import Kinetics, Timeline, fit_timeline

__all__ = ["Kinetics", "Timeline", "fit_timeline"]
