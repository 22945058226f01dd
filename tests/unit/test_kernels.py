"""The compiled sums of f-divergences against the general path and mpmath, and what they leave alone."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import divergences as dv
from divergences import _parallel
from divergences.f_divergences import _fused
from divergences.f_divergences._fused import row_costs
from tests.laws.f_divergence_laws import oracle_error
from tests.strategies import simplex_grid

ENTRIES = {
    "kl": dv.kl,
    "jeffreys": dv.jeffreys,
    "weighted_js": dv.js,
    "total_variation": dv.total_variation,
    "pearson": dv.pearson,
    "squared_hellinger": dv.squared_hellinger,
    "le_cam": dv.le_cam,
}


def rows(seed=0, n=60, k=50):
    """Pairs of vectors that are far apart, close, equal, and with zeros."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.3), n)
    q = rng.dirichlet(np.full(k, 0.3), n)
    for i, relative in enumerate([0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.3]):
        q[i] = p[i] * (1 + relative * rng.uniform(-1, 1, k))
    p[10:20, :5] = 0
    q[15:25, 3:8] = 0
    p, q = (np.where(m < 1e-200, 0, m) for m in (p, q))
    return p / p.sum(-1, keepdims=True), q / q.sum(-1, keepdims=True)


@pytest.mark.parametrize("kind", ENTRIES)
def test_kernel_equals_mpmath(kind):
    """Within 1e-13 of the sum of absolute terms, on zeros, near-equality and the grid of the laws."""
    p, q = rows()
    costs = row_costs(kind, p, q)
    name = "js" if kind == "weighted_js" else kind
    assert not np.isnan(costs).any()
    assert max(oracle_error(name, *row) for row in zip(costs, p, q, strict=True)) <= 1e-13
    p, q = (side[::5] for side in simplex_grid())
    costs = row_costs(kind, p, q)
    fit = ~np.isnan(costs)
    assert max(oracle_error(name, *row) for row in zip(costs[fit], p[fit], q[fit], strict=True)) <= 1e-13


@pytest.mark.parametrize("weight", [0.3, 0.5, 1e-9, 1 - 1e-9, 2.0**-49])
def test_weighted_kernel_equals_the_general_path(weight):
    """The kernel of weighted_js serves every weight that weighted_js hands to it."""
    p, q = rows(1)
    general = dv.weighted_js(weight).contributions(p, q).sum(-1)
    np.testing.assert_allclose(row_costs("weighted_js", p, q, weight=weight), general, rtol=1e-13, atol=0)


@pytest.mark.parametrize("kind", ENTRIES)
def test_kernel_on_the_grid_is_never_negative_and_leaves_alone_what_is_tiny(kind):
    """NaN exactly where a mass is positive and below 2^-900; else >= 0, and 0 at equality."""
    p, q = simplex_grid()
    costs = row_costs(kind, p, q)
    tiny = ((p > 0) & (p < 2.0**-900) | (q > 0) & (q < 2.0**-900)).any(-1)
    off = (abs(p.sum(-1) - 1) > 3 * 2.0**-52) | (abs(q.sum(-1) - 1) > 3 * 2.0**-52)
    np.testing.assert_array_equal(np.isnan(costs), tiny | off)
    assert (costs[~np.isnan(costs)] >= 0).all()
    assert (row_costs(kind, p, p)[~(tiny | off) & (p == q).all(-1)] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, -1e-300, -0.1, np.inf, 5e-324, 1.5, 3.0])
def test_kernel_leaves_bad_rows_alone(bad):
    """NaN for the rows with a bad atom on either side, the right value beside them."""
    p, q = rows(2)
    expected = row_costs("kl", p, q)
    for side in (p, q):
        changed = side.copy()
        changed[7, 30] = bad
        costs = row_costs("kl", changed if side is p else p, changed if side is q else q)
        np.testing.assert_array_equal(np.isnan(costs), np.arange(len(p)) == 7)
        np.testing.assert_array_equal(np.delete(costs, 7), np.delete(expected, 7))


@pytest.mark.parametrize("k", [1, 2, 7, 1023, 1024, 1025, 3000, 2 * _fused.BLOCK + 77])
def test_rows_of_every_length(k):
    """Rows that share a tile, fill it, take several tiles, and several blocks."""
    rng = np.random.default_rng(k)
    n = max(2, 5000 // k)
    p, q = rng.dirichlet(np.ones(k), (2, n))
    costs = row_costs("kl", p, q)
    general = dv.kl.contributions(p, q).sum(-1)
    np.testing.assert_allclose(costs, general, rtol=1e-13, atol=0)
    p[-1, -1] = np.nan
    assert np.isnan(row_costs("kl", p, q)[-1])
    assert not np.isnan(row_costs("kl", p, q)[:-1]).any()


def test_same_bits_with_any_number_of_threads(monkeypatch):
    """The blocks, and so the rounding, are those of the problem."""
    p, q = np.random.default_rng(3).dirichlet(np.ones(40_000), (2, 12))
    values = []
    for threads in (1, 2, 3, 8):
        monkeypatch.setattr(_parallel, "thread_count", lambda threads=threads: threads)
        values.append([row_costs(kind, p, q) for kind in ENTRIES])
        values[-1].append(row_costs("kl", p.reshape(1, -1) / 12, q.reshape(1, -1) / 12))
    for other in values[1:]:
        assert all((a == b).all() for a, b in zip(values[0], other, strict=True))


def layouts(p):
    """The same numbers lying otherwise in memory."""
    yield "Fortran", np.asfortranarray(p)
    yield "reversed", p[::-1, ::-1].copy()[::-1, ::-1]
    yield "strided", np.repeat(np.repeat(p, 2, 0), 3, 1)[::2, ::3]
    yield "byte-swapped", p.astype(">f8")
    frozen = p.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    raw = np.empty(p.nbytes + 1, np.uint8)
    shifted = raw[1:].view(np.float64).reshape(p.shape)
    shifted[:] = p
    yield "unaligned", shifted


@pytest.mark.parametrize("layout", range(6))
def test_every_layout_gives_the_same_bits(layout):
    """How the numbers lie in memory does not matter, and they are not changed."""
    p, q = rows(4, n=100, k=1500)
    name, other = list(layouts(p))[layout]
    before = other.copy()
    np.testing.assert_array_equal(row_costs("kl", other, q), row_costs("kl", p, q), err_msg=name)
    np.testing.assert_array_equal(row_costs("kl", q, other), row_costs("kl", q, p), err_msg=name)
    np.testing.assert_array_equal(other, before)


@pytest.mark.parametrize("shapes", [((5, 1), (1, 7)), ((1,), (9,)), ((), (4,)), ((4,), ()), ((), ()), ((2, 3), (3,))])
def test_leading_axes_broadcast(shapes):
    """As NumPy broadcasts, without a copy of the whole."""
    rng = np.random.default_rng(5)
    p, q = (rng.dirichlet(np.ones(300), shape) for shape in shapes)
    whole = np.broadcast_arrays(p, q)
    np.testing.assert_array_equal(row_costs("kl", p, q), row_costs("kl", *map(np.ascontiguousarray, whole)))
    assert row_costs("kl", p, q).shape == np.broadcast_shapes(*shapes)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("= 2 / 3, 2 / 5", "= 2 / 3 + 1e-10, 2 / 5"),
        ("0.0 if k == 0 else (d - near)", "0.0 if k == 0 else d"),
        ("s * (near - p * r)", "(near - p * (s * (2.0 + r)))"),
    ],
)
def test_a_planted_error_is_noticed(right, wrong, tmp_path):
    """The comparison with mpmath rejects a wrong coefficient, a lost difference and a wrong sign."""
    from divergences import _compiler
    from divergences.f_divergences import _kernels

    source = Path(_kernels.__file__).read_text(encoding="utf-8")
    assert source.count(right) == 1
    path = tmp_path / "planted.py"
    path.write_text(source.replace(right, wrong), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("planted", path)
    assert spec is not None
    assert spec.loader is not None
    planted = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(planted)
    _compiler.KERNELS.pop()
    p, q = rows()
    sums = np.empty((len(p), 3))
    planted.row_sums(_kernels.KL, 0.5, p, q, sums)
    assert max(oracle_error("kl", *row) for row in zip(sums[:, 0], p, q, strict=True)) > 1e-13
