"""Rows, joining and tables of records follow from the axes that their fields declare."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from xasuite.errors import DataError
from xasuite.records import (
    Chi,
    Normalized,
    Scan,
    Series,
    Spectrum,
    Transform,
    Wavelet,
    concat,
    same_axes,
)

N = 5


def stack(m: int = 3, n: int = N, **more: object) -> Spectrum:
    """Rows that hold their own number: a wrong cut is seen at once."""
    return Spectrum(
        energy=np.arange(n) + 7000.0, mu=np.arange(m)[:, None] + np.linspace(0, 0.5, n), label="x", **more
    )  # type: ignore[arg-type]


def series(data: Spectrum) -> Series:
    m = len(data.mu)
    table = pd.DataFrame({"label": [f"scan {i}" for i in range(m)], "time": np.arange(m) * 60.0})
    return Series(data, table, ("ok",) * m, ("",) * m, label="run")


def test_a_shared_reference_stays_whole_when_there_are_as_many_rows_as_points() -> None:
    """The rows of a square stack were guessed from the shape: a shared reference (n,) became one number."""
    reference = np.linspace(1, 2, N)
    row = series(stack(m=N, reference=reference)).row(2)
    np.testing.assert_array_equal(row.reference, reference)
    np.testing.assert_array_equal(row.mu, 2 + np.linspace(0, 0.5, N))
    assert row.label == "scan 2"


def test_take() -> None:
    made = Normalized(
        energy=np.arange(N) + 7000.0, mu=np.arange(4)[:, None] * np.ones(N), norm=np.arange(4)[:, None] * np.ones(N),
        e0=np.arange(4.0), edge_step=np.array(2.0), reference=np.ones(N),
    )  # fmt: skip
    for rows in (slice(1, 3), [1, 2], np.array([1, 2]), np.array([False, True, True, False])):
        some = made.take(rows)
        np.testing.assert_array_equal(some.mu[:, 0], [1, 2])
        np.testing.assert_array_equal(some.norm[:, 0], [1, 2])
        np.testing.assert_array_equal(some.e0, [1, 2])
        assert some.edge_step == 2.0
        assert some.reference is not None
        assert some.reference.shape == (N,)
        assert not some.mu.flags.writeable
    one = made.take(3)
    assert (one.lead, one.mu.shape, float(one.e0)) == ((), (N,), 3.0)
    with pytest.raises(DataError, match="single record and has no rows"):
        one.take(0)


def test_rows_of_several_axes() -> None:
    made = replace(stack(), mu=np.arange(6.0).reshape(2, 3)[..., None] * np.ones(N))
    assert made.lead == (2, 3)
    assert [float(r.mu[0]) for r in made.rows()] == [0, 1, 2, 3, 4, 5]
    assert [r.label for r in made.rows()][:4] == ["x[0, 0]", "x[0, 1]", "x[0, 2]", "x[1, 0]"]
    np.testing.assert_array_equal(made.map(lambda r: r.mu[0]), np.arange(6.0).reshape(2, 3))


def test_concat_is_the_inverse_of_rows() -> None:
    made = stack(m=4, mu_err=np.arange(4)[:, None] * np.ones(N), reference=np.ones(N))
    parts = [made.take(slice(0, 1)), made.take(slice(1, 4))]
    again = concat(parts)
    np.testing.assert_array_equal(again.mu, made.mu)
    np.testing.assert_array_equal(again.mu_err, made.mu_err)
    np.testing.assert_array_equal(again.reference, made.reference)  # shared, and still shared
    singles = concat(list(made.rows()))
    np.testing.assert_array_equal(singles.mu, made.mu)
    assert singles.reference is not None
    assert singles.reference.shape == (4, N)
    with pytest.raises(DataError, match="types or axes differ"):
        concat([made, stack(n=N + 1)])
    with pytest.raises(DataError, match="no record to join"):
        concat([])
    assert same_axes(made, singles)


def test_spread_leaves_nan() -> None:
    out = stack(m=2).spread(np.array([0, 3]), 4)
    np.testing.assert_array_equal(np.isfinite(out.mu).all(axis=1), [True, False, False, True])
    np.testing.assert_array_equal(out.mu[3], stack(m=2).mu[1])


def test_series_take_and_concat() -> None:
    whole = series(stack(m=4))
    some = whole.take(np.array([3, 1]))
    assert (len(some), list(some.table["label"]), some.status) == (2, ["scan 3", "scan 1"], ("ok", "ok"))
    np.testing.assert_array_equal(some.data.mu[:, 0], [3, 1])
    again = concat([whole.take(slice(0, 2)), whole.take(slice(2, 4))])
    np.testing.assert_array_equal(again.data.mu, whole.data.mu)
    assert list(again.table["time"]) == list(whole.table["time"])


def test_fields_must_agree_along_their_axes() -> None:
    with pytest.raises(DataError, match="mu_err has 4 points along energy, energy has 5"):
        stack(mu_err=np.ones(4))
    with pytest.raises(DataError, match="chi has 9 points along k, k has 10"):
        Chi(k=np.arange(10.0), chi=np.zeros(9), e0=0.0, edge_step=1.0)
    with pytest.raises(DataError, match="i0 has 3 points along energy"):
        Scan(energy=np.arange(4.0), channels={"i0": np.ones(3)})
    with pytest.raises(DataError, match="norm has 2 points along row, mu has 3"):
        Normalized(energy=np.arange(N) + 0.0, mu=np.ones((3, N)), norm=np.ones((2, N)))


def test_to_dataframe() -> None:
    frame = stack(reference=np.arange(N) * 2.0).to_dataframe()
    assert list(frame) == ["row", "energy", "mu", "reference"]
    assert len(frame) == 3 * N
    chosen = frame[frame["row"] == 2]
    np.testing.assert_array_equal(chosen["mu"], stack().mu[2])
    np.testing.assert_array_equal(chosen["reference"], np.arange(N) * 2.0)
    single = next(stack(m=1).rows()).to_dataframe()
    assert list(single) == ["energy", "mu"]
    chi = Chi(k=np.arange(3.0), chi=np.zeros(3), e0=0.0, edge_step=1.0, energy=np.arange(4.0), bkg=np.ones(4))
    assert list(chi.to_dataframe()) == ["k", "chi"]
    assert list(chi.to_dataframe("bkg")) == ["energy", "bkg"]
    with pytest.raises(DataError, match="no sampled field 'e0'"):
        chi.to_dataframe("e0")
    table = series(stack()).to_dataframe()
    assert list(table) == ["label", "time", "status", "reason"]


def test_to_dataframe_of_two_axes() -> None:
    wt = np.arange(6).reshape(2, 3) * 1j
    frame = Wavelet(
        k=np.arange(3.0), r=np.arange(2.0), wt=wt, kind="morlet", kweight=2, chik=np.arange(3.0)
    ).to_dataframe("wt")
    assert list(frame) == ["k", "r", "wt", "chik"]
    np.testing.assert_array_equal(frame["wt"], wt.ravel())
    np.testing.assert_array_equal(frame["chik"], np.tile(np.arange(3.0), 2))


def test_to_xarray() -> None:
    pytest.importorskip("xarray")
    made = stack(reference=np.ones(N)).to_xarray()
    assert made["mu"].dims == ("row", "energy")
    assert made["reference"].dims == ("energy",)
    np.testing.assert_array_equal(made.sel(energy=7002.0)["mu"], stack().mu[:, 2])
    assert made.attrs["label"] == "x"
    assert series(stack()).to_xarray()["time"].dims == ("row",)


def test_repr_is_short() -> None:
    big = Spectrum(
        energy=np.linspace(7600, 8700, 5000), mu=np.ones((400, 5000)), element="Co", edge="K", label="film"
    )
    assert repr(big) == "Spectrum('film': Co K; 400 rows, energy 5000 from 7600 to 8700; mu)"
    assert len(repr([big] * 3)) < 250
    assert "400 rows, 400 ok, of Spectrum('film'" in repr(series(big))
    t = Transform(
        r=np.arange(3.0),
        chir=np.ones(3) * 1j,
        kweight=2,
        k=np.arange(4.0),
        window=np.ones(4),
        chik=np.ones(4),
    )
    assert repr(t).startswith("Transform(r 3 from 0 to 2, k 4 from 0 to 3; chir, window, chik)")


def test_pickled_records_are_still_frozen() -> None:
    scan = pickle.loads(pickle.dumps(Scan(energy=np.arange(4.0), channels={"i0": np.ones(4)})))
    assert not scan.channels["i0"].flags.writeable
    with pytest.raises(TypeError):
        scan.channels["i0"] = np.zeros(4)
