"""The inequalities hold on every pair, are tight on the pair named here, and are not true with a better constant."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import divergences as dv
from divergences.bounds.checker import compare
from divergences.bounds.measures import measures
from divergences.bounds.table import TABLE
from tests.strategies import channels, coarse, pmf_pairs

EPS = 1e-3
NEAR = (0.5 + EPS, 0.5 - EPS), (0.5 - EPS, 0.5 + EPS)
MIRRORED = (0.9, 0.1), (0.1, 0.9)
BESIDE_UNIFORM = (0.5 + EPS, 0.5 - EPS), (0.5, 0.5)
HALF = (1.0, 0.0), (0.5, 0.5)
SMALL_PART = (1.0, 0.0), (1 - EPS, EPS)
LARGE_PART = (1.0, 0.0), (EPS, 1 - EPS)
EXCHANGED = (1 - EPS, EPS, 0.0), (1 - EPS, 0.0, EPS)
DISJOINT = (1.0, 0.0), (0.0, 1.0)

# name of the inequality -> a pair on which its left side is more than 99 % of its right side
TIGHT = {
    "pinsker": NEAR,
    "kullback": NEAR,
    "vajda": NEAR,
    "bretagnolle_huber": LARGE_PART,
    "bretagnolle_huber_weak": LARGE_PART,
    "reverse_pinsker": HALF,
    "le_cam_lower": EXCHANGED,
    "le_cam_upper": MIRRORED,
    "hellinger_kl": SMALL_PART,
    "hellinger_jeffreys": NEAR,
    "renyi_half_kl": LARGE_PART,
    "kl_log_pearson": HALF,
    "kl_pearson": SMALL_PART,
    "renyi_order": HALF,
    "pearson_tv": BESIDE_UNIFORM,
    "pearson_tv_region": LARGE_PART,
    "jeffreys_tv": NEAR,
    "jeffreys_tv_region": MIRRORED,
    "js_tv_upper": EXCHANGED,
    "js_tv_lower": NEAR,
    "js_tv_region": MIRRORED,
    "js_hellinger_lower": EXCHANGED,
    "js_hellinger_upper": NEAR,
    "js_jeffreys": NEAR,
    "js_jeffreys_crooks": DISJOINT,
    "js_le_cam_lower": NEAR,
    "js_le_cam_upper": EXCHANGED,
    "le_cam_tv_lower": MIRRORED,
    "le_cam_tv_upper": EXCHANGED,
    "le_cam_hellinger_lower": EXCHANGED,
    "le_cam_hellinger_upper": NEAR,
    "hockey_stick_tv": EXCHANGED,
    "chernoff_lower": MIRRORED,
    "chernoff_upper": LARGE_PART,
    "wasserstein_upper": HALF,
    "wasserstein_lower": HALF,
}
BOUNDS = pytest.mark.parametrize("bound", TABLE, ids=[bound.name for bound in TABLE])


def sides(bound):
    """Both sides of a bound on the pair on which it is tight."""
    p, q = (np.array(x) for x in TIGHT[bound.name])
    m = measures(p, q)
    if bound.name.startswith("wasserstein"):
        m = replace(m, w1=(m.common, m.common), diameter=1.0, separation=1.0)  # two points at distance one
    return bound.left(m), bound.right(m)


def tight(left, right):
    return left > 0.99 * right


@given(pair=pmf_pairs(), data=st.data())
def test_every_inequality_holds(pair, data):
    """Zeros, ties, subnormals, equal and nearly equal pairs; distances and a channel drawn too."""
    p, q = pair
    points = np.array(data.draw(st.lists(st.floats(-10, 10), min_size=len(p), max_size=len(p))))
    result = dv.inequalities(p, q, points=points, channel=data.draw(channels(len(p))))
    assert not result.violated, str(result)
    assert not any(math.isnan(x) for r in result for x in (r.left, r.right, r.slack) if x is not None)


@given(pair=pmf_pairs())
def test_every_inequality_applies_where_masses_are_not_tiny(pair):
    """Nothing is left out by its condition where q is positive and a channel loses no digits."""
    p, q = map(coarse, pair)
    q = (q + 0.1) / (q + 0.1).sum()
    result = dv.inequalities(p, q, points=np.arange(len(p)), channel=np.eye(len(p)))
    assert [r.name for r in result if r.holds is not True] == []


@BOUNDS
def test_every_inequality_is_tight_somewhere(bound):
    """Within 1 % on its pair, so that no constant could be better."""
    assert tight(*sides(bound))


@BOUNDS
def test_a_better_constant_is_violated(bound):
    """With 98 % of the right side the inequality fails, and the checker says so."""
    left, right = sides(bound)
    assert compare("", "", left, right, "").holds
    assert not compare("", "", left, 0.98 * right, "").holds


@BOUNDS
def test_a_worse_constant_is_not_tight(bound):
    """The law of tightness rejects a right side that is too large by 2 %, and so a factor of two."""
    left, right = sides(bound)
    assert not tight(left, 1.02 * right)
    assert not tight(left, 2 * right)


def test_every_inequality_has_its_pair():
    """An inequality joins the table with the pair on which it is tight."""
    assert list(TIGHT) == [bound.name for bound in TABLE]


def test_a_halved_exponent_is_violated():
    """Bretagnolle and Huber's bound nears the trivial V <= 1, where constants hide: e^(-KL/2) is still found out."""
    m = measures(np.array([1.0, 0.0]), np.array([0.1, 0.9]))
    assert m.tv <= math.sqrt(-math.expm1(-m.kl))
    assert m.tv > math.sqrt(-math.expm1(-m.kl / 2))


@pytest.mark.parametrize("name", dv.CATALOGUE)
def test_data_processing_is_tight_and_bites(name):
    """A permutation keeps a divergence, and a matrix that separates what it should mix is found out."""
    p, q = [0.6, 0.3, 0.1], [0.1, 0.4, 0.5]
    kept = dv.inequalities(p, q, channel=np.eye(3)[[2, 0, 1]])[f"data_processing_{name}"]
    assert kept.left == pytest.approx(kept.right, rel=1e-13)
    merged = dv.inequalities(p, q, channel=[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[f"data_processing_{name}"]
    # The order of the sides exchanged: as if merging outcomes had made p and q easier to tell apart.
    assert merged.left is not None
    assert merged.right is not None
    assert merged.left < merged.right
    assert not compare("", "", merged.right, merged.left, "").holds


def test_a_wrong_divergence_is_found_out(monkeypatch):
    """A KL without its logarithm's base, in bits beside nats, breaks several of them at once."""
    from divergences.bounds import measures as module

    p, q = np.array([0.5 + EPS, 0.5 - EPS]), np.array([0.5 - EPS, 0.5 + EPS])
    monkeypatch.setattr(module.entries, "js", lambda p, q: dv.kl(p, (p + q) / 2) / math.log(2))
    assert {r.name for r in dv.inequalities(p, q).violated} >= {"js_hellinger_upper", "js_jeffreys", "js_le_cam_upper"}
