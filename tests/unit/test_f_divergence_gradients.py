"""The gradients of the f-divergences where autograd through their formulas would give NaN or nothing."""

import numpy as np
import pytest
import torch

import divergences as dv

P, Q = [0.5, 0.3, 0.2], [0.25, 0.25, 0.5]


def test_gradients_at_zero():
    """One-sided derivatives at a zero; 0 where the derivative is -inf, the limit through a softmax."""
    p = torch.tensor([0.0, 0.5, 0.5], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64, requires_grad=True)
    for d, by_p, by_q in (
        (dv.kl, 0.0, 1.0),
        (dv.js, 0.0, np.log(2) / 2),
        (dv.squared_hellinger, 0.0, 1.0),
        (dv.pearson, -2.0, 1.0),
        (dv.total_variation, -0.5, 0.5),
    ):
        gradient_p, gradient_q = torch.autograd.grad(d(p, q), (p, q))
        assert float(gradient_p[0]) == by_p
        assert float(gradient_q[0]) == pytest.approx(by_q)
    both = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(dv.kl(both, torch.tensor([0.0, 1.0], dtype=torch.float64)), both)
    assert gradient.tolist() == [0.0, 0.0]
    (gradient,) = torch.autograd.grad(dv.js(both, torch.tensor([0.0, 1.0], dtype=torch.float64)), both)
    assert gradient.tolist() == pytest.approx([np.log(2) / 2, 0])  # mass that appears where q has none costs f'(inf)


def test_gradients_follow_what_is_asked():
    """A factor scales the gradient; rows with an infinite value that are masked out leave no NaN behind."""
    p = torch.tensor([[0.5, 0.5], [0.5, 0.5]], requires_grad=True)
    q = torch.tensor([[0.25, 0.75], [0.0, 1.0]])
    value = -3 * dv.kl(p, q)
    (gradient,) = torch.autograd.grad(value.masked_fill(torch.isinf(value), 0).sum(), p)
    assert gradient[0].tolist() == pytest.approx([-3 * np.log(2), -3 * np.log(2 / 3)])
    assert gradient[1].tolist() == [0, 0]


def test_gradient_of_the_distance_at_equality():
    """The root of JS has gradient 0, not NaN, at p = q."""
    p = torch.tensor(P, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(dv.js_distance(p, p.detach()), p)
    assert gradient.tolist() == [0.0, 0.0, 0.0]


def test_gradient_broadcasts_back():
    """A vector compared with a batch collects its gradient over the batch."""
    p = torch.tensor(P, dtype=torch.float64, requires_grad=True)
    q = torch.tensor([Q, P], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(dv.kl(p, q).sum(), p)
    assert torch.allclose(gradient, torch.log(p.detach() / q[0]))


def test_rescaling_by_rule_is_no_part_of_the_function():
    """A sum within tolerance of one is divided by a constant: the gradient is that of the rescaled vector."""
    p = torch.tensor(P, dtype=torch.float64).mul(1 + 1e-8).requires_grad_()
    (gradient,) = torch.autograd.grad(dv.kl(p, torch.tensor(Q, dtype=torch.float64)), p)
    assert gradient.tolist() == pytest.approx(dv.kl.gradient(P, Q)[0].tolist(), rel=1e-6)


@pytest.mark.parametrize("name", dv.CATALOGUE)
def test_second_derivatives_of_the_conjugate(name):
    """Autograd's second derivative of v -> f*(g(v)) is that of the function; games differentiate losses twice."""
    f_star_g = dv.CATALOGUE[name].conjugate_activation
    v = torch.tensor([-1.3, 0.3, 2.1], dtype=torch.float64, requires_grad=True)

    def slope(at):
        return torch.autograd.grad(f_star_g(at).sum(), at, create_graph=True)[0]

    (found,) = torch.autograd.grad((slope(v) + 0 * v).sum(), v)  # the term 0 v for slopes that are constant
    step = 1e-5
    differences = (slope(v + step) - slope(v - step)) / (2 * step)
    assert torch.allclose(found, differences.detach(), rtol=1e-7, atol=1e-9)
