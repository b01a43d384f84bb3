"""The names that keys of a spec and arguments of functions accept: one list each, for the schema and for the code."""

from __future__ import annotations

from typing import Literal, get_args

Edge = Literal["K", "L1", "L2", "L3"]
Program = Literal["feff8l", "feff6l"]
# a program of FEFF, with or without self-consistency
Potentials = Literal["feff6l", "feff8l", "feff8l scf"]
Window = Literal["hanning", "kaiser", "parzen", "welch", "gaussian", "sine"]
KWeight = Literal[0, 1, 2, 3, 4]
BackgroundKWeight = Literal[0, 1, 2, 3]
Background = Literal["autobk", "ifeffit"]
Method = Literal["polynomial", "atomic", "mback"]
Units = Literal["eV", "keV", "angle"]
Align = Literal["auto", "reference", "mu", "none"]
ShellQuantity = Literal["n", "r", "sigma2"]
PathValue = Literal["n", "s02", "e0", "deltar", "sigma2", "third", "fourth", "ei", "dphase"]

WINDOWS: tuple[str, ...] = get_args(Window)
BACKGROUNDS: tuple[str, ...] = get_args(Background)
# points clamped at either end of the background, as Larch and Athena have them
NCLAMP: dict[str, int] = {"autobk": 3, "ifeffit": 5}
POTENTIALS: tuple[Potentials, ...] = get_args(Potentials)
ALIGNS: tuple[str, ...] = get_args(Align)
METHODS: tuple[str, ...] = get_args(Method)
PATH_VALUES: tuple[str, ...] = get_args(PathValue)
