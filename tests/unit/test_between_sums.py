"""Between discrete laws by summation, and between laws of vectors by Monte Carlo."""

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import divergences as dv
from divergences.densities.closed_forms import closed_form
from divergences.densities.monte_carlo import monte_carlo, tail_index
from divergences.densities.sums import summation
from tests.between import ends, mvn, pair_of
from tests.mp_oracle import atom

SUMMED = ["kl", "reverse_kl", "js", "total_variation", "pearson", "neyman", "squared_hellinger", "jeffreys", "gan"]


def _poisson(rate):
    return lambda k: mp.exp(k * mp.log(rate) - rate - mp.loggamma(k + 1))


def _geometric(p):
    return lambda k: mp.mpf(p) * (1 - mp.mpf(p)) ** k


LATTICE = [
    (stats.poisson(3), stats.poisson(5), _poisson(3), _poisson(5), 120),
    (stats.poisson(3), stats.geom(0.25, loc=-1), _poisson(3), _geometric(0.25), 700),
    (stats.geom(0.75, loc=-1), stats.geom(0.5, loc=-1), _geometric(0.75), _geometric(0.5), 700),
]


@pytest.mark.parametrize("name", SUMMED)
@pytest.mark.parametrize(("p", "q", "mass_p", "mass_q", "terms"), LATTICE)
def test_sums_against_mpmath(name, p, q, mass_p, mass_q, terms):
    """Every entry by the contract's rule, atom by atom at 60 digits; the truth lies in the interval."""
    pair = pair_of(dv.CATALOGUE[name], p, q)
    found = summation(pair)
    if math.isinf(found.value):
        assert name in ("neyman", "pearson", "jeffreys", "reverse_kl", "kl")
        growth = [atom(name, mass_p(k), mass_q(k)) for k in (200, 400, 600)]
        assert growth[0] < growth[1] < growth[2]
        return
    truth = float(mp.fsum(atom(name, mass_p(k), mass_q(k)) for k in range(terms)) + pair.divergence.f_at_one)
    assert found.value == pytest.approx(truth, rel=1e-12)
    assert ends(found).low <= truth <= ends(found).high


def test_infinite_sums_are_found():
    """geom(¼) against geom(¾) in Pearson: (9/16 · 1/(1/4)) per step grows; Poisson against a binomial misses atoms."""
    found = dv.pearson.between(stats.geom(0.25), stats.geom(0.75))
    assert found.value == math.inf
    assert "grows" in found.notes[0]
    assert dv.kl.between(stats.poisson(3), stats.binom(5, 0.3)).value == math.inf
    assert dv.kl.between(stats.binom(5, 0.3), stats.poisson(3)).value < 1


@pytest.mark.parametrize(("a", "b"), [(2.0, 3.0), (3.0, 2.0), (2.2, 3.0)])
def test_heavy_lattice_tails(a, b):
    """Zipf laws: a tail that no sum reaches the end of; KL = log ζ(b)/ζ(a) + (b - a) E log k."""
    found = dv.kl.between(stats.zipf(a), stats.zipf(b))
    mean_log = -mp.zeta(a, derivative=1) / mp.zeta(a)
    truth = float(mp.log(mp.zeta(b) / mp.zeta(a)) + (b - a) * mean_log)
    assert ends(found).low <= truth <= ends(found).high
    assert found.value == pytest.approx(truth, rel=2e-6)


def test_total_variation_of_poisson_laws():
    """The closed form, near (where distribution functions cancel) and far, against the sum."""
    for a, b in [(3.0, 5.0), (1e6, 1e6 + 1), (3.0, 3.0 + 1e-9), (0.1, 100.0)]:
        pair = pair_of(dv.total_variation, stats.poisson(a), stats.poisson(b))
        exact, found = closed_form(pair), summation(pair)
        assert exact is not None
        assert found.value == pytest.approx(exact.value, rel=1e-9)
        assert ends(found).low <= ends(exact).high
        assert ends(exact).low <= ends(found).high


def test_large_and_distant_rates():
    """Poisson(1e6): a window of the lattice, not a million terms from 0; and bumps that do not meet."""
    near = dv.kl.between(stats.poisson(1e6), stats.poisson(1.001e6))
    assert near.value == pytest.approx(1e6 * math.log(1 / 1.001) + 1e3, rel=1e-9)
    assert dv.js.between(stats.poisson(1e6), stats.poisson(1.1e6)).value == pytest.approx(math.log(2), rel=1e-12)
    with pytest.raises(dv.ConvergenceError, match="must have at most"):
        dv.js.between(stats.poisson(1.0), stats.poisson(1e9))


def _underflowing():
    """A Poisson law of rate 3 by its masses, whose logarithm SciPy takes after they have underflowed."""
    base: Any = stats.rv_discrete
    law = type("underflowing", (base,), {"_pmf": lambda self, k: stats.poisson.pmf(k, 3)})
    return law(name="underflowing")()


def test_underflowed_masses_do_not_make_infinities():
    """KL of a geometric law against it is finite; where the masses have underflowed, an error says so."""
    with pytest.raises(dv.DataError, match="that underflowed"):
        dv.kl.between(stats.geom(0.05, loc=-1), _underflowing())
    assert math.isfinite(dv.kl.between(stats.geom(0.05, loc=-1), stats.poisson(3)).value)
    exact = dv.js.between(stats.geom(0.05, loc=-1), stats.poisson(3)).value
    assert dv.js.between(stats.geom(0.05, loc=-1), _underflowing()).value == pytest.approx(exact, rel=1e-12)


def test_finitely_many_atoms():
    """Tables of atoms at any places, and the sum of a lattice and a table."""
    p, q = stats.rv_discrete(values=([0, 1.5], [0.3, 0.7]))(), stats.rv_discrete(values=([0, 2.5], [0.5, 0.5]))()
    assert dv.total_variation.between(p, q).value == pytest.approx(0.7, rel=1e-15)
    assert dv.kl.between(p, q).value == math.inf
    coin = stats.rv_discrete(values=([0, 1], [0.5, 0.5]))()
    assert dv.kl.between(coin, stats.poisson(1)).value == pytest.approx(-math.log(2) + 1, rel=1e-14)
    assert dv.kl.between(stats.bernoulli(0.3), stats.bernoulli(0.3 + 1e-9)).value == pytest.approx(
        1e-18 / (2 * 0.3 * 0.7), rel=1e-7
    )


P2 = mvn([0, 0], [[2, 0.5], [0.5, 1]])
Q2 = mvn([1, -1], [[1, -0.3], [-0.3, 1.5]])


def test_monte_carlo_covers_the_truth():
    """95 % intervals, 200 seeds, bounded and unbounded: misses stay within what chance allows (p > 1e-4)."""
    for d, most in ((dv.squared_hellinger, 22), (dv.kl, 22)):
        pair = pair_of(d, P2, Q2)
        exact = closed_form(pair)
        assert exact is not None
        missed = 0
        for seed in range(200):
            low, high = ends(monte_carlo(pair, np.random.default_rng(seed), 1000))
            missed += not low <= exact.value <= high
        assert missed <= most


def test_monte_carlo_against_one_dimension():
    """N(0, I) against N(μ, I) depends on abs(μ) only: three dimensions by sampling, one by quadrature."""
    p, q = mvn(np.zeros(3)), mvn(np.full(3, 3**-0.5))
    for d in (dv.js, dv.le_cam, dv.weighted_js(0.3), dv.gan_value, dv.hockey_stick(2)):
        found, truth = d.between(p, q, rng=0), d.between(stats.norm(0, 1), stats.norm(1, 1)).value
        assert found.method == "Monte Carlo"
        assert found.n == found.m == 100_000
        assert ends(found).low <= truth <= ends(found).high
        assert ends(found).high - ends(found).low < 0.01
    assert dv.total_variation.between(p, q).value == pytest.approx(math.erf(1 / math.sqrt(8)), rel=1e-13)


def test_monte_carlo_is_repeatable():
    """The same seed gives the same bits, another seed others."""
    assert dv.js.between(P2, Q2, rng=3, size=1000) == dv.js.between(P2, Q2, rng=3, size=1000)
    assert dv.js.between(P2, Q2, rng=3, size=1000) != dv.js.between(P2, Q2, rng=4, size=1000)


def test_monte_carlo_of_distant_laws_does_not_claim_certainty():
    """Every draw says 1: the interval still has a width, because 1/n is not ruled out."""
    found = dv.hockey_stick(1.5).between(P2, mvn([100, 0]), rng=0, size=1000)
    assert ends(found).low < found.value
    assert ends(found).low > 0.99


def test_monte_carlo_names_a_heavy_tail():
    """Pearson where its variance is infinite: no upper end, a note, and a lower end that holds."""
    p, q = mvn(np.zeros(2), 1.7 * np.eye(2)), mvn(np.zeros(2))
    truth = dv.pearson.between(p, q).value
    assert math.isfinite(truth)
    pair = pair_of(dv.pearson, p, q)
    for seed in range(20):
        found = monte_carlo(pair, np.random.default_rng(seed), 5000)
        assert found.standard_error is None
        assert ends(found).high == math.inf
        assert ends(found).low <= truth
        assert "no upper end" in found.notes[-1]


def test_monte_carlo_sees_missing_support():
    """A draw of P where Q has no density: KL is inf, and the note says so."""
    disc = stats.uniform_direction(2)
    del disc
    p = dv.Mixture([0.5, 0.5], [P2, Q2])

    class Box:
        """Uniform on the unit square."""

        def logpdf(self, x):
            return np.where(((x > 0) & (x < 1)).all(axis=-1), 0.0, -np.inf)

        def rvs(self, size, random_state):
            return random_state.uniform(size=(size, 2))

    found = dv.kl.between(p, Box(), rng=0, size=1000)
    assert found.value == math.inf
    assert "no density" in found.notes[-1]
    assert dv.kl.between(Box(), p, rng=0, size=1000).value < 10


@pytest.mark.parametrize("index", [0.25, 0.5, 1.0])
def test_the_tail_index_is_hills(index):
    """Pareto draws give their index back; a bounded sample gives a small one."""
    rng = np.random.default_rng(0)
    assert tail_index(rng.pareto(1 / index, 100_000) + 1) == pytest.approx(index, abs=0.15 * index + 0.02)
    assert tail_index(rng.uniform(0.9, 1, 100_000)) < 0.1
    assert tail_index(np.zeros(1000)) == 0
