"""Large arrays through the compiled sums: the same answers, errors and gradients as the general path."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import divergences as dv
from divergences._rows import BLOCK, divide_rows, row_totals
from divergences.errors import DataError, NotNormalizedError
from divergences.f_divergences import _fused

FUSED = {name: d for name, d in dv.CATALOGUE.items() if d.fused is not None}


def general(d):
    """The same entry without its kernel."""
    return replace(d, fused=None)


def pair(n=40, k=4000, seed=0):
    """Two arrays above the size from which kernels are used."""
    assert n * k >= _fused.LARGE
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.7), (2, n))


def test_the_entries_with_a_logarithm_or_a_root_have_a_kernel():
    """Those that people call on large arrays."""
    expected = "kl reverse_kl js weighted_js gan jeffreys total_variation pearson neyman squared_hellinger le_cam"
    assert set(FUSED) == set(expected.split())


@pytest.mark.parametrize("name", FUSED)
def test_same_values_as_the_general_path(name):
    """To rounding, with rows of zeros, of equal vectors, of tiny masses and of sums that ask for rescaling."""
    d = FUSED[name]
    p, q = pair()
    p[0, :10] = 0
    q[1, :10] = 0
    q[2] = p[2]
    p[3, 0] = 1e-300
    q[4, 0] = 5e-324
    p[5, 0], q[5, 0] = 0, 1e-310
    p[:6] /= p[:6].sum(-1, keepdims=True)
    q[:6] /= q[:6].sum(-1, keepdims=True)
    q[2] = p[2]
    q[6] *= 1 + 1e-7
    ours, theirs = d(p, q), general(d)(p, q)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=0)
    assert ours[2] == d.f_at_one
    assert (ours >= d.f_at_one).all()
    np.testing.assert_allclose((2 * d)(p, q), 2 * theirs, rtol=1e-12, atol=0)
    np.testing.assert_allclose(d(3 * p, q, normalize=True), theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FUSED)
def test_long_vectors_and_types(name):
    """One row gives a scalar of the right dtype; float32, integers and torch take the same road."""
    d = FUSED[name]
    p, q = (side[0] for side in pair(1, 200_000))
    value = general(d)(p, q)
    assert isinstance(d(p, q), np.float64)
    np.testing.assert_allclose(d(p, q), value, rtol=1e-12)
    narrow = d(p.astype(np.float32), q.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, general(d)(p.astype(np.float32), q.astype(np.float32)), rtol=3e-7)
    whole = np.zeros(200_000, int)
    whole[7] = 1
    np.testing.assert_allclose(d(whole, q), general(d)(whole, q), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_types_are_rescaled_block_by_block(dtype, monkeypatch):
    """As the general path, one side against many too, without a float64 copy of either; a bad sum is still refused."""
    p, q = (side.astype(dtype) for side in pair(40, 4000 if dtype == np.float32 else 4096))
    if dtype == np.float16:
        p[:], q[:] = 2.0**-12, 2.0**-12
        p[:, 0] *= 3
    for first, second in (
        (p, q),
        (p, q[:1]),
        (p[0], q),
        (p, q.astype(np.float64) / q.sum(-1, keepdims=True, dtype=float)),
    ):
        for name in ("kl", "neyman", "js"):
            found = FUSED[name](first, second)
            assert found.dtype == (np.float64 if second.dtype == np.float64 else dtype)
            np.testing.assert_allclose(found, general(FUSED[name])(first, second), rtol=1e-7)
    with pytest.raises(NotNormalizedError):
        dv.kl(p * dtype(1.02), q)
    monkeypatch.setattr(_fused, "mass_pair", None)
    dv.kl(p, q)


def hard_rows():
    """Rows that are equal, close, with zeros on one side and on both, with tiny masses, and with sums to rescale."""
    p, q = pair(12, 12_000)
    q[0] = p[0]
    q[1] = p[1] * (1 + 1e-9 * np.random.default_rng(1).uniform(-1, 1, 12_000))
    p[2, :9] = q[3, :9] = p[4, :9] = q[4, 5:12] = 0
    p[5, 0] = q[6, 0] = 1e-300
    p[7, 0], q[7, 0] = 0, 5e-324
    p, q = p / p.sum(-1, keepdims=True), q / q.sum(-1, keepdims=True)
    q[0] = p[0]
    q[8] *= 1 + 1e-7
    return p, q


@pytest.mark.parametrize("name", FUSED)
def test_tensors_carry_the_same_gradients(name):
    """The compiled slopes are those of the general path, in every row, times what is asked for; nothing asked is 0."""
    p, q = hard_rows()
    weights = torch.arange(12, dtype=torch.float64) - 5  # row 5, where a slope may be inf, is not asked about
    for d in (FUSED[name], 3 * FUSED[name]):
        results = []
        for entry in (d, general(d)):
            tensors = [torch.tensor(side, requires_grad=True) for side in (p, q)]
            value = entry(*tensors)
            finite = torch.where(torch.isfinite(value), value, 0)
            results.append((value.detach(), *torch.autograd.grad(value, tensors, torch.where(finite == 0, 0, weights))))
            results[-1] += torch.autograd.grad(entry(*tensors), tensors, torch.ones(12, dtype=torch.float64))
        for ours, theirs in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-300)
        assert (results[0][1][5] == 0).all()


def test_both_masses_zero_in_a_wrong_slope_would_be_noticed():
    """The rows above hold atoms with both masses 0, and the slopes there are not the same for all entries."""
    p, q = hard_rows()
    empty = (p == 0) & (q == 0)
    assert empty.any()
    found = set()
    for d in FUSED.values():
        tensors = [torch.tensor(side, requires_grad=True) for side in (p, q)]
        d(*tensors)[4].backward()
        found.add(tuple(t.grad[empty][0].item() for t in tensors if t.grad is not None))
    assert len(found) > 5


def test_gradients_of_other_tensors():
    """Broadcast sides, single vectors, float32, lazy minus signs; a gradient of the gradient takes the general path."""
    p, q = (torch.tensor(side) for side in pair(5, 30_000))
    value = dv.kl(p, q)
    single = dv.kl(p.float(), q.float())
    assert single.dtype == torch.float32
    negated = torch.complex(p, -p).conj().imag  # a lazy minus
    assert negated.is_neg()
    torch.testing.assert_close(dv.kl(negated, q), value, rtol=1e-12, atol=0)
    with pytest.raises(DataError):
        dv.kl(p, q.numpy())
    for ours in (dv.js, dv.neyman):
        for first, second in ((p, q[:1]), (p[:1], q), (p[0].repeat(5), q[0].repeat(5)), (p[:, None], q[:2])):
            sides = [(side / side.sum(-1, keepdim=True)).requires_grad_() for side in (first, second)]
            by_kernel, by_formula = (torch.autograd.grad(d(*sides).sum(), sides) for d in (ours, general(ours)))
            for a, b in zip(by_kernel, by_formula, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)  # sums over rows cancel
    x = torch.log(p).requires_grad_()
    seconds = []
    for d in (dv.kl, general(dv.kl)):
        (slope,) = torch.autograd.grad(d(torch.softmax(x, -1), q).sum(), x, create_graph=True)
        seconds.append(torch.autograd.grad(slope.square().sum(), x)[0])
    torch.testing.assert_close(*seconds, rtol=1e-9, atol=1e-18)
    assert seconds[0].abs().max() > 0


def spoiled(p, change):
    """A copy with one change."""
    p = p.copy()
    change(p)
    return p


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda p: p.__setitem__((3, 5), np.nan), DataError),
        (lambda p: p.__setitem__((3, 5), np.inf), DataError),
        (lambda p: p.__setitem__((3, 5), -1e-3), DataError),
        (lambda p: p.__setitem__((3, 5), -5e-324), DataError),
        (lambda p: p.__setitem__((3, 5), 0.3), NotNormalizedError),
        (lambda p: p.__setitem__(slice(None), 1e308), NotNormalizedError),
        (lambda p: p.__imul__(1 + 2e-6), NotNormalizedError),
    ],
)
@pytest.mark.parametrize("side", ["p", "q"])
def test_same_errors_with_the_same_words(change, error, side):
    """What is wrong, how often and where, in the whole input."""
    p, q = pair()
    bad = spoiled(p if side == "p" else q, change)
    words = []
    for entry in (dv.kl, general(dv.kl)):
        with pytest.raises(error) as caught:
            entry(bad if side == "p" else p, bad if side == "q" else q)
        words.append(str(caught.value))
    assert words[0] == words[1]
    assert words[0].startswith(side)


@pytest.mark.parametrize("shapes", [((300, 1000), (300, 1001)), ((300, 1000), (299, 1000)), ((300, 1000), (1000, 1))])
def test_shapes_that_do_not_fit(shapes):
    """The same errors as for small arrays."""
    p, q = (np.full(shape, 1 / shape[-1]) for shape in shapes)
    with pytest.raises(DataError, match=r"same number of outcomes|must broadcast"):
        dv.kl(p, q)


def test_broadcasting_read_only_and_strange_layouts():
    """Against one vector, and on memory that is read-only or not contiguous; the input is untouched."""
    p, q = pair()
    p.flags.writeable = q.flags.writeable = False
    expected = general(dv.js)(p, q[:1])
    np.testing.assert_allclose(dv.js(p, q[:1]), expected, rtol=1e-12)
    np.testing.assert_allclose(dv.js(p, q[0]), expected, rtol=1e-12)
    np.testing.assert_allclose(dv.js(q[0], p), expected, rtol=1e-12)
    np.testing.assert_allclose(dv.js(np.asfortranarray(p), q[0]), expected, rtol=1e-12)
    np.testing.assert_allclose(dv.js(p[::-1], q[0])[::-1], expected, rtol=1e-12)
    np.testing.assert_allclose(dv.js_distance(p, q[0]), np.sqrt(expected), rtol=1e-12)
    whole = dv.js(p.reshape(4, 10, 1, -1), q[None, None, :3])
    assert whole.shape == (4, 10, 3)
    np.testing.assert_allclose(whole[..., 0].ravel(), expected, rtol=1e-12)


def test_extreme_weights_keep_to_the_general_path():
    """Near 0 and 1 the mixture can leave the normal numbers."""
    assert dv.weighted_js(2.0**-51).fused is None
    assert dv.weighted_js(2.0**-49).fused is not None


@pytest.mark.parametrize("k", [1, 3, 1000, BLOCK + 1])
def test_passes_over_rows(k):
    """Sums and quotients by blocks are NumPy's, and every bad number is seen."""
    rng = np.random.default_rng(k)
    array = rng.uniform(size=(3, max(1, 200_000 // k), k))
    totals, sound = row_totals(array)
    np.testing.assert_array_equal(totals, array.sum(-1, keepdims=True))
    assert sound
    np.testing.assert_array_equal(divide_rows(array, totals), array / totals)
    for bad in (np.nan, np.inf, -np.inf, -1e-320, 1e308):
        changed = array.copy()
        changed[1, -1, -1] = bad
        if bad == 1e308:
            changed[1, -1] = bad
        assert row_totals(changed)[1] == (bad == 1e308 and k == 1)
    assert row_totals(np.zeros((0, k)))[0].shape == (0, 1)
