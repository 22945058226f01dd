"""Closed forms between densities: against mpmath, against quadrature, near equality and at the infinities."""

import math

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import divergences as dv
from divergences.densities._families import FAMILIES, dirichlet_kl, gamma_kl, laplace_kl, normal_kl, poisson_kl
from divergences.densities.between import bhattacharyya_between, chernoff_between, renyi_between
from divergences.densities.closed_forms import closed_form
from divergences.densities.quadrature import quadrature
from tests.between import ends, mvn, pair_of

NORMAL, WIDE, MEDIUM = stats.norm(0, 1), stats.norm(1, 2), stats.norm(1, 1.25)
GOLDEN = [
    ("total_variation", NORMAL, stats.norm(1, 1), 0.382924922548026),
    ("pearson", NORMAL, stats.norm(1, 1), math.e - 1),
    ("squared_hellinger", NORMAL, stats.norm(1, 1), 0.2350061948308093),
    ("total_variation", NORMAL, WIDE, 0.39006566012105566),
    ("kl", NORMAL, WIDE, 0.44314718055994531),
    ("reverse_kl", NORMAL, WIDE, 1.3068528194400547),
    ("pearson", NORMAL, WIDE, 0.74402634150968519),
    ("squared_hellinger", NORMAL, WIDE, 0.29838907569471962),
    ("jeffreys", NORMAL, WIDE, 1.75),
    ("total_variation", NORMAL, MEDIUM, 0.35288227552877242),
    ("neyman", NORMAL, MEDIUM, 10.8925246373373),
    ("pearson", NORMAL, MEDIUM, 0.715988735644249),
    ("kl", stats.expon(), stats.expon(scale=1 / 12), 8.5150933502119997),
    ("kl", stats.expon(scale=1 / 12), stats.expon(), 1.5682399831213336),
    ("kl", stats.beta(1, 2), stats.uniform(), 0.19314718055994531),
    ("kl", stats.beta(2, 3), stats.beta(3, 2), 0.5),
    ("kl", stats.beta(0.5, 0.5), stats.uniform(), 0.24156447527049044),
    ("kl", stats.gamma(2, scale=1 / 3), stats.gamma(4), 4.0073066203702262),
    ("kl", stats.laplace(0, 1), stats.laplace(1, 2), 0.37708690114566647),
    ("kl", stats.poisson(3), stats.poisson(5), 0.46752312870202795),
    ("kl", stats.cauchy(0, 1), stats.cauchy(1, 2), 0.22314355131420976),
    ("kl", stats.bernoulli(0.3), stats.bernoulli(0.6), 0.18378689738681229),
    ("kl", stats.dirichlet([1, 2, 3]), stats.dirichlet([2, 2, 2]), 0.80685281944005469),
    (
        "kl",
        mvn([0, 0], [[2, 0.5], [0.5, 1]]),
        mvn([1, -1], [[1, -0.3], [-0.3, 1.5]]),
        1.0905685185110151,
    ),
]


@pytest.mark.parametrize(("name", "p", "q", "value"), GOLDEN)
def test_known_values(name, p, q, value):
    """The value to 1e-12, and inside its own interval."""
    found = dv.CATALOGUE[name].between(p, q)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert ends(found).low <= value * (1 + 1e-14)
    assert value * (1 - 1e-14) <= ends(found).high


def _gamma(p, q):
    (a, s), (b, t) = p, q
    return (a - b) * mp.digamma(a) - mp.loggamma(a) + mp.loggamma(b) + b * mp.log(t / s) + a * (s / t - 1)


def _dirichlet(p, q):
    def partition(v):
        return mp.fsum(mp.loggamma(x) for x in v) - mp.loggamma(mp.fsum(v))

    shift = [(b - a) * (mp.digamma(a) - mp.digamma(mp.fsum(p))) for a, b in zip(p, q, strict=True)]
    return partition(q) - partition(p) - mp.fsum(shift)


def _normal(p, q):
    (m, s), (n, t) = p, q
    return (s * s / t / t - 1 - 2 * mp.log(s / t) + ((m - n) / t) ** 2) / 2


def _laplace(p, q):
    (m, s), (n, t) = p, q
    return mp.log(t / s) + abs(m - n) / t + s / t * mp.exp(-abs(m - n) / s) - 1


def _poisson(p, q):
    return p[0] * mp.log(p[0] / q[0]) - p[0] + q[0]


KL_FORMS = {
    "normal": (normal_kl, _normal, 1),
    "gamma": (gamma_kl, _gamma, 0),
    "dirichlet": (dirichlet_kl, _dirichlet, 0),
    "laplace": (laplace_kl, _laplace, 1),
    "poisson": (poisson_kl, _poisson, 0),
}


def _parameters(rng, kind, signed):
    sizes = {"dirichlet": 3, "poisson": 1}
    p = np.exp(rng.uniform(-6, 9, sizes.get(kind, 2)))
    step = rng.choice([1e-9, 1e-6, 1e-3, 0.3, 3.0], size=p.shape)
    q = p * np.exp(step * rng.normal(size=p.shape))
    if signed:
        p[0], q[0] = rng.normal(), p[0] * 1e-3
    return tuple(p.tolist()), tuple(q.tolist())


@pytest.mark.parametrize("kind", KL_FORMS)
def test_kl_forms_keep_their_digits(kind):
    """KL to 1e-13 relative (Dirichlet's subtracts: 1e-12), parameters from e^-6 to e^9, apart by 1e-9 and more."""
    ours, exact, signed = KL_FORMS[kind]
    tolerance = 1e-12 if kind == "dirichlet" else 1e-13
    rng = np.random.default_rng(7)
    with mp.workdps(60):
        for _ in range(150):
            p, q = _parameters(rng, kind, signed)
            truth = exact(tuple(map(mp.mpf, p)), tuple(map(mp.mpf, q)))
            assert abs(ours(p, q) / truth - 1) < tolerance, (p, q)


def _gamma_affinity(p, q, a):
    def partition(shape, rate):
        return mp.loggamma(shape) - shape * mp.log(rate)

    (k, s), (m, t) = p, q
    middle = partition(a * k + (1 - a) * m, a / s + (1 - a) / t)
    return a * partition(k, 1 / s) + (1 - a) * partition(m, 1 / t) - middle


def _normal_affinity(p, q, a):
    (m, s), (n, t) = p, q
    v = a * t * t + (1 - a) * s * s
    return a * (1 - a) * (m - n) ** 2 / (2 * v) + mp.log(v) / 2 - a * mp.log(t) - (1 - a) * mp.log(s)


def _laplace_affinity(p, q, a):
    (m, s), (n, t) = p, q
    shift, x, y = abs(m - n), a / s, (1 - a) / t
    both = (mp.exp(-x * shift) + mp.exp(-y * shift)) / (x + y) + (mp.exp(-x * shift) - mp.exp(-y * shift)) / (y - x)
    return -mp.log(both / (2 * s**a * t ** (1 - a)))


@pytest.mark.parametrize(
    ("kind", "exact"), [("gamma", _gamma_affinity), ("normal", _normal_affinity), ("laplace", _laplace_affinity)]
)
@pytest.mark.parametrize("order", [0.5, 0.1, 0.999, 2.0, -1.0, 3.7])
def test_affinities_keep_their_digits(kind, exact, order):
    """J_a to 1e-12 relative; -inf just where the integral diverges."""
    rng = np.random.default_rng(11)
    with mp.workdps(60):
        for _ in range(40):
            p, q = _parameters(rng, kind, kind != "gamma")
            truth = exact(tuple(map(mp.mpf, p)), tuple(map(mp.mpf, q)), mp.mpf(order))
            found = FAMILIES[kind].affinity(p, q, order)
            if found is None:  # left to quadrature
                continue
            inside = (
                order / p[-1] ** 2 + (1 - order) / q[-1] ** 2
                if kind == "normal"
                else order / p[-1] + (1 - order) / q[-1]
            )
            if inside <= 0 or (kind == "gamma" and order * p[0] + (1 - order) * q[0] <= 0):
                assert found == -math.inf
            else:
                assert abs(found - truth) <= 1e-12 * abs(truth) + 1e-28, (p, q)


def test_nearly_equal_laws():
    """KL(N(0,1)‖N(1e-9,1)) is 5e-19, and its neighbours are as exact."""
    assert dv.kl.between(stats.norm(0, 1), stats.norm(1e-9, 1)).value == pytest.approx(5e-19, rel=1e-14)
    d = 3
    p, q = mvn(np.zeros(d)), mvn([1e-9, 0, 0])
    assert dv.kl.between(p, q).value == pytest.approx(5e-19, rel=1e-14)
    assert dv.total_variation.between(stats.norm(1e8, 1), stats.norm(1e8, 1)).value == 0


@pytest.mark.parametrize(
    ("d", "p", "q"),
    [
        (dv.neyman, NORMAL, WIDE),
        (dv.pearson, stats.expon(scale=2), stats.expon(scale=1)),  # 2 * 1/2 - 1 = 0: the boundary itself
        (dv.pearson, stats.beta(1, 1), stats.beta(2, 1)),  # 2 * 1 - 2 = 0
        (dv.alpha(3), stats.laplace(0, 1.5), stats.laplace(1, 1)),
        (dv.pearson, stats.uniform(0, 1), stats.uniform(0.5, 1.5)),
        (dv.kl, stats.bernoulli(0.5), stats.bernoulli(1.0)),
    ],
)
def test_infinite_values_are_said(d, p, q):
    """Where the integral diverges the answer is inf, and a note names why."""
    found = d.between(p, q)
    assert found.value == ends(found).low == math.inf
    assert any("infinite" in note for note in found.notes)


def test_a_finite_value_beyond_the_floats_is_not_called_infinite():
    """Pearson of N(0,1) against N(100,1) is e^10000 - 1: a note gives the logarithm, the interval starts at a float."""
    found = dv.pearson.between(NORMAL, stats.norm(100, 1))
    assert found.value == math.inf
    assert ends(found).low == pytest.approx(1.797693e308)
    assert "its logarithm is 10000" in found.notes[0]


FAMILY_PAIRS = [
    (NORMAL, WIDE),
    (stats.laplace(0, 1), stats.laplace(1, 2)),
    (stats.laplace(0.3, 1), stats.laplace(0, 1)),
    (stats.expon(scale=2), stats.expon(scale=3)),
    (stats.gamma(2.5, scale=2), stats.gamma(300, scale=0.01)),
    (stats.beta(0.5, 3), stats.beta(2, 2.5)),
    (stats.cauchy(0, 1), stats.cauchy(3, 0.2)),
    (stats.lognorm(0.5), stats.lognorm(0.7, scale=2)),
    (stats.uniform(0, 1), stats.uniform(0.25, 2)),
    (stats.chi2(3), stats.chi2(5)),
]


@pytest.mark.parametrize(("p", "q"), FAMILY_PAIRS)
@pytest.mark.parametrize(
    "name", ["kl", "reverse_kl", "jeffreys", "pearson", "neyman", "squared_hellinger", "total_variation"]
)
def test_closed_forms_equal_quadrature(name, p, q):
    """Two ways that share no formula agree within both their bounds, infinities included."""
    pair = pair_of(dv.CATALOGUE[name], p, q)
    exact = closed_form(pair)
    if exact is None:
        pytest.skip("no closed form is registered")
    found = quadrature(pair)
    assert ends(found).low <= ends(exact).high
    assert ends(exact).low <= ends(found).high
    if math.isfinite(exact.value):
        assert found.value == pytest.approx(exact.value, rel=1e-11)


def test_multiples_reverses_and_orders_have_closed_forms():
    """2 * d, d.reverse and alpha(a) find the same forms."""
    assert (2 * dv.kl).between(NORMAL, WIDE).value == pytest.approx(2 * 0.44314718055994531, rel=1e-14)
    assert dv.kl.reverse.between(NORMAL, WIDE).method.startswith("closed form")
    near = dv.alpha(1 - 1e-12).between(NORMAL, WIDE).value
    assert near == pytest.approx(0.44314718055994531, rel=1e-11)
    for order in (0.25, 0.75, 2.0):
        a = dv.alpha(order)
        assert a.between(NORMAL, WIDE).value == pytest.approx(quadrature_value(a, NORMAL, WIDE), rel=1e-12)


def quadrature_value(d, p, q):
    """Past the closed forms."""
    return quadrature(pair_of(d, p, q)).value


@pytest.mark.parametrize(
    ("order", "value"),
    [(0.25, 0.21345670319887145), (0.75, 0.39325306638807169), (2, 0.55619642944937682), (1, 0.4431471805599453)],
)
def test_renyi_between_normal_laws(order, value):
    """Known values of Rényi's divergence, through the function that also takes vectors."""
    assert dv.renyi(NORMAL, WIDE, order).value == pytest.approx(value, rel=1e-13)
    assert renyi_between(NORMAL, stats.norm(1, 1), order).value == pytest.approx(order / 2, rel=1e-13)


def test_bhattacharyya_and_chernoff():
    """Bhattacharyya = Chernoff = 1/8 at N(0,1), N(1,1); Chernoff is the larger elsewhere."""
    assert dv.bhattacharyya(NORMAL, WIDE).value == pytest.approx(0.16157177565710488, rel=1e-13)
    assert dv.chernoff(NORMAL, stats.norm(1, 1)).value == pytest.approx(0.125, rel=1e-13)
    assert chernoff_between(NORMAL, WIDE).value >= bhattacharyya_between(NORMAL, WIDE).value


def test_renyi_by_quadrature_near_and_far():
    """Without a closed form: the t law against itself moved, near (no cancellation) and far (no saturation)."""
    near = dv.renyi(stats.t(3), stats.t(3, loc=1e-4), 0.5)
    fisher = (3 + 1) / (3 + 3)  # of a t law in its location
    assert near.value == pytest.approx(0.5 * fisher * 1e-8 / 2, rel=1e-6)
    far = dv.renyi(stats.logistic(0), stats.logistic(400), 0.5)
    assert ends(far).low <= far.value <= ends(far).high
    with mp.workdps(30):

        def root(x):
            return mp.exp(-(x + x - 400) / 2) / (1 + mp.exp(-x)) / (1 + mp.exp(400 - x))

        truth = -2 * mp.log(mp.quad(root, [-100, -20, 0, 20, 100, 200, 300, 380, 400, 420, 500]))
    assert far.value == pytest.approx(float(truth), rel=1e-11)
