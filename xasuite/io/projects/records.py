"""What a fitting project of any program holds, in one shape: data, paths, parameters, ranges, logged results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...records import Array


@dataclass(frozen=True)
class ProjectParameter:
    """A parameter as the program has it.

    Attributes
    ----------
    name : str
    kind : str
        "guess", "lguess", "set", "def", "restrain", "after", "skip", "penalty" or "merge", as Artemis names them.
    expression : str
        What was typed: a start value, a value or an expression.
    best, stderr : float, optional
        The logged result.
    min, max : float, optional
        Bounds.
    """

    name: str
    kind: str
    expression: str
    best: float | None = None
    stderr: float | None = None
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class ProjectPath:
    """A scattering path: where its FEFF result is, and the expression of each of its values.

    Attributes
    ----------
    label : str
    data : str
        Label of the data set that the path belongs to.
    feff : str
        Text of its feffNNNN.dat; "" where the project only holds FEFF's input.
    feff_input : str
        Key of `Project.feff_inputs`, "" where `feff` is given.
    atoms : tuple
        Scattering atoms in order as (x, y, z in Angstrom, potential number, tag), where FEFF is yet to be run.
    reff, degen : float
        Half path length in Angstrom, FEFF's degeneracy.
    nleg : int
    values : mapping
        n, s02, e0, deltar, sigma2, third, fourth, ei, dphase as text.
    """

    label: str
    data: str
    values: Mapping[str, str]
    feff: str = ""
    feff_input: str = ""
    atoms: tuple[tuple[float, float, float, int, str], ...] = ()
    reff: float = 0.0
    degen: float = 0.0
    nleg: int = 2


@dataclass(frozen=True, eq=False)
class ProjectData:
    """A data set: mu(E), the settings of its reduction, and the ranges of its fit.

    Attributes
    ----------
    label : str
    energy, mu : (n,) arrays
        eV and absorption.
    reduce : mapping
        Keys of a spec's [reduce].
    fit : mapping
        Keys of a spec's [fit].
    lost : tuple of str
        What a spec cannot express, a sentence each.
    element, edge : str
        Of the absorber; element "" where only FEFF's paths tell it.
    chi : (2, n) array, optional
        k in 1/A and chi(k), of a project that holds no mu(E); energy and mu are empty then.
    variables : mapping
        Numbers of the data set that expressions may name.
    """

    label: str
    energy: Array
    mu: Array
    element: str
    edge: str
    reduce: Mapping[str, Any]
    fit: Mapping[str, Any]
    lost: tuple[str, ...] = ()
    chi: Array | None = None
    variables: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_chi(cls, label: str, k: Array, chi: Array, **more: Any) -> ProjectData:
        """A data set of chi(k) alone."""
        return cls(label, np.empty(0), np.empty(0), reduce={}, chi=np.vstack([k, chi]), **more)


@dataclass(frozen=True)
class ProjectFit:
    """One fit of a project, with what it logged (`rfactor` None where it was never run)."""

    name: str
    parameters: tuple[ProjectParameter, ...]
    data: tuple[ProjectData, ...]
    paths: tuple[ProjectPath, ...]
    rfactor: float | None = None
    lost: tuple[str, ...] = ()

    def parameter(self, name: str) -> ProjectParameter:
        """The parameter of that name, in any letter case. Raises KeyError."""
        for p in self.parameters:
            if p.name.lower() == name.lower():
                return p
        raise KeyError(name)


@dataclass(frozen=True)
class Project:
    """A project: the program that wrote it, its fits in order, FEFF inputs by name.

    An Athena project has `groups` in place of fits, and `unread` names those that hold no mu(E), with the reason.
    """

    path: str
    program: str
    fits: tuple[ProjectFit, ...] = ()
    feff_inputs: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[ProjectData, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
