"""What an error is made of: noise, choices, farther shells, the foil's, theory and energy scale."""

from .along import Carried, carry
from .apply import with_budget
from .draws import Draw, draws
from .floors import released
from .record import PARTS, Budget, combined, joined
from .stack import Farther, Foil, Spectra, budgets, foil_under, k_end

__all__ = [
    "PARTS",
    "Budget",
    "Carried",
    "Draw",
    "Farther",
    "Foil",
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
