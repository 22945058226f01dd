"""The parts of the quadrature between densities: the rule, its error estimate, the reader of tails, the integrand."""

import math
from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import divergences as dv
from divergences.densities import _families, _integrand, _logdensities, _panels, _tails
from divergences.densities._integrand import Pair, log_cost
from divergences.densities.adapters import law_of
from divergences.densities.quadrature import quadrature
from tests.between import ends, pair_of
from tests.entries import NAMED
from tests.mp_oracle import GENERATORS

NORMAL = stats.norm(0, 1)


def by_quadrature(d, p, q):
    """Whether or not there is a closed form."""
    return quadrature(pair_of(d, p, q))


@pytest.mark.parametrize("shift", [0.5, 0.499999, 0.0100001, 1 / 3, 0.0043 * 2, 0.9957])
def test_kinks_anywhere_are_bounded(shift):
    """∫ abs(x - shift) on a panel whose last inner node is 0.4 % from its end: the kink is seen wherever it is."""
    axes = _panels.Axes([_panels.Axis(0.0, 0.0, 1.0, (True, True))])

    def seen(edge, t, active):
        with np.errstate(divide="ignore"):
            return _integrand.Values(np.log(np.abs(t - shift)), np.full(t.shape, -90.0), 0 * t, 0 * t)

    panels = _panels.measure(axes, seen, np.array([0]), np.array([0.0]), np.array([1.0]))
    truth = (shift**2 + (1 - shift) ** 2) / 2
    assert abs(math.exp(panels.integral[0, 0]) - truth) <= math.exp(panels.error[0, 0])
    refined = _panels.total(_panels.refine(axes, seen, panels, 1e-12))
    assert math.exp(refined.integral[0]) == pytest.approx(truth, rel=1e-12)


def test_the_rule_is_kronrods():
    """Exact to degree 31; its error combinations vanish to degree 16 and see degree 17 and more."""
    nodes, weights, null = _panels.rule()
    assert nodes[-2] == pytest.approx(0.995657163025808080735527280689003, rel=1e-15)
    assert weights[-2] == pytest.approx(0.011694638867371874278064396062192, rel=1e-12)
    for k in range(32):
        assert weights @ nodes**k == pytest.approx((1 + (-1) ** k) / (k + 1), abs=3e-15)
    for k in range(17):
        assert np.max(np.abs(nodes**k @ null)) < 3e-15
    for k in range(17, 40):
        assert np.max(np.abs(nodes**k @ null)) > 1e-8


def test_tails_are_read_from_their_slopes():
    """Ladders of known decay: powers and exponentials, powers of the logarithm, growth."""
    u = np.arange(1, 900) * _tails.STEP
    distance = np.exp(np.minimum(u, 690))
    assert _tails.read(-0.5 * u, distance).verdict == "finite"
    slow = _tails.read(-0.01 * u, distance)
    assert slow.rest == pytest.approx(-0.01 * u[-1] + math.log(100), rel=1e-9)  # ∫ e^(-u/100) du beyond the last point
    assert slow.error < slow.rest - 10
    assert _tails.read(-np.exp(u[:900:2] / 2), distance[:900:2]).verdict == "finite"
    assert _tails.read(0 * u, distance).verdict == "infinite"
    assert _tails.read(0.1 * u, distance).verdict == "infinite"
    assert _tails.read(-3 * np.log(u), distance).verdict == "finite"
    assert _tails.read(-0.5 * np.log(u), distance).verdict == "infinite"
    assert _tails.read(-1.01 * np.log(u), distance).verdict == "unknown"
    assert _tails.read(np.array([0.0, np.inf, np.inf]), distance[:3]).verdict == "infinite"


@pytest.mark.parametrize("name", list(NAMED))
def test_the_integrand_is_the_perspective(name):
    """log q f̃(p/q) from log densities, ratios from 1e-9 apart to e^2000, equals the generator's at 60 digits."""
    d = NAMED[name]
    lp = np.array([-1.0, -1.0, -3.0, -800.0, -2.0, -900.0, -2000.0])
    lq = np.array([-1.0 - 1e-9, -1.3, -50.0, -790.0, -700.0, -2900.0, -5.0])
    found = log_cost(d, lp, lq, lp - lq)
    f, f1, s1, _, _ = GENERATORS[name]
    with mp.workdps(1000):
        for a, b, ours in zip(lp, lq, found, strict=True):
            u = mp.exp(mp.mpf(a) - mp.mpf(b))
            truth = mp.mpf(b) + mp.log(f(u) - f1 - s1 * (u - 1))
            assert ours == pytest.approx(float(truth), abs=1e-12 + 1e-6 * (abs(a - b) < 1e-8), rel=1e-14)


def test_a_wrong_weight_is_noticed(monkeypatch):
    """The planted error: one weight off by 1e-7 shows in the laws' own masses, and the interval opens accordingly."""
    nodes, weights, null = _panels.rule()
    wrong = weights.copy()
    wrong[10] *= 1 + 1e-7
    monkeypatch.setattr(_panels, "rule", lambda: (nodes, wrong, null))
    low, high = ends(by_quadrature(dv.kl, NORMAL, stats.norm(1, 2)))
    assert low <= 0.44314718055994531 <= high
    assert high - low > 1e-8


def test_a_law_whose_mass_is_missed_is_refused():
    """The planted error: a law that hides a part of its mass from the panels is not integrated in silence."""
    p = law_of(NORMAL, "P")
    half = replace(p, near=None, log_density=lambda x: p.log_density(x) - 0.01)
    with pytest.raises(dv.ConvergenceError, match=r"mass of P .* found 0\.99004983"):
        quadrature(Pair(dv.kl, half, p))


def test_slow_power_tails():
    """Student's t with 2.01 degrees against the normal: x^-1.01, a third of which lies beyond the floats' squares."""
    v = mp.mpf(201) / 100
    found = by_quadrature(dv.kl, stats.t(2.01), NORMAL)
    second = v / (v - 2)
    entropy = (v + 1) / 2 * (mp.digamma((1 + v) / 2) - mp.digamma(v / 2)) + mp.log(
        mp.sqrt(v) * mp.beta(v / 2, mp.mpf(1) / 2)
    )
    truth = float(second / 2 + mp.log(2 * mp.pi) / 2 - entropy)
    assert found.value == pytest.approx(truth, rel=1e-6)
    assert ends(found).low <= truth <= ends(found).high


def test_mass_beyond_the_floats_leaves_no_upper_bound():
    """Half of gamma(0.001) lies below 1e-290: the interval is open upwards, and the closed form lies in it."""
    p, q = stats.gamma(1e-3), stats.gamma(2e-3)
    found, exact = by_quadrature(dv.kl, p, q), dv.kl.between(p, q)
    assert ends(found).high == math.inf
    assert ends(found).low <= exact.value
    assert any("than the floats reach" in note for note in found.notes)


@pytest.mark.parametrize(("b", "a"), [(0.69, 1874.0), (1874.0, 0.69), (5e-3, 40.0), (3.0, 1e5), (1e5, 1e5 + 1e-4)])
def test_the_excess_of_the_gamma_function(b, a):
    """H(b) - H(a) - (b - a) H'(a) for H(z) = log Γ(z) - z log z + z, at 60 digits, far apart and near."""
    with mp.workdps(60):
        x, y = mp.mpf(b), mp.mpf(a)
        height = [mp.loggamma(z) - z * mp.log(z) + z for z in (x, y)]
        truth = height[0] - height[1] - (x - y) * (mp.digamma(y) - mp.log(y))
        assert abs(_families.gamma_excess(b, a, b - a) / truth - 1) < 2e-14


@pytest.mark.parametrize(("a", "b"), [(1e6, 2.0), (2.0, 1e6), (0.5, 0.5), (3e4, 5e4)])
def test_beta_log_densities_keep_their_digits(a, b):
    """Near both ends and at the mean, by the distance to the nearer end: 1e-14 of 1 + abs(log density)."""
    near = _logdensities.beta(a, b, 0.0, 1.0)
    shares = np.array([1e-9, 1e-3, 0.3, 1.0, 2.0]) * min(a, b) / (a + b) / 4
    with mp.workdps(60):
        for edge, sign in ((0.0, 1.0), (1.0, -1.0)):
            found = near(np.full(5, edge), sign * shares)
            for t, ours in zip(shares, found, strict=True):
                z, rest = (mp.mpf(t), 1 - mp.mpf(t)) if edge == 0 else (1 - mp.mpf(t), mp.mpf(t))
                truth = (a - 1) * mp.log(z) + (b - 1) * mp.log(rest) - mp.log(mp.beta(a, b))
                assert ours == pytest.approx(float(truth), abs=1e-14 * (1 + abs(float(truth))))


def test_a_support_ends_where_it_ends():
    """Beside an end, closer than a float can say by itself, the density is in or out by the sign of the distance."""
    law = law_of(stats.uniform(0, 1), "P")
    t = np.array([-1e-20, 0.0, 1e-20])
    assert law.at(np.ones(3), t).tolist() == [0.0, 0.0, -math.inf]
    assert law.at(np.zeros(3), t).tolist() == [-math.inf, 0.0, 0.0]


def test_rounding_of_large_logarithms_is_charged():
    """e^-450 has 450 rounding units of error: the noise of an integrand is at least that part of it."""
    found = pair_of(dv.kl, stats.norm(0, 1), stats.norm(1, 1)).values(np.zeros(1), np.array([30.0]))
    assert math.exp((found.noise - found.cost)[0]) > 400 * 2.0**-52
