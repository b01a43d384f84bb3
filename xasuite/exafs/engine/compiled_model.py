"""The fits compiled: one row after the other on one core, without Python's lock, so that threads may share rows.

The mathematics is that of `kernel_numpy`, which is its oracle. Loops over k are written so that they run in vector
registers: exp and sin/cos are polynomials, as the C library's would be called point by point.
"""

# Compiled code has its loops written out on purpose.
from __future__ import annotations

import math

import numpy as np
from numba import njit

from ...constants import ETOK
from ..equation import SMALL_ENERGY
from .program import (  # fmt: skip
    ACOS,
    ADD,
    ASIN,
    ATAN,
    ATAN2,
    CONST,
    COS,
    COSH,
    DIV,
    EXP,
    LOG,
    LOG10,
    MAX,
    MIN,
    MUL,
    NAME,
    NEG,
    POW,
    SIN,
    SINH,
    SQRT,
    SUB,
    TAN,
    TANH,
)

# nnan and ninf are left out: a NaN must stay one. reassoc only where sums are taken.
_ELEMENTWISE = {"contract", "nsz", "arcp"}
_SUMS = {"contract", "nsz", "arcp", "reassoc"}

_TWO_OVER_PI = 2 / math.pi
# pi / 2 in two parts, the first with trailing zeros, so that n times it is exact
_HALF_PI_1 = 1.5707963267341256
_HALF_PI_2 = 6.077100506506192e-11
# exp(x) = exp(x / 256)^256: eight squarings in place of bit arithmetic
_SQUARINGS = 256.0
_EXP_LOWEST, _EXP_HIGHEST = -180.0, 80.0


@njit(inline="always", fastmath=_ELEMENTWISE)
def _exp(x):
    y = min(max(x, _EXP_LOWEST), _EXP_HIGHEST) / _SQUARINGS
    # exp(y) - 1 is squared as t -> 2 t + t^2, which keeps the digits that 1 + t would lose
    t = y * (
        1
        + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720 + y * (1 / 5040 + y * (1 / 40320 + y / 362880)))))))
    )  # fmt: skip
    t = t * (2 + t)
    t = t * (2 + t)
    t = t * (2 + t)
    t = t * (2 + t)
    t = t * (2 + t)
    t = t * (2 + t)
    t = t * (2 + t)
    t = t * (2 + t)
    return 1 + t


@njit(inline="always", fastmath=_ELEMENTWISE)
def _sincos(x):
    n = np.floor(x * _TWO_OVER_PI + 0.5)
    r = (x - n * _HALF_PI_1) - n * _HALF_PI_2
    r2 = r * r
    s = r * (
        1
        + r2
        * (
            -1 / 6
            + r2 * (1 / 120 + r2 * (-1 / 5040 + r2 * (1 / 362880 + r2 * (-1 / 39916800 + r2 / 6227020800))))
        )
    )
    c = 1 + r2 * (
        -1 / 2
        + r2
        * (
            1 / 24
            + r2
            * (-1 / 720 + r2 * (1 / 40320 + r2 * (-1 / 3628800 + r2 * (1 / 479001600 - r2 / 87178291200))))
        )
    )
    # quadrant 0-3, kept in floating point
    quadrant = n - 4 * np.floor(n * 0.25)
    odd = quadrant == 1.0 or quadrant == 3.0
    sine = c if odd else s
    cosine = s if odd else c
    sine = -sine if quadrant >= 2.0 else sine
    cosine = -cosine if (quadrant == 1.0 or quadrant == 2.0) else cosine
    return sine, cosine


# rows of the columns' workspace
Q, IQ, AMP, PHA, PR, PI, AMP1, PHA1, PR1, PI1, RE, IM, UR, UI, ER, EI, N_COLUMNS = range(17)


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _columns(k, e0, coef, left, cell, width, col):
    """q, 1/q, amp, pha, p', p'' and their derivatives by q (that of amp less amp / q) into col."""
    q_all, iq_all = col[Q], col[IQ]
    for j in range(k.shape[0]):
        en = k[j] * k[j] - e0 * ETOK
        en = SMALL_ENERGY if abs(en) < SMALL_ENERGY else en
        size = math.sqrt(abs(en))
        q_all[j] = size if en > 0 else -size
    for j in range(k.shape[0]):
        iq_all[j] = 1 / q_all[j]
    last_cell = cell.shape[0] - 1
    per_width = 1 / width
    for j in range(k.shape[0]):
        q, iq = q_all[j], iq_all[j]
        at = cell[min(max(int(q * per_width), 0), last_cell)]
        # a cell holds one knot at most
        at += int(q >= left[at + 1])
        x = q - left[at]
        c = coef[at]
        amp = c[0, 0] + x * (c[0, 1] + x * (c[0, 2] + x * c[0, 3]))
        pi = 1 / (c[3, 0] + x * (c[3, 1] + x * (c[3, 2] + x * c[3, 3])))
        col[AMP, j] = amp
        col[PHA, j] = c[1, 0] + x * (c[1, 1] + x * (c[1, 2] + x * c[1, 3]))
        col[PR, j] = c[2, 0] + x * (c[2, 1] + x * (c[2, 2] + x * c[2, 3]))
        col[PI, j] = pi
        col[AMP1, j] = c[0, 1] + x * (2 * c[0, 2] + 3 * x * c[0, 3]) - amp * iq
        col[PHA1, j] = c[1, 1] + x * (2 * c[1, 2] + 3 * x * c[1, 3])
        col[PR1, j] = c[2, 1] + x * (2 * c[2, 2] + 3 * x * c[2, 3])
        col[PI1, j] = -(c[3, 1] + x * (2 * c[3, 2] + 3 * x * c[3, 3])) * pi * pi


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _broaden(ei, pr, pi, pr1, pi1):
    """p' + i p'' and its derivative by q with i ei ETOK added to p^2."""
    for j in range(pr.shape[0]):
        old = complex(pr[j], pi[j])
        new = np.sqrt(old * old + complex(0.0, ei * ETOK))
        slope = complex(pr1[j], pi1[j]) * old / new
        pr[j], pi[j], pr1[j], pi1[j] = new.real, new.imag, slope.real, slope.imag


# Each loop below writes one or two arrays: with more, the compiler's checks that they do not overlap are too many
# for it to use vector registers.


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _exponent(pr, pi, q, pha, reff, shift, s2, c3, c4, phase, re, im):
    """Real and imaginary part of the exponent."""
    for j in range(re.shape[0]):
        p2r, p2i = pr[j] * pr[j] - pi[j] * pi[j], 2 * pr[j] * pi[j]
        p3i = pr[j] * p2i + pi[j] * p2r
        p4r = p2r * p2r - p2i * p2i
        re[j] = -2 * (reff + shift) * pi[j] - 2 * s2 * p2r + (2 / 3) * c4 * p4r + (4 / 3) * c3 * p3i
    for j in range(im.shape[0]):
        p2r, p2i = pr[j] * pr[j] - pi[j] * pi[j], 2 * pr[j] * pi[j]
        p3r = pr[j] * p2r - pi[j] * p2i
        p4i = 2 * p2r * p2i
        im[j] = (
            2 * q[j] * reff
            + pha[j]
            + phase
            - 2 * s2 * p2i
            + (2 / 3) * c4 * p4i
            + 2 * shift * pr[j]
            - (4 / 3) * c3 * p3r
        )


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _wave(re, im, iq, over, ur, ui):
    """exp(exponent) / (q (R + d)^2)."""
    for j in range(re.shape[0]):
        re[j] = _exp(re[j]) * iq[j] * over
    for j in range(re.shape[0]):
        sine, cosine = _sincos(im[j])
        ur[j] = re[j] * cosine
        ui[j] = re[j] * sine


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _rate(pr, pi, pr1, pi1, pha1, reff, shift, s2, c3, c4, er, ei):
    """d(exponent)/dq = -2 R p'' ' - 4 p p' (s2 - 2 p^2 c4 / 3) + i (2 R + pha' + 2 p' (shift - 2 p^2 c3))."""
    for j in range(er.shape[0]):
        p2r, p2i = pr[j] * pr[j] - pi[j] * pi[j], 2 * pr[j] * pi[j]
        br, bi = s2 - (2 / 3) * c4 * p2r, -(2 / 3) * c4 * p2i
        gr, gi = pr[j] * br - pi[j] * bi, pr[j] * bi + pi[j] * br
        hr, hi = shift - 2 * c3 * p2r, -2 * c3 * p2i
        er[j] = -2 * reff * pi1[j] - 4 * (pr1[j] * gr - pi1[j] * gi) - 2 * (pr1[j] * hi + pi1[j] * hr)
    for j in range(ei.shape[0]):
        p2r, p2i = pr[j] * pr[j] - pi[j] * pi[j], 2 * pr[j] * pi[j]
        br, bi = s2 - (2 / 3) * c4 * p2r, -(2 / 3) * c4 * p2i
        gr, gi = pr[j] * br - pi[j] * bi, pr[j] * bi + pi[j] * br
        hr, hi = shift - 2 * c3 * p2r, -2 * c3 * p2i
        ei[j] = 2 * reff + pha1[j] - 4 * (pr1[j] * gi + pi1[j] * gr) + 2 * (pr1[j] * hr - pi1[j] * hi)


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _by_e0(ur, ui, amp, amp1, er, ei, iq, a, out):
    for j in range(out.shape[0]):
        by_q = ui[j] * (amp1[j] + amp[j] * er[j]) + ur[j] * amp[j] * ei[j]
        out[j] = a * by_q * (-0.5 * ETOK * abs(iq[j]))


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _by_length(ur, ui, amp, pr, pi, first, power, per_r, over_r, out):
    """Im z (first p^2 + 2 i p per_r - over_r), z = u amp: the slopes by deltar (first 0) and sigma2 (first -2)."""
    for j in range(out.shape[0]):
        zr, zi = ur[j] * amp[j], ui[j] * amp[j]
        p2r, p2i = pr[j] * pr[j] - pi[j] * pi[j], 2 * pr[j] * pi[j]
        out[j] = power * (first * (zr * p2i + zi * p2r) + per_r * (zr * pr[j] - zi * pi[j]) - over_r * zi)


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _by_cumulant(ur, ui, amp, pr, pi, a, fourth, out):
    """Im z (-4/3 i p^3), or Im z (2/3 p^4) for the fourth cumulant."""
    for j in range(out.shape[0]):
        zr, zi = ur[j] * amp[j], ui[j] * amp[j]
        p2r, p2i = pr[j] * pr[j] - pi[j] * pi[j], 2 * pr[j] * pi[j]
        if fourth:
            out[j] = a * (2 / 3) * (zr * (2 * p2r * p2i) + zi * (p2r * p2r - p2i * p2i))
        else:
            p3r, p3i = pr[j] * p2r - pi[j] * p2i, pr[j] * p2i + pi[j] * p2r
            out[j] = a * (-4 / 3) * (zr * p3r - zi * p3i)


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _by_ei(ur, ui, amp, pr, pi, reff, shift, s2, c3, c4, a, out):
    """Im z (-2 R Im p1 + p1 (-4 p (s2 - 2 p^2 c4 / 3) + 2 i (shift - 2 p^2 c3))) with p1 = i ETOK / 2 p."""
    for j in range(out.shape[0]):
        p = complex(pr[j], pi[j])
        p1 = complex(0.0, 0.5 * ETOK) / p
        by_p = -4 * p * (s2 - (2 / 3) * c4 * p * p) + complex(0.0, 2.0) * (shift - 2 * c3 * p * p)
        rate = by_p * p1 - 2 * reff * p1.imag
        out[j] = a * amp[j] * (ur[j] * rate.imag + ui[j] * rate.real)


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _scaled(a, one, two, out):
    for j in range(out.shape[0]):
        out[j] = a * one[j] * two[j]


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _times(a, b, out):
    for j in range(out.shape[0]):
        out[j] = a[j] * b[j]


@njit(cache=True, nogil=True)
def _slopes(value, reff, uses, col, out):
    """chi of one path at amplitude 1 as out[0], and after it its derivatives by those path values that are used.

    Gives the number of rows filled.
    """
    a, d, s2, c3, c4 = value[0], value[2], value[3], value[4], value[5]
    ei, phase = value[6], value[7]
    shift = d - 2 * s2 / reff
    q, iq, amp, pha, pr, pi = col[Q], col[IQ], col[AMP], col[PHA], col[PR], col[PI]
    ur, ui = col[UR], col[UI]
    if ei != 0.0:
        _broaden(ei, pr, pi, col[PR1], col[PI1])
    _exponent(pr, pi, q, pha, reff, shift, s2, c3, c4, phase, col[RE], col[IM])
    _wave(col[RE], col[IM], iq, 1 / ((reff + d) * (reff + d)), ur, ui)
    _times(ui, amp, out[0])
    n = 1
    if uses[1]:
        _rate(pr, pi, col[PR1], col[PI1], col[PHA1], reff, shift, s2, c3, c4, col[ER], col[EI])
        _by_e0(ur, ui, amp, col[AMP1], col[ER], col[EI], iq, a, out[n])
        n += 1
    if uses[2]:
        _by_length(ur, ui, amp, pr, pi, 0.0, a, 2.0, 2 / (reff + d), out[n])
        n += 1
    if uses[3]:
        _by_length(ur, ui, amp, pr, pi, -2.0, a, -4 / reff, 0.0, out[n])
        n += 1
    if uses[4]:
        _by_cumulant(ur, ui, amp, pr, pi, a, False, out[n])
        n += 1
    if uses[5]:
        _by_cumulant(ur, ui, amp, pr, pi, a, True, out[n])
        n += 1
    if uses[6]:
        _by_ei(ur, ui, amp, pr, pi, reff, shift, s2, c3, c4, a, out[n])
        n += 1
    if uses[7]:
        _scaled(a, ur, amp, out[n])
        n += 1
    return n


@njit(cache=True, fastmath=_SUMS, nogil=True)
def _project(matrix, rows, n, out):
    """out[i] = matrix @ rows[i] for n rows (padded to a multiple of 4 by the caller), four at a time."""
    nr, nk = matrix.shape
    for i in range(0, n, 4):
        r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for r in range(nr):
            b = matrix[r]
            s0 = 0.0
            s1 = 0.0
            s2 = 0.0
            s3 = 0.0
            for j in range(nk):
                s0 += b[j] * r0[j]
                s1 += b[j] * r1[j]
                s2 += b[j] * r2[j]
                s3 += b[j] * r3[j]
            out[i, r] = s0
            out[i + 1, r] = s1
            out[i + 2, r] = s2
            out[i + 3, r] = s3


@njit(cache=True, nogil=True)
def _binary(op, a, b):
    if op == ADD:
        return a + b, 1.0, 1.0
    if op == SUB:
        return a - b, 1.0, -1.0
    if op == MUL:
        return a * b, b, a
    if op == DIV:
        return (a / b, 1 / b, -a / (b * b)) if b != 0 else (np.nan, np.nan, np.nan)
    if op == POW:
        if a == 0 and b < 1:
            return (1.0 if b == 0 else 0.0 if b > 0 else np.inf), (0.0 if b == 0 else np.inf), 0.0
        value = a**b
        return value, b * a ** (b - 1), (value * math.log(a) if a > 0 else 0.0)
    if op == ATAN2:
        return math.atan2(a, b), b / (a * a + b * b), -a / (a * a + b * b)
    first = (a <= b) if op == MIN else (a >= b)
    return (a, 1.0, 0.0) if first else (b, 0.0, 1.0)


@njit(cache=True, nogil=True)
def _unary(op, a):
    if op == NEG:
        return -a, -1.0
    if op == SQRT:
        return (math.sqrt(a), 0.5 / math.sqrt(a)) if a > 0 else (0.0 if a == 0 else np.nan, np.inf)
    if op == EXP:
        return math.exp(min(a, 700.0)), math.exp(min(a, 700.0))
    if op == LOG:
        return (math.log(a), 1 / a) if a > 0 else (np.nan, np.nan)
    if op == LOG10:
        return (math.log10(a), 1 / (a * math.log(10.0))) if a > 0 else (np.nan, np.nan)
    if op == SIN:
        return math.sin(a), math.cos(a)
    if op == COS:
        return math.cos(a), -math.sin(a)
    if op == TAN:
        return math.tan(a), 1 / math.cos(a) ** 2
    if op == TANH:
        return math.tanh(a), 1 / math.cosh(min(abs(a), 300.0)) ** 2
    if op == SINH:
        return math.sinh(min(max(a, -700.0), 700.0)), math.cosh(min(abs(a), 700.0))
    if op == COSH:
        return math.cosh(min(abs(a), 700.0)), math.sinh(min(max(a, -700.0), 700.0))
    if op == ATAN:
        return math.atan(a), 1 / (1 + a * a)
    if op in (ASIN, ACOS):
        if abs(a) > 1:
            return np.nan, np.nan
        slope = 1 / math.sqrt(1 - a * a) if abs(a) < 1 else np.inf
        return (math.asin(a), slope) if op == ASIN else (math.acos(a), -slope)
    return abs(a), (1.0 if a > 0 else -1.0 if a < 0 else 0.0)


@njit(cache=True, nogil=True)
def _run(ops, args, first, target, slots, slopes, values, grads, stack, dstack, nd):
    """Run all programs: slots (ns,) and their slopes (ns, nd) in, path values (np * 8,) and slopes out."""
    ns = slots.shape[0]
    for i in range(target.shape[0]):
        top = 0
        for at in range(first[i], first[i + 1]):
            op = ops[at]
            if op == CONST:
                stack[top] = args[at]
                for d in range(nd):
                    dstack[top, d] = 0.0
                top += 1
            elif op == NAME:
                slot = int(args[at])
                stack[top] = slots[slot]
                for d in range(nd):
                    dstack[top, d] = slopes[slot, d]
                top += 1
            elif op in (ADD, SUB, MUL, DIV, POW, MIN, MAX, ATAN2):
                value, fa, fb = _binary(op, stack[top - 2], stack[top - 1])
                top -= 1
                stack[top - 1] = value
                for d in range(nd):
                    # a slope of zero stays zero where the factor is not finite
                    da, db = dstack[top - 1, d], dstack[top, d]
                    dstack[top - 1, d] = (fa * da if da != 0 else 0.0) + (fb * db if db != 0 else 0.0)
            else:
                value, fa = _unary(op, stack[top - 1])
                stack[top - 1] = value
                for d in range(nd):
                    da = dstack[top - 1, d]
                    dstack[top - 1, d] = fa * da if da != 0 else 0.0
        t = target[i]
        if t < ns:
            slots[t] = stack[0]
            for d in range(nd):
                slopes[t, d] = dstack[0, d]
        else:
            values[t - ns] = stack[0]
            for d in range(nd):
                grads[t - ns, d] = dstack[0, d]
