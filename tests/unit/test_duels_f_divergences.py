"""Inputs on which other libraries return a wrong number, and golden values: ours beside the right answer."""

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from scipy.stats import norm

import divergences as dv
from divergences._numerics import log_ratio, quiet

THIRDS = np.full(3, 1 / 3)


def test_nearly_equal_single_precision():
    """The Jensen-Shannon distance of nearly equal float32 vectors, NaN in scipy.spatial.distance."""
    p = np.array([0.027501475, 0.055202297], np.float32)
    q = np.array([0.027537677, 0.055334348], np.float32)
    assert dv.js_distance(p, q, normalize=True) == pytest.approx(1.78833620199e-4, rel=1e-5)
    assert dv.js_distance(p.astype(float), q.astype(float), normalize=True) == pytest.approx(
        1.78833620199e-4, rel=1e-11
    )


def test_subnormal_mass():
    """A mass of 5e-324 moves JS by about that, where scipy's is infinite; its root is 1.3e-162."""
    p, q = np.array([0.0, 1.0]), np.array([5e-324, 1.0])
    assert 0 <= dv.js(p, q) <= 5e-324
    assert 0 <= dv.js_distance(p, q) <= 3e-162


def test_sums_are_not_normalised_in_silence():
    """KL([.5, .5], [.3, .3]) is refused, 0 on request; the sum of its terms as measures is 0.1108."""
    with pytest.raises(dv.NotNormalizedError, match=r"q must sum to one .* got a sum of 0\.6"):
        dv.kl([0.5, 0.5], [0.3, 0.3])
    assert dv.kl([0.5, 0.5], [0.3, 0.3], normalize=True) == 0
    measures = dv.kl.cost(np.array([0.5, 0.5]), np.array([0.3, 0.3]), np.array([0.2, 0.2]))
    assert measures.sum() == pytest.approx(0.1108256237659907, rel=1e-14)


def test_mass_of_1e_30_in_single_precision():
    """Not clamped to the rounding of float32, which gives 7.278."""
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([1e-30, 1.0])
    assert float(dv.kl(p, q)) == pytest.approx(33.8456, rel=1e-6)
    assert float(dv.kl(p.log(), q.log(), log=True)) == pytest.approx(33.8456, rel=1e-6)


def test_gradients_at_zeros_are_finite():
    """p = 0 leaves no NaN in the gradient, from probabilities or from logarithms of -inf."""
    p, q = torch.tensor([0.0, 0.4, 0.6]), torch.tensor([0.2, 0.3, 0.5])
    for log in (False, True):
        pair = [(x.log() if log else x.clone()).requires_grad_() for x in (p, q)]
        value = dv.kl(*pair, log=log)
        gradients = torch.autograd.grad(value, pair)
        assert value.item() == pytest.approx(0.4 * np.log(4 / 3) + 0.6 * np.log(6 / 5), rel=1e-5)
        assert all(torch.isfinite(g).all() for g in gradients)
        assert gradients[0][0] == 0


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        (dv.kl, 0.08529960131837057),
        (dv.reverse_kl, 0.09745500678538754),
        (dv.js, 0.022459860429714602),
    ],
    ids=str,
)
def test_golden_discrete_values(d, expected):
    """p = (.36, .48, .16) against thirds."""
    assert d([0.36, 0.48, 0.16], THIRDS) == pytest.approx(expected, rel=1e-14)


def test_golden_coins():
    """A fair against a (.9, .1) coin, in bits; the distance of a sure and a fair coin."""
    assert dv.kl([0.5, 0.5], [0.9, 0.1]) / np.log(2) == pytest.approx(0.7369655941662062, rel=1e-14)
    assert dv.js_distance([1.0, 0.0], [0.5, 0.5]) == pytest.approx(0.46450140402245893, rel=1e-14)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (0.9456657713430001, 0.9456657713430094, -9.325873406851269e-15),
        (0.48066098564791515, 0.48066098564794774, -3.258504577274724e-14),
        (0.786048657854401, 0.7860486578542367, 1.6431300764454033e-13),
        (4.0, 2.22e-308, 2839.139983229607),
        (1e-200, 1e200, -9.210340371976183e-198),
        (2.22e-308, 1e15, -1.6493212008074475e-305),
    ],
)
def test_hard_cases_of_relative_entropy(x, y, expected):
    """x log(x/y) where x/y is one to thirteen digits, or leaves the floats."""
    x, y = np.array(x), np.array(y)
    with quiet():
        assert x * log_ratio(x, y, x - y) == pytest.approx(expected, rel=1e-14)
    assert rel_entr(x, y) == pytest.approx(expected, rel=1e-13)


NORMALS = {
    "total_variation": (0.382924922548026, 0.39006566012105566, 0.35288227552877242),
    "kl": (0.5, 0.44314718055994531, 0.36314355131420976),
    "reverse_kl": (0.5, 1.3068528194400547, 0.55810644868579024),
    "pearson": (np.e - 1, 0.74402634150968519, 0.715988735644249),
    "squared_hellinger": (0.2350061948308093, 0.29838907569471962, 0.208165601636512),
    "jeffreys": (1.0, 1.75, 0.36314355131420976 + 0.55810644868579024),
    "js": (0.11142148218473618, 0.12817497305439801, 0.097034242807137922),
    "le_cam": (0.2040542656335, 0.21748255408993548, 0.1757252953631986),
    "gan": (-1.16345139675042, 2 * 0.12817497305439801 - 2 * np.log(2), 2 * 0.097034242807137922 - 2 * np.log(2)),
}


@pytest.mark.parametrize("name", NORMALS)
def test_golden_normal_laws(name):
    """N(0, 1) against N(1, 1), N(1, 2²) and N(1, 1.25²), in bins of 1/1000: the error of the bins is below 2e-7."""
    edges = np.linspace(-40, 40, 80_001)
    middle = (edges[1:] + edges[:-1]) / 2
    for scale, expected in zip((1.0, 2.0, 1.25), NORMALS[name], strict=True):
        masses = norm.logpdf(middle), norm.logpdf(middle, 1, scale)
        assert dv.CATALOGUE[name](*masses, log=True, normalize=True) == pytest.approx(expected, rel=2e-7)


@pytest.mark.parametrize("weight", [0.25, 0.75])
def test_golden_families_between_normal_laws(weight):
    """Weighted JS, Rényi, Bhattacharyya and the hockey stick between N(0, 1) and N(1, 2²)."""
    middle = np.linspace(-40, 40, 80_001)
    p, q = norm.logpdf(middle), norm.logpdf(middle, 1, 2)
    js = {0.25: 0.087750933383373679, 0.75: 0.11279805411514672}[weight]
    renyi = {0.25: 0.21345670319887145, 0.75: 0.39325306638807169}[weight]
    assert dv.weighted_js(weight)(p, q, log=True, normalize=True) == pytest.approx(js, rel=1e-9)
    assert dv.renyi(p, q, weight, log=True, normalize=True) == pytest.approx(renyi, rel=1e-9)
    assert dv.bhattacharyya(p, q, log=True, normalize=True) == pytest.approx(0.16157177565710488, rel=1e-9)
    for level, value in ((1.5, 0.18993407720214386), (2.0, 0.050331233386166137), (np.e, 0.0)):
        assert dv.hockey_stick(level)(p, q, log=True, normalize=True) == pytest.approx(value, abs=1e-6)
