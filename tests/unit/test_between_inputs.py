"""What counts as a distribution, and what is refused, with the message."""

import math
import re

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import i0, i1
from torch import distributions as td

import divergences as dv
from tests.between import ends, mvn

NORMAL = stats.norm(0, 1)
LOG_ROOT = math.log(2 * math.pi) / 2


class Plain:
    """Nothing but a log density and a sampler."""

    def logpdf(self, x):
        return -x * x / 2 - LOG_ROOT


def one_at_a_time(x):
    """A log density that takes no arrays."""
    return -math.pow(x, 2) / 2 - LOG_ROOT if abs(x) < 1e150 else -math.inf


SAME = [
    NORMAL,
    stats.Normal(),
    2 * stats.Normal(mu=-0.5, sigma=0.5) + 1,
    td.Normal(0.0, 1.0),
    td.MultivariateNormal(torch.zeros(1), torch.eye(1)),
    td.TransformedDistribution(
        td.Normal(torch.tensor(-1.0, dtype=torch.float64), 2.0), [td.transforms.AffineTransform(0.5, 0.5)]
    ),
    Plain(),
    lambda x: -x * x / 2 - LOG_ROOT,
    one_at_a_time,
    dv.Mixture([0.3, 0.7, 0.0], [NORMAL, td.Normal(0.0, 1.0), stats.cauchy()]),
    stats.Mixture([stats.Normal(), stats.Normal()], weights=[0.5, 0.5]),
    td.MixtureSameFamily(td.Categorical(torch.tensor([0.2, 0.8])), td.Normal(torch.zeros(2), torch.ones(2))),
    mvn([0.0], [[1.0]]),
]


@pytest.mark.parametrize("p", SAME, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("d", [dv.kl, dv.reverse_kl, dv.js], ids=lambda d: d.name)
def test_every_kind_of_distribution_is_read(p, d):
    """Thirteen ways to say N(0,1), on either side, against N(1,2²)."""
    q = stats.norm(1, 2)
    truth = {"kl": math.log(2) - 0.25, "reverse_kl": 2 - math.log(2), "js": 0.12817497305439801}[d.name]
    found = d.between(p, q)
    assert found.value == pytest.approx(truth, rel=1e-6 if isinstance(p, td.TransformedDistribution) else 1e-12)
    assert ends(found).low - 1e-14 <= truth <= ends(found).high + 1e-14
    assert d.reverse.between(q, p).value == pytest.approx(found.value, rel=1e-12)


TORCH = [
    (td.Exponential(1.0), td.Exponential(12.0), 8.5150933502119997),
    (td.Gamma(2.0, 3.0), td.Gamma(4.0, 1.0), 4.0073066203702262),
    (td.Beta(2.0, 3.0), td.Beta(3.0, 2.0), 0.5),
    (td.Laplace(0.0, 1.0), td.Laplace(1.0, 2.0), 0.37708690114566647),
    (td.Uniform(0.0, 1.0), td.Uniform(0.0, 4.0), math.log(4)),
    (td.Poisson(3.0), td.Poisson(5.0), 0.46752312870202795),
    (td.Bernoulli(0.25), td.Bernoulli(0.75), math.log(3) / 2),
    (td.Categorical(torch.tensor([0.5, 0.5])), td.Categorical(torch.tensor([0.25, 0.75])), 0.1438410362258904),
    (td.Dirichlet(torch.tensor([1.0, 2, 3])), td.Dirichlet(torch.tensor([2.0, 2, 2])), 0.80685281944005469),
    (td.Cauchy(0.0, 1.0), td.Cauchy(1.0, 2.0), 0.22314355131420976),
    (td.Geometric(0.5), td.Geometric(0.25), math.log(2) + math.log(2 / 3)),
    (td.Weibull(2.0, 1.0), td.Weibull(2.0, 1.0), 0.0),
    (
        td.Independent(td.Normal(torch.zeros(3), torch.ones(3)), 1),
        td.Independent(td.Normal(torch.ones(3), torch.ones(3)), 1),
        1.5,
    ),
]


@pytest.mark.parametrize(("p", "q", "truth"), TORCH, ids=lambda x: type(x).__name__)
def test_torch_families(p, q, truth):
    """KL of torch's families, from their parameters in float64 (float32's rounding of the parameters remains)."""
    assert dv.kl.between(p, q).value == pytest.approx(truth, rel=3e-7, abs=1e-20)


def test_tiny_probabilities_are_not_clamped():
    """The duel with clamped logits: Cat(½, ½) against Cat(1e-30, 1)."""
    p = td.Categorical(logits=torch.zeros(2, dtype=torch.float64))
    q = td.Categorical(logits=torch.tensor([math.log(1e-30), 0.0], dtype=torch.float64))
    truth = -math.log(2) + 15 * math.log(10)
    assert dv.kl.between(p, q).value == pytest.approx(truth, rel=1e-14)


def test_torch_keeps_its_random_state():
    """Sampling a torch distribution for Monte Carlo leaves the global generator where it was."""
    base = td.Independent(td.Normal(torch.zeros(2), torch.ones(2)), 1)
    p = td.TransformedDistribution(base, [td.transforms.AffineTransform(1.0, 2.0)])
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = dv.js.between(p, mvn([0, 0]), rng=1, size=2000)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert dv.js.between(p, mvn([0, 0]), rng=1, size=2000) == first


def test_supports_of_callables_are_found_or_given():
    """Edges of a callable's support are located; `support` says them where they cannot be."""
    box = lambda x: np.where((x > 0.25) & (x < 1.25), 0.0, -np.inf)
    assert dv.kl.between(box, NORMAL).value == pytest.approx(
        dv.kl.between(stats.uniform(0.25, 1), NORMAL).value, rel=1e-12
    )
    assert dv.total_variation.between(box, stats.uniform(0, 1)).value == pytest.approx(0.25, rel=1e-12)
    assert dv.kl.between(lambda x: 0 * x, lambda x: np.log(2 * x), support=(0, 1)).value == pytest.approx(
        1 - math.log(2)
    )


def test_mixtures_with_a_gap():
    """Between its components a mixture of uniforms has no mass: JS and KL know."""
    gap = dv.Mixture([0.5, 0.5], [stats.uniform(0, 1), stats.uniform(3, 1)])
    assert dv.js.between(gap, stats.uniform(0, 4)).value == pytest.approx(0.215761554338835, rel=1e-12)
    assert dv.kl.between(gap, stats.uniform(0, 4)).value == pytest.approx(math.log(2), rel=1e-12)
    assert dv.kl.between(stats.uniform(0, 4), gap).value == math.inf


def test_samples_of_a_kernel_density():
    """SciPy's kernel density estimate is an object with `logpdf` like any other."""
    kde = stats.gaussian_kde([-1.0, 1.0], bw_method=0.5)
    width = 0.5 * math.sqrt(2)
    bumps = dv.Mixture([0.5, 0.5], [stats.norm(-1, width), stats.norm(1, width)])
    assert dv.kl.between(kde, NORMAL).value == pytest.approx(dv.kl.between(bumps, NORMAL).value, rel=1e-11)


def test_mutually_singular_laws():
    """A law on the integers against one on the line, and lattices that never meet: f̃(0) + f̃'(∞), by rule."""
    for p, q in [(stats.poisson(3), NORMAL), (stats.poisson(3), stats.poisson(3, loc=0.5))]:
        assert dv.js.between(p, q).value == pytest.approx(math.log(2), rel=1e-15)
        assert dv.kl.between(p, q).value == math.inf
        assert dv.gan_value.between(p, q).value == pytest.approx(0, abs=1e-15)
        assert dv.js.between(p, q).method == "mutually singular laws"
    dirichlet = stats.dirichlet([1, 2])
    assert dv.total_variation.between(dirichlet, mvn([0, 0])).value == 1


FULL = mvn([0, 0])
BAD = [
    ([0.5, 0.5], NORMAL, "got list. Probability vectors go to the divergence itself"),
    (np.ones(3) / 3, NORMAL, "P must be a frozen distribution .* got ndarray"),
    (NORMAL, torch.ones(2) / 2, "Q must be a frozen distribution .* got Tensor"),
    (None, NORMAL, "got NoneType"),
    ("norm", NORMAL, "got str"),
    (stats.norm([0, 1], 1), NORMAL, r"finite scalar parameters; got \[0\.0, 1\.0\]"),
    (stats.norm(math.nan, 1), NORMAL, "finite scalar parameters; got nan"),
    (stats.norm(0, math.inf), NORMAL, "finite scalar parameters; got inf"),
    (stats.norm(0, -1), NORMAL, "valid parameters; got norm"),
    (stats.norm(0, 0), NORMAL, "valid parameters; got norm"),
    (NORMAL, FULL, "P and Q must live in one dimension; got 1 .* and 2"),
    (td.Normal(torch.zeros(3), torch.ones(3)), NORMAL, r"one distribution .* got batch shape \(3,\)"),
    (
        mvn([0, 0], [[1, 1], [1, 1]], allow_singular=True),
        FULL,
        "covariance of full rank",
    ),
    (stats.wishart(3, np.eye(2)), FULL, "distribution of vectors; got wishart"),
    (lambda x: np.zeros(3), NORMAL, r"one number per point; got shape \(3,\)"),
    (lambda x: np.log(np.asarray(x)), NORMAL, "must not be NaN; it is at -"),
    (lambda x: x * 1j, NORMAL, "real numbers; got dtype complex128"),
    (lambda x: "a", NORMAL, "real numbers; got dtype"),
    (lambda x: None, NORMAL, "real numbers; got dtype object"),
    (lambda x: np.full(np.shape(x), -np.inf), NORMAL, "infinite at all of .* points tried"),
    (lambda x: np.log(np.exp(-x * x / 2)) - LOG_ROOT, stats.cauchy(), "that underflowed"),
    (lambda x: np.log(stats.norm.pdf(x)), NORMAL, "P is -inf at .* that underflowed"),
    (lambda x: -(x**2).sum(axis=-1), FULL, "P must be able to draw samples"),
    (dv.Mixture([0.5, 0.5], [NORMAL, stats.poisson(3)]), NORMAL, "components of P must lie on one space"),
    (dv.Mixture([1.0], [NORMAL, NORMAL]), NORMAL, "one weight per component"),
    (dv.Mixture([0.5, 0.5], [NORMAL, [1, 2]]), NORMAL, "a component of P must be"),
]


@pytest.mark.parametrize(("p", "q", "message"), BAD)
def test_bad_distributions_are_refused(p, q, message):
    """DataError, with what was required, what was received and the remedy."""
    d = dv.reverse_kl if "underflowed" in message else dv.kl
    with pytest.raises(dv.DataError, match=re.compile(message, re.DOTALL)):
        d.between(p, q)


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (
            lambda x: -x * x / 2 - LOG_ROOT + math.log(0.97),
            r"integrate to one within 1e-06; got 0\.97\. Subtract -0\.0304592",
        ),
        (lambda x: -x * x / 2, r"got 2\.50662827"),
        (  # half of it is a spike that no search finds; as a Mixture it is found
            lambda x: np.logaddexp(stats.norm.logpdf(x), stats.norm.logpdf(x, 5000, 0.01)) - math.log(2),
            r"got 0\.5\. .* narrow part far from the rest, write it as a dv\.Mixture",
        ),
        (lambda x: 0 * x, "must be integrable; towards .infinity"),
        (lambda x: np.log(np.maximum(np.exp(-x * x / 2), 1e-300)), "must be integrable"),
    ],
)
def test_densities_that_are_none(density, message):
    """A callable whose integral is not one is measured, and refused on either side."""
    with pytest.raises(dv.NotNormalizedError, match=message):
        dv.kl.between(density, NORMAL)
    with pytest.raises(dv.NotNormalizedError, match=message):
        dv.js.between(NORMAL, density)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"support": (1, 0)}, r"support must be an interval \(low, high\) with low < high; got \(1, 0\)"),
        ({"support": 3}, "support must be an interval"),
        ({"support": (0, math.nan)}, "support must be an interval"),
        ({"rng": -1}, "rng must be"),
        ({"rng": True}, "rng must be"),
        ({"size": 0}, "size must be a whole number of at least 100"),
        ({"size": 1e4}, "size must be a whole number"),
    ],
)
def test_bad_options_are_refused(keywords, message):
    """Before anything is computed."""
    with pytest.raises(dv.DataError, match=message):
        dv.kl.between(NORMAL, stats.norm(1, 1), **keywords)


@pytest.mark.parametrize("order", [-1, 0, math.inf, math.nan, "two", True])
def test_bad_orders_between_distributions(order):
    """Rényi's order between densities is positive and finite."""
    with pytest.raises(dv.DataError, match="order must be"):
        dv.renyi(NORMAL, stats.norm(1, 1), order)


def test_a_distribution_beside_a_vector():
    """Rényi's family takes vectors or distributions, not one of each."""
    for f in (lambda: dv.renyi(NORMAL, [0.5, 0.5], 2), lambda: dv.chernoff([0.5, 0.5], NORMAL)):
        with pytest.raises(dv.DataError, match="got list"):
            f()


@pytest.mark.parametrize(
    "q", [stats.vonmises(2), td.VonMises(torch.tensor(0.0), torch.tensor(2.0))], ids=lambda q: type(q).__name__
)
def test_laws_on_the_circle(q):
    """Von Mises laws live on one turn, whatever line their density is periodic on: KL from Bessel functions."""
    truth = math.log(i0(2) / i0(1)) - i1(1) / i0(1)
    assert dv.kl.between(stats.vonmises(1), q).value == pytest.approx(truth, rel=1e-6)
    moved = dv.kl.between(stats.vonmises(1, loc=3), stats.vonmises(2, loc=3)).value
    assert moved == pytest.approx(truth, rel=1e-12)


def test_half_known_masses_widen_the_bound():
    """A Categorical in float32 keeps its logarithms in float32: the bound says how little that is."""
    p, q = (torch.distributions.Categorical(torch.tensor(masses)) for masses in ([0.2, 0.8], [0.5, 0.5]))
    interval = dv.kl.between(p, q).confidence_interval
    assert interval is not None
    assert interval.low <= dv.kl([0.2, 0.8], [0.5, 0.5]) <= interval.high < interval.low + 1e-5
