"""What the tests of divergences between densities share."""

from typing import Any

from scipy import stats

import divergences as dv
from divergences.densities._integrand import Pair
from divergences.densities.between import laws

mvn: Any = stats.multivariate_normal  # whose annotation takes a covariance for an int


def pair_of(d: dv.FDivergence, p: Any, q: Any) -> Pair:
    """The divergence and both laws, as the methods take them."""
    first, second = laws(p, q, None)
    return Pair(d, first, second)


def ends(found: dv.Estimate) -> dv.Interval:
    """The interval, which every method between densities gives."""
    assert found.confidence_interval is not None
    return found.confidence_interval
