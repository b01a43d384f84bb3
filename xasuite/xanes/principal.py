"""Principal components: scree, Malinowski's error functions, and target tests with SPOIL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ComponentError
from ..records import Array, Normalized, Series
from ..records.quantities import Quantity
from ..records.table import Presented, Table
from .matrix import matrix

SPOIL_GOOD, SPOIL_FAIR = 3.0, 6.0  # Malinowski's rule for target tests


@dataclass(frozen=True, eq=False)
class PCA(Presented):
    """Abstract components (c, n) of m spectra, c = min(m, n), with singular values and Malinowski's functions.

    `re` (c - 1,) is the real error, `ind` the indicator function, `f_p` the p value of Malinowski's F test
    that the next eigenvalue is no larger than the pool of those after it. The spectra are not centred.
    """

    energy: Array
    data: Array
    labels: tuple[str, ...]
    singular: Array
    components: Array
    scores: Array
    re: Array
    ind: Array
    f_p: Array

    @property
    def n_ind(self) -> int:
        """Number of components at which IND is least."""
        return int(np.argmin(self.ind)) + 1

    @property
    def n_f(self) -> int:
        """Number of components significant at 5 % by the F test, counted until the first that is not."""
        misses = np.flatnonzero(self.f_p > 0.05)
        return int(misses[0]) if misses.size else self.f_p.size

    @property
    def explained(self) -> Array:
        """Share of the total variance (about zero) that each component takes, (c,)."""
        return self.singular**2 / np.sum(self.singular**2)

    def summary(self, most: int = 12) -> Table:
        """One row per component: eigenvalue, share, RE, IND, p of the F test."""
        n = min(most, self.re.size)
        columns = (
            "component", Quantity("eigenvalue", "Eigenvalue"), Quantity("explained", "Explained", form=".2%"),
            Quantity("RE", form=".3g"), Quantity("IND", form=".3g"), "p_value",
        )  # fmt: skip
        rows = zip(
            range(1, n + 1), self.singular[:n] ** 2, self.explained[:n], self.re[:n], self.ind[:n], self.f_p[:n],
            strict=True,
        )  # fmt: skip
        facts = (
            ("IND is least at", f"{self.n_ind} component{'s' * (self.n_ind != 1)}"),
            ("F test at 5 %", f"{self.n_f} significant"),
        )
        return Table.of("Principal components", columns, rows, facts=facts)


@dataclass(frozen=True, eq=False)
class Target:
    """A target test: the reference `target` (n,), its best fit `made` by the components, SPOIL, R factor and verdict."""

    name: str
    spoil: float
    rfactor: float
    verdict: str
    target: Array
    made: Array


def pca(
    records: Normalized | Series | Sequence[Normalized],
    *,
    energy_range: tuple[float, float] | None = None,
    array: str = "norm",
) -> PCA:
    """Principal components of normalised spectra (m of them), by singular value decomposition, not centred.

    RE = sqrt(sum of the eigenvalues left / (r (c - k))), IND = RE / (c - k)^2 with r the larger and c the smaller of points and spectra (Malinowski,
    Anal. Chem. 49, 612 (1977)). The F test compares the next reduced eigenvalue with the pool of those after it.

    Parameters
    ----------
    records : Normalized, Series or sequence of Normalized
        Three spectra or more.
    energy_range : tuple of float, optional
        Range in eV, absolute.
    array : str
        "norm" or "flat".

    Returns
    -------
    PCA
        Components, singular values, and Malinowski's functions.

    Raises
    ------
    ComponentError
        Fewer than three spectra.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 1.0)
    >>> def mix(x):
    ...     mu = sum(w * (0.5 + np.arctan((energy - e) / 1.5) / np.pi) for w, e in ((x, 7708), (1 - x, 7712)))
    ...     return xs.normalize(xs.Spectrum(energy, mu, "Co", "K"), e0=7710.0, norm_range=(80, 280))
    >>> found = pca([mix(x) for x in (0.0, 0.3, 0.6, 1.0)])
    >>> bool(found.explained[:2].sum() > 0.999999)
    True
    """
    m = matrix(records, energy_range=energy_range, array=array)
    if len(m.rows) < 3:
        raise ComponentError(
            f"{len(m.rows)} spectra are too few for principal components; give three or more"
        )
    u, s, v = np.linalg.svd(m.rows, full_matrices=False)
    r, c = max(m.rows.shape), min(m.rows.shape)
    k = np.arange(1, c)
    left = np.cumsum((s**2)[::-1])[::-1]
    re = np.sqrt(left[1:] / (r * (c - k)))
    return PCA(m.energy, m.rows, m.labels, s, v, u * s, re, re / (c - k) ** 2, _f_test(s**2, r, c))


def _f_test(eigen: Array, r: int, c: int) -> Array:
    from scipy.stats import f as fisher

    weights = (r - np.arange(c)) * (c - np.arange(c))
    out = np.empty(c - 1)
    for k in range(c - 1):
        pool = eigen[k + 1 :].sum() / weights[k + 1 :].sum()
        out[k] = fisher.sf(eigen[k] / weights[k] / pool, 1, c - k - 1) if pool > 0 else 0.0
    return out


def target_test(
    found: PCA, references: Normalized | Series | Sequence[Normalized], n: int, *, array: str = "norm"
) -> tuple[Target, ...]:
    """Whether each reference lies in the space of the first n components.

    SPOIL = sqrt(AET^2 - REP^2) / REP: below 3 the reference belongs, 3 to 6 it may, above 6 it does not (Malinowski's rule). AET is the apparent
    error of the target, REP = RE |t| the error that the components carry into it.

    Parameters
    ----------
    found : PCA
        The result of `pca`.
    references : Normalized, Series or sequence of Normalized
        The references to test.
    n : int
        Number of components.
    array : str
        "norm" or "flat".

    Returns
    -------
    tuple of Target
        Verdict, SPOIL and R factor of each reference.

    Raises
    ------
    ComponentError
        n leaves no component for the error.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 1.0)
    >>> rng = np.random.default_rng(0)
    >>> def mix(x):
    ...     mu = sum(w * (0.5 + np.arctan((energy - e) / 1.5) / np.pi) for w, e in ((x, 7708), (1 - x, 7712)))
    ...     return xs.normalize(xs.Spectrum(energy, mu + rng.normal(0, 1e-3, energy.size), "Co", "K"), e0=7710.0, norm_range=(80, 280))
    >>> found = pca([mix(x) for x in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)])
    >>> target_test(found, mix(0.5), 2)[0].verdict
    'belongs'
    """
    if not 1 <= n < found.singular.size:
        raise ComponentError(
            f"{n} components of {found.singular.size}; a target test needs at least one left over"
        )
    m = matrix(references, grid=found.energy, array=array)
    factors = found.components[:n] * found.singular[:n, None]
    out = []
    for name, y in zip(m.labels, m.rows, strict=True):
        t = np.linalg.lstsq(factors.T, y, rcond=None)[0]
        made = t @ factors
        aet2 = float(np.sum((y - made) ** 2)) / (y.size - n)
        rep = float(found.re[n - 1]) * float(np.linalg.norm(t))
        spoil = float(np.sqrt(max(aet2 - rep**2, 0.0)) / rep)
        verdict = (
            "belongs" if spoil < SPOIL_GOOD else "may belong" if spoil < SPOIL_FAIR else "does not belong"
        )
        rfactor = float(np.sum((y - made) ** 2) / np.sum(y**2))
        out.append(Target(name, spoil, rfactor, verdict, y, made))
    return tuple(out)
