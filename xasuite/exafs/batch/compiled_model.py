"""The fits compiled: one row after the other on one core, without Python's lock, so that threads may share rows.

The mathematics is that of `kernel_numpy`, which is its oracle. Loops over k are written so that they run in vector
registers: exp and sin/cos are polynomials, as the C library's would be called point by point.
"""

# Compiled code has its loops written out on purpose.
from __future__ import annotations

import math

import numpy as np
from numba import njit

from .program import (
    ABS, ADD, CONST, COS, DIV, EXP, LOG, LOG10, MIN, MAX, MUL, NAME, NEG, POW, SIN, SQRT, SUB, TAN,
)  # fmt: skip
from .tables import CELL, ETOK, SMALL_ENERGY

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
    s = r * (1 + r2 * (-1 / 6 + r2 * (1 / 120 + r2 * (-1 / 5040 + r2 * (1 / 362880 + r2 * (-1 / 39916800 + r2 / 6227020800))))))
    c = 1 + r2 * (-1 / 2 + r2 * (1 / 24 + r2 * (-1 / 720 + r2 * (1 / 40320 + r2 * (-1 / 3628800 + r2 * (1 / 479001600 - r2 / 87178291200))))))
    # quadrant 0-3, kept in floating point
    quadrant = n - 4 * np.floor(n * 0.25)
    odd = quadrant == 1.0 or quadrant == 3.0
    sine = c if odd else s
    cosine = s if odd else c
    sine = -sine if quadrant >= 2.0 else sine
    cosine = -cosine if (quadrant == 1.0 or quadrant == 2.0) else cosine
    return sine, cosine


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _columns(k, e0, coef, left, cell, col):
    """q, the four columns and their derivatives by q, into col (9, nk)."""
    last_cell = cell.shape[0] - 1
    last = left.shape[0] - 1
    for j in range(k.shape[0]):
        en = k[j] * k[j] - e0 * ETOK
        if abs(en) < SMALL_ENERGY:
            en = SMALL_ENERGY
        q = math.sqrt(en) if en > 0 else -math.sqrt(-en)
        at = int(q / CELL)
        at = cell[min(max(at, 0), last_cell)]
        while at < last and q >= left[at + 1]:
            at += 1
        x = q - left[at]
        col[0, j] = q
        for c in range(4):
            a0, a1, a2, a3 = coef[at, c, 0], coef[at, c, 1], coef[at, c, 2], coef[at, c, 3]
            col[1 + c, j] = a0 + x * (a1 + x * (a2 + x * a3))
            col[5 + c, j] = a1 + x * (2 * a2 + 3 * x * a3)


@njit(cache=True, fastmath=_ELEMENTWISE, nogil=True)
def _slopes(value, reff, col, out):
    """chi of one path (amplitude 1) and its derivatives by the path's values, into out (6, nk)."""
    a, d, s2, c3, c4 = value[0], value[2], value[3], value[4], value[5]
    shift = d - 2 * s2 / reff
    over = 1 / ((reff + d) * (reff + d))
    per_length = 2 / (reff + d)
    per_reff = 4 / reff
    for j in range(col.shape[1]):
        q, amp, pha, pr, lam = col[0, j], col[1, j], col[2, j], col[3, j], col[4, j]
        amp1, pha1, pr1, lam1 = col[5, j], col[6, j], col[7, j], col[8, j]
        iq = 1 / q
        pi = 1 / lam
        pi1 = -lam1 * pi * pi
        p2r, p2i = pr * pr - pi * pi, 2 * pr * pi
        p3r, p3i = pr * p2r - pi * p2i, pr * p2i + pi * p2r
        p4r, p4i = p2r * p2r - p2i * p2i, 2 * p2r * p2i
        re = -2 * reff * pi - 2 * s2 * p2r + (2 / 3) * c4 * p4r - 2 * shift * pi + (4 / 3) * c3 * p3i
        im = 2 * q * reff + pha - 2 * s2 * p2i + (2 / 3) * c4 * p4i + 2 * shift * pr - (4 / 3) * c3 * p3r
        size = _exp(re) * iq * over
        sine, cosine = _sincos(im)
        ur, ui = size * cosine, size * sine
        zr, zi = ur * amp, ui * amp
        # d(exponent)/dq = -2 R p'' ' - 4 p p' (s2 - 2 p^2 c4 / 3) + i (2 R + pha' + 2 p' (shift - 2 p^2 c3))
        br, bi = s2 - (4 / 6) * 2 * c4 * p2r, -(4 / 6) * 2 * c4 * p2i
        gr, gi = pr * br - pi * bi, pr * bi + pi * br
        hr, hi = shift - 2 * c3 * p2r, -2 * c3 * p2i
        er = -2 * reff * pi1 - 4 * (pr1 * gr - pi1 * gi) - 2 * (pr1 * hi + pi1 * hr)
        ei = 2 * reff + pha1 - 4 * (pr1 * gi + pi1 * gr) + 2 * (pr1 * hr - pi1 * hi)
        by_q = ui * (amp1 - amp * iq) + zr * ei + zi * er
        out[0, j] = zi
        out[1, j] = a * by_q * (-0.5 * ETOK * abs(iq))
        # Im z (2 i p - 2 / (R + d)); Im z (-2 p^2 - 4 i p / R); Im z (-4/3 i p^3); Im z (2/3 p^4)
        out[2, j] = a * (2 * (zr * pr - zi * pi) - per_length * zi)
        out[3, j] = a * (-2 * (zr * p2i + zi * p2r) - per_reff * (zr * pr - zi * pi))
        out[4, j] = a * (-4 / 3) * (zr * p3r - zi * p3i)
        out[5, j] = a * (2 / 3) * (zr * p4i + zi * p4r)


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
    return abs(a), (1.0 if a > 0 else -1.0 if a < 0 else 0.0)


@njit(cache=True, nogil=True)
def _run(ops, args, first, target, slots, slopes, values, grads, stack, dstack, nd):
    """Run all programs: slots (ns,) and their slopes (ns, nd) in, path values (np * 6,) and slopes out."""
    ns = slots.shape[0]
    for i in range(target.shape[0]):
        top = 0
        for at in range(first[i], first[i + 1]):
            op = ops[at]
            if op == CONST:
                stack[top] = args[at]
                dstack[top, :nd] = 0.0
                top += 1
            elif op == NAME:
                slot = int(args[at])
                stack[top] = slots[slot]
                for d in range(nd):
                    dstack[top, d] = slopes[slot, d]
                top += 1
            elif op == ADD or op == SUB or op == MUL or op == DIV or op == POW or op == MIN or op == MAX:
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
            slopes[t, :nd] = dstack[0, :nd]
        else:
            values[t - ns] = stack[0]
            grads[t - ns, :nd] = dstack[0, :nd]
