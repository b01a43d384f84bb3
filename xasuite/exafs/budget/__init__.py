"""Error budgets: the parts of an error, from noise, choices, farther shells, the foil, theory and energy scale."""

from .along import Carried, carry
from .apply import with_budget
from .draws import Draw, draws
from .model_changes import released
from .record import PARTS, Budget, combined, joined
from .spectra import Absorption, Farther, GivenChi, Source, Spectra, k_end
from .stack import Foil, budgets, foil_under

__all__ = [
    "PARTS",
    "Absorption",
    "Budget",
    "Carried",
    "Draw",
    "Farther",
    "Foil",
    "GivenChi",
    "Source",
    "Spectra",
    "budgets",
    "carry",
    "combined",
    "draws",
    "foil_under",
    "joined",
    "k_end",
    "released",
    "with_budget",
]
