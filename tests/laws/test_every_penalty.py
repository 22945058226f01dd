"""Laws over every penalty; each law is also shown to reject a planted error."""

import pytest
import torch

from gan.penalties import GradientPenalty, autograd_slope


def test_penalty_of_a_known_slope():
    """A linear critic of slope (3, 4) has norm 5 at every point: the penalty is 10 (5 - 1)^2, per seed."""
    slope = torch.tensor([[[3.0], [4.0]], [[0.6], [0.8]]])  # (S, d, 1)
    critic = lambda x: torch.bmm(x, slope)[..., 0]
    real, fake, u = torch.randn(2, 6, 2), torch.randn(2, 6, 2), torch.rand(2, 6, 1)
    assert GradientPenalty(10.0)(autograd_slope(critic), real, fake, u).tolist() == pytest.approx(
        [160.0, 0.0], abs=1e-4
    )


def penalty_error(penalty):
    """|x|^2/2 has slope |x|: the penalty at (0, 3.5) and (0.3, 0.4) is the mean of (|x| - 1)^2."""
    critic = lambda x: x.square().sum(-1) / 2
    real, fake = torch.tensor([[[0.0, 2.0], [0.3, 0.4]]]), torch.tensor([[[0.0, 4.0], [0.3, 0.4]]])
    u = torch.tensor([[[0.25], [0.5]]])
    return abs(penalty(autograd_slope(critic), real, fake, u).item() - (2.5**2 + 0.5**2) / 2)


def test_penalty_is_two_sided_per_sample_and_between():
    """The norm is one point's, the weight one point's, and slopes below one count as well."""
    assert penalty_error(GradientPenalty(1.0)) < 1e-6


def test_penalty_bites():
    """A norm over the batch, a one-sided penalty, and real and fake exchanged are each rejected."""

    def wrong(dim, low):
        def penalty(slope, real, fake, u):
            norm = torch.linalg.vector_norm(slope(torch.lerp(fake, real, u)), dim=dim)
            return (norm - 1).clamp(min=low).square().mean()

        return penalty

    assert penalty_error(wrong(dim=2, low=-torch.inf)) < 1e-6  # the planted formula itself is right
    assert penalty_error(wrong(dim=1, low=-torch.inf)) > 0.1
    assert penalty_error(wrong(dim=2, low=0)) > 0.1
    assert penalty_error(lambda slope, real, fake, u: GradientPenalty(1.0)(slope, fake, real, u)) > 0.1


def test_penalty_has_gradients_at_slope_zero():
    """A critic that is flat has a penalty of one weight and a finite gradient."""
    w = torch.zeros(2, requires_grad=True)
    penalty = GradientPenalty(10.0)(
        autograd_slope(lambda x: x @ w), torch.ones(4, 2), torch.zeros(4, 2), torch.rand(4, 1)
    )
    (gradient,) = torch.autograd.grad(penalty, w)
    assert penalty.item() == 10
    assert bool(gradient.isfinite().all())
