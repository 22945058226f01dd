"""KL, reverse KL and JS of generators against known laws, and what has no density."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.stats import norm

from divergences.errors import DataError
from gan.data import DATASETS
from gan.random import Stream
from tests.unit.test_gan_measures import RING, pair_of, value


def wide(sigma: float) -> dict[str, float]:
    """KL, reverse KL and JS of mixture1d from N(0.5, sigma^2), by quadrature."""
    p = lambda x: 0.33 * norm.pdf(x, -1, 0.255) + 0.67 * norm.pdf(x, 2, 1.415)
    q = lambda x: norm.pdf(x, 0.5, sigma)
    inside = lambda f: integrate.quad(f, -6, 9, points=[-2, -1, 0], limit=400)[0]
    mean = lambda x: (p(x) + q(x)) / 2
    half = lambda a: inside(lambda x: a(x) * math.log(a(x) / mean(x)) / 2)
    return {
        "kl": inside(lambda x: p(x) * math.log(p(x) / q(x))),
        "reverse_kl": inside(lambda x: q(x) * math.log(q(x) / p(x))),
        "js": half(p) + half(q),
    }


@pytest.mark.parametrize("sigma", [1.2, 1.8])
def test_divergences_of_known_laws(sigma):
    """The mean over twenty samples of 1,000 is within 0.03 nats and 8 % of quadrature; the factor half counts."""
    mixture = DATASETS["mixture1d"]
    rng = np.random.default_rng(3)
    real = mixture.sample(torch.arange(20), Stream.REFERENCE, 0, 1000).numpy()
    pairs = [pair_of(x, rng.normal(0.5, sigma, (1000, 1)), mixture) for x in real]
    for name, truth in wide(sigma).items():
        found = np.mean([value(name, pair) for pair in pairs])
        assert abs(found - truth) < 0.03 + 0.08 * truth, name
        assert abs(found - 2 * truth) > 0.03 + 0.08 * 2 * truth, name


def test_the_entropy_s_bias_is_taken_away():
    """A perfect generator's reverse KL is 0 on average; the entropy's own bias on eight narrow modes, 0.05, is not."""
    x, y = (RING.sample(torch.arange(20), s, 0, 1000).numpy() for s in (Stream.REFERENCE, Stream.SAMPLE))
    found = [value("reverse_kl", pair_of(a, b)) for a, b in zip(x, y, strict=True)]
    assert abs(np.mean(found)) < 0.025


def test_far_samples_count_in_the_reverse_kl():
    """A tenth of the samples at distance 10 from every mode adds a tenth of -log p there, which no sample shows."""
    x, y = (RING.sample(torch.arange(1), s, 0, 1000)[0].numpy() for s in (Stream.REFERENCE, Stream.SAMPLE))
    rng = np.random.default_rng(0)
    y[:100] = np.array([12.0, 0.0]) + 0.1 * rng.normal(size=(100, 2))
    # Strays: log q = log 0.1 - log(2 pi 0.01) - 1 on average, log p = -|y - (2, 0)|^2 / 0.02 - log(8 * 2 pi 0.01).
    far = math.log(0.1) - 1 + math.log(8) + (100 + 2 * 0.01) / 0.02
    wanted = 0.1 * far + 0.9 * math.log(0.9)
    assert value("reverse_kl", pair_of(x, y)) == pytest.approx(wanted, rel=0.02)


def test_atoms_have_no_density():
    """A generator of few points is infinitely far in KL both ways and log 2 in JS; a partly atomic one by the rule."""
    x, y = (RING.sample(torch.arange(1), s, 0, 600)[0].numpy() for s in (Stream.REFERENCE, Stream.SAMPLE))
    atoms = np.repeat(y[:50], 12, axis=0)
    assert [value(name, pair_of(x, atoms)) for name in ("kl", "reverse_kl", "js")] == [math.inf, math.inf, math.log(2)]
    partly = np.concatenate([y[:150], np.repeat(y[:1] + 0.01, 450, axis=0)])
    assert value("kl", pair_of(x, partly)) == pytest.approx(value("kl", pair_of(x, y[:150])) + math.log(4), abs=1e-12)
    assert value("reverse_kl", pair_of(x, partly)) == math.inf
    with pytest.raises(DataError, match="75% of the generator's are copies"):
        value("js", pair_of(x, partly))
    pairwise = np.repeat(y[:300], 2, axis=0)  # as float32 may do
    assert math.isfinite(value("reverse_kl", pair_of(x, pairwise)))


@pytest.mark.parametrize("factor", [1e-30, 1e-200, 1e30, 1e90])
def test_scales_too_far_apart(factor):
    """Where one sample is a point at the scale of the other, KL and JS say so; the transport distances still answer."""
    x, y = (RING.sample(torch.arange(1), s, 0, 300)[0].numpy() for s in (Stream.REFERENCE, Stream.SAMPLE))
    pair = pair_of(x, factor * y)
    for name in ("kl", "js"):
        with pytest.raises(DataError, match="scales up to 1e\\+12 apart"):
            value(name, pair)
    assert value("w1", pair) == pytest.approx(2.0 * max(1, factor), rel=0.02)
    outlier = np.concatenate([y[:-1], [[1e20, 0.0]]])
    with pytest.raises(DataError, match="apart"):
        value("js", pair_of(x, outlier))
