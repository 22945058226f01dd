"""Transport between a generator and the target."""

from divergences.optimal_transport import sinkhorn_divergence, sliced_wasserstein, wasserstein
from gan.measures.sample import Pair

DIRECTIONS = 200
BLUR = 0.05  # of the target's mean squared distance
ACCURACY = 1e-3  # of the marginals; the divergence errs by its square


def w1(pair: Pair) -> tuple[float, float, float]:
    """W1 = inf E |X - Y| over couplings of the two samples, and its certified bracket.

    Between samples of one law it is not 0: compare with what a perfect generator gets.
    """
    result = wasserstein(pair.real.points, pair.fake.points)
    return float(result.distance), result.distance_lower, result.distance_upper


def w2(pair: Pair) -> tuple[float, float, float]:
    """W2 = (inf E |X - Y|^2)^(1/2) over couplings of the two samples, and its certified bracket."""
    result = wasserstein(pair.real.points, pair.fake.points, 2)
    return float(result.distance), result.distance_lower, result.distance_upper


def sliced_w1(pair: Pair) -> float:
    """The mean over 200 directions, always the same ones, of W1 between the projections."""
    return float(sliced_wasserstein(pair.real.points, pair.fake.points, projections=DIRECTIONS, rng=0))


def sinkhorn(pair: Pair) -> float:
    """S = OT_eps(x, y) - OT_eps(x, x) / 2 - OT_eps(y, y) / 2 with squared distances as costs.

    eps is 0.05 of the mean squared distance within the target's sample: one scale for a whole run. The marginals are
    solved to 1e-3, which S feels to second order.
    """
    x = pair.real.points
    epsilon = BLUR * 2 * float(x.var(axis=0, ddof=1).sum())  # E |X - X'|^2 = 2 tr Cov
    return sinkhorn_divergence(x, pair.fake.points, 2, epsilon=epsilon, tolerance=ACCURACY)
