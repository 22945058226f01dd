"""The checker of inequalities: its rules at infinity, its conditions, its input and how it reads."""

import json
import math

import numpy as np
import pytest
import torch

import divergences as dv

P, Q = [0.5, 0.3, 0.2], [0.25, 0.25, 0.5]


def test_both_sides_and_the_slack():
    """The numbers are those of the divergences."""
    r = dv.inequalities(P, Q)["pinsker"]
    assert r.left is not None
    assert r.right is not None
    assert r.left == dv.total_variation(P, Q)
    assert r.right == pytest.approx(math.sqrt(dv.kl(P, Q) / 2), rel=1e-15)
    assert r.slack == r.right - r.left
    assert r.holds
    assert r.source.startswith("Pinsker")


def test_infinite_sides():
    """Finite <= inf has infinite slack; inf <= inf says nothing about slack, and holds."""
    result = dv.inequalities([0.5, 0.5], [1.0, 0.0])
    assert (result["hellinger_kl"].right, result["hellinger_kl"].slack) == (math.inf, math.inf)
    both = result["kl_pearson"]
    assert (both.left, both.right, both.slack, both.holds) == (math.inf, math.inf, None, True)
    assert both.note == "both sides are infinite"


def test_a_condition_that_fails_is_listed():
    """Reverse Pinsker needs a least mass of q, W1 needs points: both are in the table, with the reason."""
    result = dv.inequalities([0.5, 0.5], [1.0, 0.0])
    assert result["reverse_pinsker"].holds is None
    assert "q > 0" in result["reverse_pinsker"].note
    assert result["wasserstein_lower"].note == "needs points="
    assert dv.inequalities([0.5, 0.5, 0.0], [0.3, 0.7, 0.0])["reverse_pinsker"].holds  # nobody charges the third


def test_products_that_leave_the_floats_are_listed():
    """A mass of 1e-200 through a channel of 1e-200 is 0 in floats, which is no outcome that cannot happen."""
    result = dv.inequalities([1e-200, 1.0], [0.5, 0.5], channel=[[1e-200, 1.0], [0.5, 0.5]])
    assert result["data_processing_kl"].holds is None
    assert result["data_processing_kl"].note == "masses times the channel leave the floats"


def test_distances():
    """W1 between 1 and 3 times the total variation, on the charged points only."""
    result = dv.inequalities([0.5, 0.5, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0], points=[0.0, 1.0, 3.0, 99.0])
    assert result["wasserstein_upper"].right == pytest.approx(3 * 0.5)
    assert result["wasserstein_upper"].left == pytest.approx(1.5)
    assert result["wasserstein_lower"].left == pytest.approx(1 * 0.5)
    twice = dv.inequalities([0.5, 0.5], [0.1, 0.9], points=[[1.0, 2.0], [1.0, 2.0]])
    assert twice["wasserstein_lower"].left == twice["wasserstein_upper"].right == 0


def test_nearly_equal_through_a_channel():
    """p and q agree to nine digits and their images to sixteen: the comparison still has its digits."""
    p = np.array([0.3, 0.3, 0.4])
    q = p + np.array([1e-9, -1e-9, 0.0])
    result = dv.inequalities(p, q, channel=[[0.5 + 1e-7, 0.5 - 1e-7], [0.5, 0.5], [0.5, 0.5]])
    r = result["data_processing_pearson"]
    assert r.holds
    assert r.left == pytest.approx((1e-16) ** 2 * (1 / 0.5 + 1 / 0.5), rel=1e-6)


def test_reading():
    """By name, by iteration, as a dictionary that is JSON, and as a table."""
    result = dv.inequalities(P, Q, channel=np.full((3, 2), 0.5))
    assert len(result) == len(list(result)) == len(result.to_dict()) == len({r.name for r in result})
    assert json.loads(json.dumps(result.to_dict()))["pinsker"]["holds"] is True
    lines = str(result).splitlines()
    assert lines[0].split() == ["inequality", "left", "right", "slack"]
    assert any(line.startswith("V ≤ √(KL/2)") and line.endswith("holds") for line in lines)
    assert any(line.endswith("needs points=") for line in lines)
    with pytest.raises(KeyError, match="'pinskr' is none of pinsker, "):
        result["pinskr"]


def test_a_violation_is_shown():
    """What no pair should give is told apart in the table."""
    from divergences.bounds.checker import Inequalities, compare

    result = Inequalities((compare("wrong", "1 ≤ 0", 1.0, 0.0, ""), compare("right", "0 ≤ 1", 0.0, 1.0, "")))
    assert [r.name for r in result.violated] == ["wrong"]
    assert "VIOLATED" in str(result)
    assert compare("", "", math.inf, 1.0, "").holds is False


def test_inputs():
    """Tensors and weights are taken; what is not one pair is refused."""
    tensors = dv.inequalities(torch.tensor(P, dtype=torch.float64), torch.tensor(Q, dtype=torch.float64))
    assert tensors.to_dict() == dv.inequalities(P, Q).to_dict()
    weighted = dv.inequalities([5, 3, 2], [1, 1, 2], normalize=True)["pinsker"]
    assert weighted.left == pytest.approx(dv.inequalities(P, Q)["pinsker"].left)
    with pytest.raises(dv.DataError, match="must be one pair of vectors; got shapes"):
        dv.inequalities([P, Q], [Q, P])
    with pytest.raises(dv.NotNormalizedError):
        dv.inequalities([0.5, 0.2, 0.2], Q)
    with pytest.raises(dv.DataError, match="same number of outcomes"):
        dv.inequalities([0.5, 0.5], Q)
    with pytest.raises(dv.DataError, match="points must have one row per outcome; got 2 rows for 3 outcomes"):
        dv.inequalities(P, Q, points=[0.0, 1.0])
    with pytest.raises(dv.DataError, match="channel must be a matrix with one row per outcome of p"):
        dv.inequalities(P, Q, channel=[[0.5, 0.5]])
    with pytest.raises(dv.NotNormalizedError, match="channel must sum to one"):
        dv.inequalities(P, Q, channel=np.ones((3, 2)))
