"""What an error is made of: noise, choices, farther shells, the foil's, theory and energy scale."""

from .apply import with_budget
from .draws import Draw, draws
from .floors import released
from .record import PARTS, Budget, combined, joined
from .stack import Farther, Foil, Spectra, budgets, foil_under

__all__ = [
    "PARTS",
    "Budget",
    "Draw",
    "Farther",
    "Foil",
    "Spectra",
    "budgets",
    "combined",
    "draws",
    "foil_under",
    "joined",
    "released",
    "with_budget",
]
