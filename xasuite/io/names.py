"""Roles of columns by their names: ionisation chambers, fluorescence, mu, reference; and the expressions that may give mu.

docs/decisions/reading.md states the rules in words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence

from ..errors import ChannelError
from ..expressions import parse
from ..records import channel_named

# Each list is in order of preference and matched against `plain` names.
_I0 = (
    r"i0", r"io", r"izero", r"i0eh1", r"i0detector(darkcorrect)?", r"mon", r"monitor", r"ion0", r"ion1", r"i0keithley\d+",
    r"prekbi0", r"i0\d*", r"curta", r"adc01",
)  # fmt: skip
_IT = (
    r"itrans", r"it", r"i1", r"itransmission", r"transmission", r"i1eh1", r"it32", r"i1detector(darkcorrect)?",
    r"ion1", r"ion2", r"i1keithley\d+", r"it\d*", r"i1eh2", r"adc02",
)  # fmt: skip
_IR = (
    r"irefer", r"iref", r"ir", r"i2", r"ireference", r"ireh2", r"iref32", r"i2detector(darkcorrect)?", r"irefer\w*",
    r"i2keithley\d+", r"adc03",
)  # fmt: skip
_IF = (
    r"ifluor", r"iff", r"ifl", r"if", r"ifluorescence", r"fluorescence", r"fluor", r"lytle", r"if32", r"pips(darkcorrect)?",
    r"flatot", r"fluo\w*", r"(qexafs)?ff",
)  # fmt: skip
FLUORESCENCE = _IF
_MU_TRANS = (r"mutrans", r"mu", r"xmu", r"mut", r"absorption", r"absorbance", r"mue")
_MU_FLUOR = (r"mufluor", r"muf", r"fluorescencia", r"xmufluor", r"lytlenorm")
_MU_NORM = (r"norm", r"normtrans", r"normfluor", r"normalized", r"normmu", r"flat", r"mudata", r"intensity")
_MU_REF = (r"muref", r"murefer", r"mureference", r"refmu", r"normrefer")
# Channels of a detector of several elements, summed.
_ARRAYS = (
    r"ifch\d+", r"dtc\d+", r"sca1_\d+", r"fla\d+", r"roi\d+", r"ge\d+", r"mca\d+", r"sdd_?\d+", r"vortex_?\d+",
)  # fmt: skip
# A channel named after an emission line: AlKa_sum_cps, XSP3_PbLa_Sum
_EMISSION = re.compile(r"(?:^|_)([A-Z][a-z]?)_?[KL][ab]\d?(?:_|$)")


@functools.lru_cache(4096)
def plain(name: str) -> str:
    """A name for comparing: lower case, no underscores."""
    return re.sub(r"[^0-9a-z]+", "", name.lower())


def first(names: Iterable[str], patterns: Sequence[str], but: Iterable[str] = ()) -> str:
    """The first name that matches the most preferred pattern, or ""."""
    left_out = set(but)
    pool = [n for n in names if n not in left_out]
    return next((name for pattern in patterns for name in pool if _matches(pattern, name)), "")


@functools.lru_cache(4096)
def _matches(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, plain(name)) is not None


def fluorescence(names: Sequence[str], element: str = "") -> list[str]:
    """Names of the fluorescence channels: those of an emission line, one named so, or an array's elements."""
    if lines := emission_lines(names, element):
        return lines
    single = first(names, _IF)
    return [single] if single else detector_array(names)


def detector_array(names: Sequence[str]) -> list[str]:
    """The elements of a fluorescence detector (Ifch1 ... 4, SCA1_1 ... 32, mca1 ... 8), or none."""
    for pattern in _ARRAYS:
        found = [n for n in names if re.fullmatch(pattern, n.lower())]
        if len(found) > 1:
            return found
    return []


def emission_lines(names: Sequence[str], element: str) -> list[str]:
    """Channels named after an emission line: AlKa_sum_cps, Mn_Ka_mca1 ... mca4, XSP3_PbLa_Sum."""
    found: dict[str, list[str]] = {}
    for name in names:
        if line := _EMISSION.search(name):
            found.setdefault(line.group(1), []).append(name)
    if not element and len(found) == 1:
        element = next(iter(found))
    pool = found.get(element, [])
    sums = [n for n in pool if "sum" in n.lower()]
    return sums[:1] or pool


def emission_elements(names: Sequence[str]) -> set[str]:
    """Elements whose emission lines name a channel."""
    return {m[1] for n in names if (m := _EMISSION.search(n))}


def mu_candidates(names: Sequence[str], element: str = "", i0: str = "") -> list[str]:
    """Expressions that may give mu, in the order in which they are to be tried."""
    out = [n for n in (first(names, _MU_TRANS), first(names, _MU_FLUOR)) if n]
    i0 = i0 or find_i0(names)
    it = first(names, _IT, [i0])
    ir = first(names, _IR, [i0, it])
    if i0 and it:
        out.append(f"ln({i0}/{it})")
    elif i0 and ir:
        out.append(f"ln({i0}/{ir})")
    out += [over(flux, i0) for flux in (fluorescence(names, element), detector_array(names)) if flux]
    out += [n for n in (first(names, _MU_NORM), first(names, _MU_REF)) if n]
    return list(dict.fromkeys(out))


def over(flux: Sequence[str], i0: str) -> str:
    """The sum of fluorescence channels over I0 (or by itself when there is no I0)."""
    total = " + ".join(flux)
    if not i0:
        return total
    return f"({total})/{i0}" if len(flux) > 1 else f"{total}/{i0}"


def is_chamber(name: str) -> bool:
    """Whether a name is that of a chamber behind the sample, or of the reference's mu."""
    return bool(first([name], (*_IT, *_IR, *_MU_REF)))


def find_i0(names: Sequence[str]) -> str:
    """The channel of the incident intensity, or ""."""
    return first(names, _I0)


def reference_candidate(names: Sequence[str], mu: str) -> str:
    """The reference's mu: a column of that name, or ln(It/Iref); "" when there is none."""
    if named := first(names, _MU_REF):
        return named if named != mu else ""
    i0 = first(names, _I0)
    it = first(names, _IT, [i0])
    ir = first(names, _IR, [i0, it])
    if it and ir and it != ir and f"/{ir})" not in mu:
        return f"ln({it}/{ir})"
    return ""


def resolve(name: str, channels: Iterable[str]) -> str:
    """The channel a user means by `name`: as Scan.channel takes it, or by its role here; "" if none."""
    pool = list(channels)
    roles: Mapping[str, Sequence[str]] = {
        "i0": _I0, "it": _IT, "itrans": _IT, "ir": _IR, "iref": _IR, "ifluor": _IF, "iff": _IF,
    }  # fmt: skip
    return channel_named(name, pool) or first(pool, roles.get(plain(name), ()))


def resolve_expression(expr: str, channels: Iterable[str], where: str) -> str:
    """`expr` with every name replaced by the channel it means. Raises ChannelError, ExpressionError."""
    pool = list(channels)
    out = expr
    for name in sorted(parse(expr).names - {"energy"}, key=len, reverse=True):
        channel = resolve(name, pool)
        if not channel:
            import difflib

            near = difflib.get_close_matches(name, pool, 3, 0.4)
            raise ChannelError(
                f"{where}: {expr!r} needs channel {name!r}; "
                + (f"the nearest are {', '.join(near)}" if near else f"the file holds {', '.join(pool[:20])}")
            )
        if channel != name:
            out = re.sub(rf"\b{re.escape(name)}\b(?!\s*\()", channel, out)
    return out
