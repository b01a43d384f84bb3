"""The temperature of a row's sample: a variable T, else the field of its file, else unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..constants import ROOM

# how the note on it begins
FARTHER = "farther shells have the Debye sigma2 of"
# variables and columns that are a temperature, and the fields of XDI, NXxas and others, in small letters
NAMES = frozenset({"t", "temp", "temperature", "t_k", "t_sample", "sample_temperature"})
_FIELDS = ("sample.temperature", "temperature", "sample_temperature")
_VALUE = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*(?:deg(?:rees?)?\s*|°\s*)?([A-Za-z]*)")


def kelvin(value: float, unit: str = "K") -> float | None:
    """A temperature in K from one in K, °C or °F; None for another unit, or where there is no such temperature.

    Examples
    --------
    >>> kelvin(25.0, "°C")
    298.15
    """
    short = unit.replace("°", "").replace("deg", "").strip().upper() or "K"
    if short not in ("K", "C", "F"):
        return None
    found = {"K": value, "C": value + 273.15, "F": (value - 32) / 1.8 + 273.15}[short]
    return found if 0 < found < 5000 else None


def temperature_of(variables: Mapping[str, Any], meta: Mapping[str, Any]) -> float | None:
    """What a row's variables (T, in K) or its file's header say of the sample's temperature, in K; None where nothing does.

    Examples
    --------
    >>> temperature_of({}, {"Sample.temperature": "77 K"})
    77.0
    >>> temperature_of({"T": 10.0}, {"Sample.temperature": "room temperature"})
    10.0
    """
    for name, value in variables.items():
        if name.lower() in NAMES:
            return kelvin(float(value))
    fields = {key.lower(): str(value) for key, value in meta.items()}
    for field in _FIELDS:
        text = fields.get(field, "")
        if re.match(r"\s*(room|rt\b|ambient)", text, re.I):
            return ROOM
        if found := _VALUE.match(text):
            return kelvin(float(found[1]), found[2])
    return None
