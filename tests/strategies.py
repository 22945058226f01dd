"""What the laws are run on: random probability vectors with zeros, ties and tiny masses on purpose."""

import numpy as np
from hypothesis import strategies as st

_mass = st.one_of(
    st.sampled_from([0.0, 0.0, 1.0, 1.0, 5e-324, 1e-310, 1e-300, 1e-160, 1e-17]),
    st.floats(0.0, 1.0, allow_subnormal=True),
)


@st.composite
def pmfs(draw, size=None):
    """One probability vector whose float sum is one within rounding."""
    k = size or draw(st.integers(1, 6))
    weights = np.array(draw(st.lists(_mass, min_size=k, max_size=k)))
    if weights.sum() < 1e-200:
        weights[draw(st.integers(0, k - 1))] = 1.0
    return weights / weights.sum()


@st.composite
def pmf_pairs(draw):
    """Two probability vectors on the same outcomes, sometimes equal, sometimes apart by rounding only."""
    p = draw(pmfs())
    kind = draw(st.sampled_from(["free", "free", "close", "equal"]))
    if kind == "equal":
        return p, p.copy()
    if kind == "close":
        q = p * (1 + draw(st.sampled_from([1e-15, 1e-9, 1e-4])) * np.linspace(-1, 1, len(p)))
        return p, q / q.sum()
    return p, draw(pmfs(size=len(p)))


def coarse(p):
    """`p` without masses below 1e-100, whose products with one another would underflow in a test's own arithmetic."""
    p = np.where(p < 1e-100, 0.0, p)
    return p / p.sum()


@st.composite
def channels(draw, size):
    """A stochastic matrix: row i is the law of the output at input i."""
    k = draw(st.integers(1, 4))
    return np.array([coarse(draw(pmfs(size=k))) for _ in range(size)])


ratios = st.one_of(st.floats(0.0, 50.0), st.sampled_from([0.0, 1e-300, 1e-8, 1.0, 1 + 1e-12, 1e8]))
scores = st.floats(-30.0, 30.0)


def simplex_grid():
    """Pairs of probability vectors whose masses span the floats: subnormals, tiny, near-equal, one."""
    masses = [0.0, 5e-324, 1.5e-323, 1e-310, 1e-300, 1e-200, 1e-100, 1e-16, 1e-8, 1e-3, 0.1, 0.3, 0.45]
    masses += [m * (1 + 1e-9) for m in (1e-300, 1e-16, 0.3)]
    pairs = [((a, 0.1, 0.9 - a), (b, 0.1, 0.9 - b)) for a in masses for b in masses]
    pairs += [((a, b, 1 - a - b), (b, a, 1 - a - b)) for a in masses for b in masses]
    return np.array([p for p, _ in pairs]), np.array([q for _, q in pairs])
