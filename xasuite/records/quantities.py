"""The quantities of tables, figures and files: one entry each gives name, symbol, unit and rounding.

A new quantity is added here only; terminal, notebook, HTML, LaTeX, Word, CSV and JSON use this list.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import WriteError

ERRORS = ("parentheses", "plus-minus")


@dataclass(frozen=True)
class Quantity:
    """The quantity in one column of a table.

    Parameters
    ----------
    name : key in JSON, CSV and Python; the standard error has the key ``name + "_err"``.
    symbol : symbol in Unicode, for print ("σ²").
    unit : unit of the stored value; printed in brackets after the symbol.
    latex : symbol in LaTeX's math mode; empty if the symbol is plain text.
    power : the printed value is the stored value times ten to this power ("σ² (10⁻³ Å²)" has 3).
    form : format of a value without an error; if empty, four significant digits.
    words : name in words, for captions and notes.
    of : the path or component that it belongs to, "Co-O" in N(Co-O).
    once : printed only in the first row of each sample.
    """

    name: str
    symbol: str = ""
    unit: str = ""
    latex: str = ""
    power: int = 0
    form: str = ""
    words: str = ""
    of: str = ""
    once: bool = False

    @property
    def key(self) -> str:
        """The name of the column in data: n(Co-O)."""
        return self.name + (f"({self.of})" if self.of else "")

    @property
    def shown_unit(self) -> str:
        """The unit of the printed value: 10⁻³ Å² where the stored value is in Å²."""
        if not self.power:
            return self.unit
        return f"10{str(-self.power).translate(_SUPERSCRIPT)} {self.unit}".rstrip()

    @property
    def title(self) -> str:
        """The symbol with its path or component: N(Co-O)."""
        return (self.symbol or self.name) + (f"({self.of})" if self.of else "")

    @property
    def head(self) -> str:
        """The heading of the column, symbol and unit: R (Å)."""
        return self.title + (f" ({self.shown_unit})" if self.shown_unit else "")

    def text(self, value: float, stderr: float = math.nan, errors: str = ERRORS[0]) -> str:
        """A stored value as it is printed, with its error if there is one.

        Examples
        --------
        >>> QUANTITIES["sigma2"].text(0.00652, 0.00031), QUANTITIES["rfactor"].text(0.00412)
        ('6.5(3)', '0.0041')
        """
        scale = 10.0**self.power
        if math.isfinite(value) and not stderr > 0 and self.form:
            return format(value * scale, self.form)
        return as_printed(value * scale, stderr * scale, errors)

    def within(self, of: str) -> Quantity:
        """The same quantity of one path or component: N becomes N(Co-O)."""
        return replace(self, of=of)


# sizes of a value that need no exponent, and of its error
_USUAL = ((1e-3, 1e4), (1e-8, 1e4))


def _shorthand(value: float, stderr: float) -> str:
    """2.495(6) for values without an exponent, else "". As the package uncertainties prints it, whose import takes a tenth of a start."""
    if stderr > abs(value) or not all(
        low <= abs(x) < high for x, (low, high) in zip((value, stderr), _USUAL, strict=True)
    ):
        return ""
    if (decimals := _decimals(stderr)) < 0:
        return ""
    error = f"{stderr:.{decimals}f}"
    whole = decimals == 0 or float(error) < 1
    return f"{value:.{decimals}f}({int(error.replace('.', '')) if whole else error})"


_SUPERSCRIPT = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")


def as_printed(value: float, stderr: float, errors: str = ERRORS[0]) -> str:
    """A value with its error as in papers: 2.495(6) or, with "plus-minus", 2.495 ± 0.006; the value alone if there is no error.

    The error has one digit, or two if its first digit is 1 or 2. Raises WriteError for another kind of `errors`.

    Examples
    --------
    >>> as_printed(2.4953, 0.0061), as_printed(5.6, 1.3, "plus-minus"), as_printed(0.77, float("nan")), as_printed(30, 50)
    ('2.495(6)', '5.6 ± 1.3', '0.77', '30(50)')
    >>> as_printed(2e6, 3e5, "plus-minus")
    '(2.0 ± 0.3)e+06'
    """
    if errors not in ERRORS:
        raise WriteError(f"errors are printed in {' or '.join(ERRORS)}, not {errors!r}")
    if not math.isfinite(value):
        return "-"
    if not math.isfinite(stderr) or stderr <= 0:
        return f"{value:.4g}"
    if f"{stderr:.1e}"[0] >= "3" and f"{stderr:.0e}"[0] == "1":
        stderr = float(f"{stderr:.0e}")  # 0.96 rounds to 1.0, which has two digits
    usual = _shorthand(value, stderr)
    if usual and errors == ERRORS[0]:
        return usual
    if (places := -_decimals(stderr)) > 0 and max(abs(value), stderr) < 1e5:
        last = 10**places
        number, error = (f"{round(x / last) * last:d}" for x in (value, stderr))
        return f"{number}({error})" if errors == ERRORS[0] else f"{number} ± {error}"
    from uncertainties import ufloat, ufloat_fromstr

    text = f"{ufloat(value, stderr):.{1 if f'{stderr:.1e}'[0] >= '3' else 2}uS}"
    if errors == ERRORS[0] or "(" not in text:
        return text
    mantissa, _, power = text.partition("e")
    parsed, after = ufloat_fromstr(mantissa), len(mantissa.partition("(")[0].partition(".")[2])
    shown = f"{parsed.n:.{after}f} ± {parsed.s:.{after}f}"
    return f"({shown})e{power}" if power else shown


def _decimals(error: float) -> int:
    """The number of decimals that shows an error with one digit, or two if its first digit is 1 or 2."""
    digits = 1 if f"{error:.1e}"[0] >= "3" and f"{error:.0e}"[0] != "1" else 2
    return digits - 1 - int(f"{error:.{digits - 1}e}".split("e")[1])


def rounded(error: float, sign: str = "") -> str:
    """An error alone, rounded as errors are printed: rounded(-3.61, "+") is -4."""
    return f"{error:{sign}.{max(0, _decimals(abs(error)))}f}"


def with_ends(value: float, plus: float, minus: float) -> str:
    """A value with its errors upwards and downwards; printed as one error if the two are equal in print.

    Examples
    --------
    >>> with_ends(5.42, 0.91, 0.48), with_ends(0.7, 2.1, 0.0), with_ends(6.4, 0.51, 0.49)
    ('5.4 +0.9 -0.5', '0.7 +2.1 -0.0', '6.4(5)')
    """
    after = max(0, _decimals(min(e for e in (plus, minus) if e > 0))) if max(plus, minus) > 0 else 4
    up, down = f"{plus:.{after}f}", f"{minus:.{after}f}"
    return as_printed(value, (plus + minus) / 2) if up == down else f"{value:.{after}f} +{up} -{down}"


QUANTITIES: dict[str, Quantity] = {
    q.name: q
    for q in (
        # a path
        Quantity("n", "N", latex="N", words="coordination number"),
        Quantity("r", "R", "Å", "R", form=".4f", words="distance"),
        Quantity("deltar", "ΔR", "Å", r"\Delta R", form=".4f", words="change of distance"),
        Quantity("sigma2", "σ²", "Å²", r"\sigma^2", power=3, words="mean square relative displacement"),
        Quantity("s02", "S₀²", latex="S_0^2", words="amplitude reduction factor"),
        Quantity("e0", "ΔE₀", "eV", r"\Delta E_0", words="shift of the edge energy"),
        Quantity("third", "C₃", "Å³", "C_3", power=4, words="third cumulant"),
        Quantity("fourth", "C₄", "Å⁴", "C_4", power=5, words="fourth cumulant"),
        Quantity("ei", "E_i", "eV", "E_i", words="imaginary part added to the energy"),
        Quantity("dphase", "Δφ", "rad", r"\Delta\varphi", words="phase added to the path's"),
        Quantity("reff", "R_eff", "Å", r"R_\mathrm{eff}", form=".4f", words="half path length in the structure"),
        Quantity("degen", "Degeneracy", form="g"),
        # a fit
        Quantity("rfactor", "R factor", form=".4f", words="misfit relative to the data", once=True),
        Quantity("chi2_reduced", "χ²/ν", latex=r"\chi^2_\nu", form=".3g", words="reduced chi-square"),
        Quantity("n_varys", "Variables"),
        Quantity("n_idp", "Independent points", form=".1f"),
        Quantity("epsilon_k", "ε(k)", latex=r"\varepsilon(k)", form=".1e", words="noise of χ(k)"),
        # a spectrum
        Quantity("energy", "E", "eV", "E", form=".2f", words="energy"),
        Quantity("edge_step", "Edge step", form=".4g"),
        Quantity("k", "k", "1/Å", "k", form=".2f", words="wavenumber of the photoelectron"),
        Quantity("height", "|W|", latex="|W|", words="height of the wavelet transform"),
        Quantity("width_k", "Width in k", "1/Å"),
        Quantity("width_r", "Width in R", "Å"),
        Quantity("found", "Kept", form=".0%", words="share of noisy copies that show it"),
        Quantity("valence", "Valence", form=".2f", words="formal oxidation state"),
        Quantity("low", "95 % from", form=".2f"),
        Quantity("high", "95 % to", form=".2f"),
        Quantity("noise_err", "from noise", "eV", form=".3f"),
        Quantity("norm_err", "from ranges, sd", "eV", form=".3f"),
        Quantity("norm_spread", "from ranges, spread", "eV", form=".3f"),
        Quantity("p_value", "p", latex="p", form=".3g"),
        # along a series
        Quantity("time", "Time", "s"),
        # text
        Quantity("sample", "Sample", once=True),
        *(
            Quantity(n, n.capitalize())
            for n in (
                "path", "label", "status", "row", "quantity", "variant", "parameter", "verdict", "rule",
                "claim", "kind", "standard", "scale", "component", "reason",
            )
        ),
        Quantity("kept_from", "From"),
        Quantity("published", "Published"),
        Quantity("ours", "This work"),
    )
}  # fmt: skip


def quantity(name: str) -> Quantity:
    """The quantity of that name; for an unknown name a quantity that prints the name."""
    return QUANTITIES.get(name) or Quantity(name)
