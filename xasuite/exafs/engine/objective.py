"""What feffit minimises, as matrices: everything that depends on the ranges and not on the spectrum.

The residual of a spectrum is A_w (chi - model) / epsilon_R,w for each k weight w, with A_w the window and the
transform to R (or q, or the plain k weight). A_w enters through |A_w x| alone, so its singular vectors of
non-zero size, B_w = S V', give the same chi-square from some 40 rows in place of 100-150.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...errors import FitError, RangeError
from ...records import Array
from ...reduce.window import ft_window
from ..fourier_transform import NFFT
from ..model import FitRange

# R between which chi(R) holds no structure and gives the noise, A (Larch's estimate_noise)
NOISE_R = (15.0, 30.0)
# singular values below this part of the largest change chi-square by less than its rounding
_RANK = 1e-9


@dataclass(frozen=True, eq=False)
class Objective:
    """The objective of one FitRange on one k grid.

    `model_matrix` (nr, nk) acts on the model at `k` (nk,), `data_matrix` (nr, nk_all) on the data; row j of
    both belongs to k weight number `weight_of_row[j]`. `noise_matrix` gives per k weight the chi(R) that the
    noise is taken from, reduced likewise. `n_residual` is the length of feffit's residual, to which it scales chi-square.
    """

    k: Array
    model_matrix: Array
    data_matrix: Array
    weight_of_row: Array
    noise_matrix: tuple[Array, ...]
    epsilon_scale: Array
    n_residual: int
    n_idp: float
    ranges: FitRange
    spline: Array | None = None
    plain: Objective | None = None

    @property
    def n_background(self) -> int:
        """How many coefficients of a background are refined with the fit."""
        return 0 if self.spline is None else self.spline.shape[1]

    def projected(self, weights: Array) -> Objective:
        """The objective with the background at its best for any model: its columns cut out of both matrices.

        `weights` (n_weights,) are those of squared residuals. `plain` is this objective.
        """
        if self.spline is None:
            return self
        root = np.sqrt(weights)[self.weight_of_row][:, None]
        basis = np.linalg.qr(root * self.spline)[0]

        def cut(matrix: Array) -> Array:
            return np.asarray(matrix - basis @ (basis.T @ (root * matrix)) / root)

        seen, data = cut(self.model_matrix), cut(self.data_matrix)
        return replace(self, model_matrix=seen, data_matrix=data, plain=self)

    def coefficients(self, left: Array, weights: Array) -> Array:
        """Those of the background (n,) that fit best what a model leaves (nr,) of the data."""
        assert self.spline is not None
        root = np.sqrt(weights)[self.weight_of_row]
        return np.asarray(np.linalg.lstsq(root[:, None] * self.spline, root * left, rcond=None)[0])

    @property
    def n_weights(self) -> int:
        """How many k weights are fitted at once."""
        return len(self.noise_matrix)

    def reduce(self, chi: Array) -> Array:
        """Data (m, nr) in the objective's own coordinates, from chi (m, nk_all)."""
        return _seen(chi, self.data_matrix)

    def noise(self, chi: Array) -> Array:
        """epsilon_k (m, n_weights) from chi(R) at 15-30 A, one for each k weight, as Larch estimates it."""
        out = np.empty((chi.shape[0], self.n_weights))
        for w, matrix in enumerate(self.noise_matrix):
            high = _seen(chi, matrix)
            out[:, w] = np.sqrt(np.einsum("ij,ij->i", high, high)) * self.epsilon_scale[w]
        return out

    def noise_of(self, chi: Array, given: float | Array | None) -> Array:
        """epsilon_k (m, n_weights): `given` for every k weight, or estimated where it is None. Raises FitError."""
        if given is None:
            # noiseless data have an epsilon of rounding errors, or none: any weight gives the same fit
            return np.maximum(self.noise(chi), 1e-300)
        one = np.broadcast_to(np.asarray(given, float), len(chi))
        if not (one > 0).all():
            raise FitError("epsilon_k must be positive; leave it out to have it estimated")
        return np.repeat(one[:, None], self.n_weights, axis=1)

    def mean_noise(self, errors: Array) -> Array:
        """One epsilon_k (..., n_weights) for each k weight w from that of each point, `errors` (..., nk_all).

        The root mean square over the k range with weights k^2w, which is what chi(R) keeps of it.
        """
        grid = np.arange(errors.shape[-1]) * (self.k[1] - self.k[0])
        inside = (grid >= self.ranges.k[0] - 1e-9) & (grid <= self.ranges.k[1] + 1e-9)
        weight = np.stack([grid[inside] ** (2 * w) for w in self.ranges.kweight])
        return np.asarray(np.sqrt(errors[..., inside] ** 2 @ (weight / weight.sum(axis=1, keepdims=True)).T))

    def weights(self, epsilon_k: Array, given: bool) -> Array:
        """1 / epsilon^2 (m, n_weights) that squared residuals are multiplied with.

        In k space feffit divides by epsilon_k, which `_larch` raises by sqrt(2) when it was given
        (docs/decisions/noise.md); in R and q space by epsilon_R, the same for both.
        """
        if self.ranges.space == "k":
            return 1 / (epsilon_k**2 * (2.0 if given else 1.0))
        return (self.epsilon_scale / epsilon_k) ** 2


def _seen(chi: Array, matrix: Array) -> Array:
    """chi (m, nk_all) times a matrix (n, nk_all), without the points at either end that it does not weigh."""
    used = np.flatnonzero(matrix.any(axis=0))
    inside = slice(int(used[0]), int(used[-1]) + 1)
    return np.asarray(chi[:, inside] @ matrix[:, inside].T)


def build(k: Array, ranges: FitRange, errors: Array | None = None) -> Objective:
    """The objective of `ranges` on the k grid (nk_all,), which runs from 0 in equal steps.

    `errors` (nk_all,) is the noise of each point where it is known. In k space every residual is divided by its own, as
    feffit does; in R and q space one number stands for all (`mean_noise`). Raises RangeError when kmax lies beyond the grid.
    """
    own = errors.tobytes() if errors is not None and ranges.space == "k" else b""
    if not ranges.background:
        return _build(k.tobytes(), ranges, own)
    if ranges.space != "r":
        raise FitError(
            f'background = true: the background is refined in R space, not in space = "{ranges.space}"'
        )
    made = _with_background(k.tobytes(), ranges)
    return made.projected(np.ones(1)) if made.n_weights == 1 else made


@lru_cache(maxsize=16)
def _with_background(k_bytes: bytes, ranges: FitRange) -> Objective:
    """The objective from R = 0 on, with the columns of the background's spline: as feffit's refine_bkg has it."""
    k = np.frombuffer(k_bytes)
    rstep = math.pi / (float(k[1] - k[0]) * NFFT)
    made = _build(k_bytes, replace(ranges, r=(rstep, ranges.r[1]), background=False), b"")
    spline = made.data_matrix @ background_basis(k, ranges)
    return replace(made, spline=spline, ranges=ranges, n_idp=ranges.n_idp)


def background_basis(k: Array, ranges: FitRange) -> Array:
    """Cubic B-splines (nk, n) with a knot about every pi / (2 r[0]) of k, for what lies below r[0] (feffit's refine_bkg)."""
    from scipy.interpolate import BSpline

    low, high = ranges.k
    n = 1 + round(2 * ranges.r[0] * (high - low) / math.pi)
    if n < 4:
        raise FitError(
            f"background = true: below r = {ranges.r[0]:g} A there is room for {n} spline coefficients over k = "
            f"[{low:g}, {high:g}]; a cubic spline needs 4: raise r or widen k"
        )
    at = np.linspace(low, high, n)
    knots = np.concatenate([[low] * 4, at[2:-2], [high] * 4])
    return np.asarray(BSpline(knots, np.eye(n), 3, extrapolate=True)(k))


@lru_cache(maxsize=16)
def _build(k_bytes: bytes, ranges: FitRange, errors: bytes) -> Objective:
    k = np.frombuffer(k_bytes)
    step = float(k[1] - k[0])
    if ranges.k[1] > k[-1] + step * (1 + 1e-6):  # a rounded end, 18.06 for data to 18.0599, is the data's end
        raise RangeError(
            f"k = [{ranges.k[0]:g}, {ranges.k[1]:g}] 1/A goes beyond the data, which end at {k[-1]:.2f} 1/A; "
            f"set kmax to {math.floor(k[-1] * 10) / 10:g} or less"
        )
    long_k = step * np.arange(NFFT, dtype=float)
    window = ft_window(long_k, ranges.k, dx=ranges.dk, dx2=ranges.dk2, kind=ranges.window)
    low, high = _part(ranges, step)
    turns = np.outer(np.arange(low, high), np.arange(k.size)) % NFFT
    phases = np.exp(-2j * np.pi / NFFT * np.arange(NFFT))[turns]
    basis = _noise_basis(k.size, step)
    parts, noise, lengths = [], [], []
    for weight in ranges.kweight:
        weighted = (window * long_k**weight)[: k.size] * (step / math.sqrt(math.pi))
        parts.append(_rows(phases * weighted, k, weight, ranges, step))
        if not parts[-1].size:
            raise RangeError(
                f"k = [{ranges.k[0]:g}, {ranges.k[1]:g}] 1/A and r = [{ranges.r[0]:g}, {ranges.r[1]:g}] A hold no point to "
                "fit; widen them"
            )
        noise.append(basis * (weighted * (ranges.k[1] - ranges.k[0]) / (window.sum() * step)))
        lengths.append(len(parts[-1]))
    used = np.zeros(k.size, bool)
    for part in parts:
        used |= np.abs(part).max(axis=0) > 0
    reduced = [part if ranges.space == "k" else _reduced(part) for part in parts]
    data_matrix = np.vstack(reduced)
    model_matrix = data_matrix.copy()
    if used[0]:
        # Larch puts the line through the second and third point in place of the model at k = 0
        model_matrix[:, 1] += 2 * model_matrix[:, 0]
        model_matrix[:, 2] -= model_matrix[:, 0]
        model_matrix[:, 0] = 0
        used[:3] = [False, True, True]
    odd = [2 * w + 1 for w in ranges.kweight]
    scale = [math.sqrt(2 * math.pi * w / (step * (ranges.k[1] ** w - ranges.k[0] ** w))) for w in odd]
    made = Objective(
        k=np.ascontiguousarray(k[used]),
        model_matrix=np.ascontiguousarray(model_matrix[:, used]),
        data_matrix=data_matrix,
        weight_of_row=np.repeat(np.arange(len(reduced)), [len(r) for r in reduced]),
        noise_matrix=tuple(noise),
        epsilon_scale=np.array(scale),
        n_residual=sum(lengths),
        n_idp=ranges.n_idp,
        ranges=ranges,
    )
    return _by_point(made, np.frombuffer(errors)) if errors else made


def _by_point(goal: Objective, errors: Array) -> Objective:
    """The objective in k space with every residual divided by its own noise over the mean of its k weight."""
    mean = goal.mean_noise(errors)
    rows = np.arange(errors.size)[_points(goal.ranges, goal.k[1] - goal.k[0])]
    scale = np.concatenate([m / errors[rows] for m in mean])[:, None]
    seen, data = goal.model_matrix * scale, goal.data_matrix * scale
    return replace(goal, model_matrix=seen, data_matrix=data)


def _points(ranges: FitRange, step: float) -> slice:
    """The points of k or q that feffit takes."""
    low, high = (0.01 + end / step for end in ranges.k)
    return slice(int(max(0, low)), int(min(NFFT / 2, high)))


def _part(ranges: FitRange, step: float) -> tuple[int, int]:
    """The points of chi(R) that the residual is made of: those in the range in R space, else all."""
    if ranges.space != "r":
        return 0, 0 if ranges.space == "k" else NFFT // 2
    rstep = math.pi / (step * NFFT)
    low, high = (int(min(NFFT / 2, max(0, 0.01 + r / rstep))) for r in ranges.r)
    return low, high


def _rows(part: Array, k: Array, weight: int, ranges: FitRange, step: float) -> Array:
    """feffit's residual of one k weight as a real matrix (n, nk) on chi(k), before the division by epsilon.

    `part` (n R, nk) is the transform to the R that `_part` names.
    """
    if ranges.space == "r":
        return np.vstack([part.real, part.imag])
    q_range = _points(ranges, step)
    if ranges.space == "k":
        return np.diag(k**weight)[q_range]
    window = ft_window(
        math.pi / (step * NFFT) * np.arange(NFFT, dtype=float), ranges.r, dx=ranges.dr, kind=ranges.rwindow
    )
    back = np.fft.ifft(part * window[: NFFT // 2, None], NFFT, axis=0)[q_range]
    # half of (real, imaginary) pairs: Larch keeps every second value, which is the real part
    return 4 * math.sqrt(math.pi) / step * back.real


@lru_cache(maxsize=8)
def _noise_basis(nk: int, step: float) -> Array:
    """A matrix (n, nk) whose product with weighted chi(k) has the root mean square of chi(R) at 15-30 A as its length.

    The sum over R of the products of two phases depends on the distance of the two points alone.
    """
    rstep = math.pi / (step * NFFT)
    at = np.arange(int(0.01 + NOISE_R[0] / rstep), int(min(NFFT // 2, 1.01 + NOISE_R[1] / rstep)))
    by_distance = np.cos(2 * np.pi / NFFT * np.outer(np.arange(nk), at)).sum(axis=1)
    points = np.arange(nk)
    size2, axes = np.linalg.eigh(by_distance[np.abs(points[:, None] - points)])
    keep = size2 > _RANK**1.5 * size2[-1]
    return np.asarray(np.sqrt(size2[keep] / (2 * len(at)))[:, None] * axes[:, keep].T)


def _reduced(rows: Array) -> Array:
    _, size, right = np.linalg.svd(rows, full_matrices=False)
    keep = size > _RANK * size[0]
    return np.asarray(size[keep, None] * right[keep])
