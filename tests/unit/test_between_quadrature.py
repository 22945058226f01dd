"""Quadrature between densities: known values, true bounds, infinities that are found, and the rule itself."""

import math
import time
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import divergences as dv
from divergences.densities.closed_forms import closed_form
from divergences.densities.quadrature import quadrature
from tests.between import ends, pair_of
from tests.mp_oracle import GENERATORS

NORMAL = stats.norm(0, 1)


def value(d, p, q):
    """By quadrature, whether or not there is a closed form."""
    return quadrature(pair_of(d, p, q))


GOLDEN = {
    (1.0, 1.0): {
        "total_variation": 0.382924922548026,
        "kl": 0.5,
        "pearson": 1.718281828459045,
        "neyman": 1.718281828459045,
        "squared_hellinger": 0.2350061948308093,
        "jeffreys": 1.0,
        "js": 0.11142148218473618,
        "gan": -1.16345139675042,
        "le_cam": 0.2040542656335,
        "hockey_stick": 0.19061011523675842,
    },
    (1.0, 2.0): {
        "total_variation": 0.39006566012105566,
        "kl": 0.44314718055994531,
        "reverse_kl": 1.3068528194400547,
        "pearson": 0.74402634150968519,
        "neyman": math.inf,
        "squared_hellinger": 0.29838907569471962,
        "jeffreys": 1.75,
        "js": 0.12817497305439801,
        "le_cam": 0.21748255408993548,
        "hockey_stick": 0.050331233386166137,
    },
    (1.0, 1.25): {
        "total_variation": 0.35288227552877242,
        "kl": 0.36314355131420976,
        "reverse_kl": 0.55810644868579024,
        "pearson": 0.715988735644249,
        "neyman": 10.8925246373373,
        "squared_hellinger": 0.208165601636512,
        "js": 0.097034242807137922,
        "le_cam": 0.1757252953631986,
        "hockey_stick": 0.084082014384442625,
    },
}


@pytest.mark.parametrize(("q", "name"), [(q, name) for q, row in GOLDEN.items() for name in row])
def test_known_values_of_normal_pairs(q, name):
    """N(0,1) against N(1,1), N(1,2²), N(1,1.25²), each to 2e-12."""
    found = value(dv.CATALOGUE[name], NORMAL, stats.norm(*q))
    assert found.value == pytest.approx(GOLDEN[q][name], rel=2e-12)


@pytest.mark.parametrize(
    ("mean", "truth"), [(0.5, 0.030311300520838981), (2, 0.33683082034683161), (4, 0.63272019373686698)]
)
def test_known_jensen_shannon(mean, truth):
    """JS of N(0,1) and N(mean,1)."""
    assert value(dv.js, NORMAL, stats.norm(mean, 1)).value == pytest.approx(truth, rel=1e-13)


@pytest.mark.parametrize(
    ("weight", "sd", "truth"),
    [
        (0.25, 1, 0.0854493866611734),
        (0.75, 1, 0.0854493866611734),
        (0.25, 2, 0.087750933383373679),
        (0.75, 2, 0.11279805411514672),
    ],
)
def test_known_weighted_jensen_shannon(weight, sd, truth):
    """The weight is that of P."""
    assert value(dv.weighted_js(weight), NORMAL, stats.norm(1, sd)).value == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize(("level", "truth"), [(1.5, 0.18993407720214386), (math.e, 0.0)])
def test_known_hockey_sticks(level, truth):
    """N(0,1) against N(1,2²): zero where the ratio never reaches the level."""
    assert value(dv.hockey_stick(level), NORMAL, stats.norm(1, 2)).value == pytest.approx(truth, rel=1e-12, abs=1e-15)


def test_far_apart():
    """The duel of N(0,1) with N(6,1) and N(100,1): what density estimates on one law's grid get wrong."""
    assert value(dv.total_variation, NORMAL, stats.norm(6, 1)).value == pytest.approx(0.9973002039367398, rel=1e-13)
    assert value(dv.kl, NORMAL, stats.norm(6, 1)).value == pytest.approx(18, rel=1e-13)
    assert value(dv.pearson, NORMAL, stats.norm(6, 1)).value == pytest.approx(math.expm1(36), rel=1e-12)
    assert value(dv.kl, NORMAL, stats.norm(100, 1)).value == pytest.approx(5000, rel=1e-12)
    assert value(dv.js, NORMAL, stats.norm(100, 1)).value == pytest.approx(math.log(2), rel=1e-14)
    assert value(dv.js, NORMAL, stats.norm(10, 1)).value == pytest.approx(0.69314631739398446, rel=1e-14)
    beyond = value(dv.pearson, NORMAL, stats.norm(100, 1))
    assert beyond.value == math.inf
    assert beyond.notes == ("finite, but beyond the floats: its logarithm is 10000",)


INFINITE = [
    (dv.neyman, NORMAL, stats.norm(1, 2), "log integrand grows like 0.25 x^2"),
    (dv.kl, stats.t(1), NORMAL, "behaves like x^0"),
    (dv.kl, stats.t(2), NORMAL, "behaves like x^-1"),
    (dv.kl, stats.uniform(0, 1), stats.uniform(0.5, 1.5), "mass where the other has none"),
    (dv.kl, NORMAL, stats.expon(), "mass where the other has none"),
    (dv.pearson, stats.beta(0.4, 1), stats.uniform(), "at the end 0 of a support: the integrand behaves like x^-1.2"),
    (dv.pearson, stats.uniform(), stats.beta(1, 2), "at the end 1 of a support: the integrand behaves like x^-1"),
    (
        dv.pearson,
        stats.laplace(0, 3),
        stats.laplace(0, 1),
        "towards +infinity: the log integrand grows like 0.3333 x^1",
    ),
    (dv.kl, lambda x: np.where(x > 0, -np.abs(x), -np.inf), lambda x: np.where(x > 1, 1 - np.abs(x), -np.inf), "none"),
]


@pytest.mark.parametrize(("d", "p", "q", "why"), INFINITE)
def test_infinities_are_found(d, p, q, why):
    """The integral diverges: the answer is inf, and the note says where and why."""
    found = value(d, p, q)
    assert found.value == ends(found).low == math.inf
    assert any(why in note for note in found.notes), found.notes


FINITE = [
    (dv.kl, stats.t(3), NORMAL),
    (dv.kl, NORMAL, stats.t(1)),
    (dv.pearson, stats.beta(0.6, 1), stats.uniform()),
    (dv.kl, stats.laplace(0, 1), NORMAL),
    (dv.js, NORMAL, stats.expon()),
    (dv.total_variation, NORMAL, stats.uniform(0, 1)),
    (dv.total_variation, NORMAL, stats.cauchy()),
    (dv.squared_hellinger, stats.gamma(0.2), stats.lognorm(1)),
    (dv.kl, stats.uniform(0, 1), NORMAL),
    (dv.js, stats.norm(0.3, 1e-3), stats.expon()),
]


def _density(frozen) -> tuple[Any, list[Any]]:
    """A density in mpmath from SciPy's parameters."""
    args = [mp.mpf(x) for x in frozen.args]
    densities: dict[str, Any] = {
        "norm": lambda x, m=0, s=1: mp.exp(-(((x - m) / s) ** 2) / 2) / s / mp.sqrt(2 * mp.pi),
        "t": lambda x, v=1: (
            mp.gamma((v + 1) / 2) / mp.sqrt(v * mp.pi) / mp.gamma(v / 2) * (1 + x * x / v) ** (-(v + 1) / 2)
        ),
        "cauchy": lambda x: 1 / mp.pi / (1 + x * x),
        "laplace": lambda x, m=0, s=1: mp.exp(-abs(x - m) / s) / 2 / s,
        "expon": lambda x: mp.exp(-x) if x >= 0 else mp.mpf(0),
        "uniform": lambda x, a=0, w=1: 1 / mp.mpf(w) if a <= x <= a + w else mp.mpf(0),
        "beta": lambda x, a=1, b=1: x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b) if 0 < x < 1 else mp.mpf(0),
        "gamma": lambda x, a=1: x ** (a - 1) * mp.exp(-x) / mp.gamma(a) if x > 0 else mp.mpf(0),
        "lognorm": lambda x, s=1: (
            mp.exp(-((mp.log(x) / s) ** 2) / 2) / x / s / mp.sqrt(2 * mp.pi) if x > 0 else mp.mpf(0)
        ),
    }
    return densities[frozen.dist.name], args


def _cuts(p, q):
    """Where the two densities cross or have kinks, found on a grid in SciPy; and the scales between."""
    x = np.unique(
        np.concatenate([np.linspace(-12, 12, 4001), 10.0 ** np.arange(-30, 30), -(10.0 ** np.arange(-3, 30))])
    )
    with np.errstate(all="ignore"):
        difference = p.logpdf(x) - q.logpdf(x)
    found = [0.0, 1.0, 0.3]
    for i in np.flatnonzero(np.isfinite(difference[1:]) & (difference[1:] * difference[:-1] < 0)):
        low, high = x[i], x[i + 1]
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (
                (middle, high)
                if (p.logpdf(middle) > q.logpdf(middle)) == (p.logpdf(low) > q.logpdf(low))
                else (low, middle)
            )
        found.append(low)
    return sorted(
        {
            *found,
            *np.concatenate(
                [
                    10.0 ** np.arange(-96, -24, 8),
                    10.0 ** np.arange(-24, 25, 2),
                    -(10.0 ** np.arange(-1, 25, 2)),
                    0.3 + np.array([-0.02, -0.005, 0.005, 0.02]),
                ]
            ).tolist(),
        }
    )


@pytest.mark.parametrize(("d", "p", "q"), FINITE)
def test_against_mpmath(d, p, q):
    """The truth at 25 digits lies within the bound, and within 1e-11."""
    (density_p, args_p), (density_q, args_q) = _density(p), _density(q)
    f, f1, s1, f0, slope = GENERATORS[d.name]

    def integrand(x):
        a, b = density_p(x, *args_p), density_q(x, *args_q)
        if a == 0 or b == 0:
            return b * (f0 - f1 + s1) if b else a * (slope - s1) if a else mp.mpf(0)
        return b * (f(a / b) - f1 - s1 * (a / b - 1))

    low = min(p.support()[0], q.support()[0])
    high = max(p.support()[1], q.support()[1])
    cuts = [c for c in _cuts(p, q) if low < c < high]
    breaks = [mp.mpf(low) if math.isfinite(low) else -mp.inf, *cuts, mp.mpf(high) if math.isfinite(high) else mp.inf]
    with mp.workdps(25):
        truth = float(mp.quad(integrand, breaks) + f1)
    found = value(d, p, q)
    assert found.value == pytest.approx(truth, rel=1e-11)
    assert ends(found).low - 1e-15 <= truth <= ends(found).high + 1e-15


def _pairs(seed, count):
    rng = np.random.default_rng(seed)

    def scale(low, high):
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    makers = [
        lambda: stats.norm(rng.normal() * scale(1e-3, 30), scale(1e-3, 1e3)),
        lambda: stats.laplace(rng.normal() * scale(1e-3, 30), scale(1e-2, 1e2)),
        lambda: stats.expon(scale=scale(1e-3, 1e3)),
        lambda: stats.gamma(scale(0.1, 1e3), scale=scale(1e-2, 1e2)),
        lambda: stats.beta(scale(0.1, 1e3), scale(0.1, 1e3)),
        lambda: stats.cauchy(rng.normal(), scale(1e-3, 1e3)),
        lambda: stats.lognorm(scale(0.1, 3), scale=scale(0.1, 10)),
    ]
    names = ["kl", "reverse_kl", "jeffreys", "pearson", "neyman", "squared_hellinger", "total_variation"]
    for _ in range(count):
        make = makers[rng.integers(len(makers))]
        yield dv.CATALOGUE[names[rng.integers(len(names))]], make(), make()


def test_bounds_hold_on_random_pairs():
    """Seven families, seven divergences, scales over six decades: bounds meet the closed forms', infinities agree."""
    checked = infinite = 0
    for d, p, q in _pairs(3, 250):
        pair = pair_of(d, p, q)
        exact = closed_form(pair)
        if exact is None:
            continue
        found = quadrature(pair)
        checked += 1
        infinite += math.isinf(exact.value)
        assert ends(found).low <= ends(exact).high, (d, p.args, p.kwds, q.args, q.kwds)
        assert ends(exact).low <= ends(found).high, (d, p.args, p.kwds, q.args, q.kwds)
    assert checked > 150
    assert infinite > 10


def test_spikes_and_offsets():
    """A law a million times narrower, and laws far from zero."""
    spike = value(dv.kl, stats.norm(0, 1e-6), NORMAL)
    assert spike.value == pytest.approx(6 * math.log(10) - 0.5 + 0.5e-12, rel=1e-13)
    assert value(dv.kl, stats.norm(1e8, 1), stats.norm(1e8 + 1, 1)).value == pytest.approx(0.5, rel=1e-13)
    narrow = lambda x: -(((x - 3) / 1e-6) ** 2) / 2 - math.log(1e-6 * math.sqrt(2 * math.pi))
    found = value(dv.kl, narrow, lambda x: -x * x / 2 - math.log(2 * math.pi) / 2)
    assert found.value == pytest.approx(6 * math.log(10) - 0.5 + 4.5 + 0.5e-12, rel=1e-11)


def test_nearly_equal_normal_laws_keep_their_digits():
    """KL and JS at a distance of 1e-9, where the difference of the log densities would have seven digits left."""
    assert value(dv.kl, NORMAL, stats.norm(1e-9, 1)).value == pytest.approx(5e-19, rel=1e-12)
    assert value(dv.js, NORMAL, stats.norm(1e-9, 1)).value == pytest.approx(1.25e-19, rel=1e-12)
    assert value(dv.js, NORMAL, NORMAL).value == 0


def test_near_equality_without_a_family_widens_the_bound():
    """From log densities alone the digits are lost, and the interval says so."""
    p, q = (lambda x, m=m: -((x - m) ** 2) / 2 - math.log(2 * math.pi) / 2 for m in (0.0, 1e-9))
    found = value(dv.kl, p, q)
    assert ends(found).low <= 5e-19 <= ends(found).high
    assert ends(found).high > 5.00001e-19


def test_slow_densities_end_in_time_with_an_honest_bound():
    """Where more panels would take longer than `time_limit` there are no more: a note, and a bound that is wider."""

    def slow(x):
        asked.append(np.size(x))
        time.sleep(1e-4 * np.size(x))
        return np.logaddexp(stats.norm.logpdf(x, -1) - np.log(3), stats.norm.logpdf(x, 1, 0.3) - np.log(1.5))

    asked = []
    law = stats.norm(0.5, 2)
    stopped = dv.js.between(slow, law, time_limit=0.1)
    early = sum(asked)
    whole = dv.js.between(slow, law)
    assert early < sum(asked) - early
    assert "time_limit is 0.1 s" in stopped.notes[-1]
    assert len(whole.notes) == len(stopped.notes) - 1
    (low, high), (inner_low, inner_high) = ends(stopped), ends(whole)
    assert low <= inner_low <= inner_high <= high
    assert high - low > inner_high - inner_low
    for bad in (0, -1, math.nan, True):
        with pytest.raises(dv.DataError, match="time_limit"):
            dv.js.between(law, law, time_limit=bad)
