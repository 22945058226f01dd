"""Gradients through torch, against finite differences."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array

from divergences.optimal_transport import (
    Exact,
    GibbsPlan,
    LinearProgram,
    Sinkhorn,
    Univariate,
    _certificate,
    kantorovich_rubinstein,
    sinkhorn_divergence,
    sliced_wasserstein,
    transport,
    wasserstein,
)

RNG = np.random.default_rng(0)
X, Y = torch.tensor(RNG.normal(size=(5, 2))), torch.tensor(RNG.normal(size=(4, 2)) + 1)
A, B = torch.tensor(RNG.dirichlet(np.ones(5))), torch.tensor(RNG.dirichlet(np.ones(4)))


def slope(value, at, direction, step=1e-6):
    """The central difference of `value` at a tensor in a direction."""
    return float(value(at + step * direction) - value(at - step * direction)) / (2 * step)


def agree(value, at, direction, rel=1e-5):
    """Autograd equals the central difference."""
    leaf = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(leaf), leaf)
    assert torch.isfinite(gradient).all()
    expected = slope(value, at, direction)
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=rel, abs=1e-7)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("p", [1, 1.5, 2])
def test_points(metric, p):
    """With respect to both samples, for cost and distance."""
    move_x, move_y = torch.tensor(RNG.normal(size=(5, 2))), torch.tensor(RNG.normal(size=(4, 2)))
    for field in ("cost", "distance"):
        agree(lambda x, f=field: getattr(wasserstein(x, Y, p, a=A, b=B, metric=metric), f), X, move_x)
        agree(lambda y, f=field: getattr(wasserstein(X, y, p, a=A, b=B, metric=metric), f), Y, move_y)


@pytest.mark.parametrize("solver", [Exact(), LinearProgram(), Univariate()], ids=lambda s: type(s).__name__)
def test_masses(solver):
    """With respect to masses, along directions that keep the total."""
    x, y = X[:, 0], Y[:, 0]
    move_a, move_b = (torch.tensor(v - v.mean()) for v in (RNG.normal(size=5), RNG.normal(size=4)))
    agree(lambda a: wasserstein(x, y, 2, a=a, b=B, solver=solver).cost, A, move_a)
    agree(lambda b: wasserstein(x, y, 2, a=A, b=b, solver=solver).distance, B, move_b)


@pytest.mark.parametrize("field", ["cost", "distance", "regularized"])
def test_masses_that_grow_together(field):
    """Masses need not sum to one: twice the mass costs twice as much, and the gradient says so."""
    solver = Sinkhorn(epsilon=0.2, tolerance=1e-11) if field == "regularized" else Exact()
    mass = torch.tensor(1.5, dtype=torch.float64)
    agree(lambda t: getattr(wasserstein(X, Y, 2, a=t * A, b=t * B, solver=solver), field), mass, torch.tensor(1.0))


def test_cost_matrix():
    """With respect to the cost matrix the gradient is the plan."""
    cost = torch.tensor(RNG.uniform(size=(5, 4)), requires_grad=True)
    r = transport(cost, A, B)
    (gradient,) = torch.autograd.grad(r.cost, cost)
    assert np.array_equal(gradient.numpy(), coo_array(r.plan).toarray())
    agree(lambda c: transport(c, A, B).distance, cost.detach(), torch.tensor(RNG.normal(size=(5, 4))))


def test_entropic_value():
    """Sinkhorn's regularised value is differentiable in everything; its rounded cost is detached."""
    solver = Sinkhorn(epsilon=0.2, tolerance=1e-11)
    move = torch.tensor(RNG.normal(size=(5, 2)))
    agree(lambda x: wasserstein(x, Y, 2, a=A, b=B, solver=solver).regularized, X, move)  # type: ignore
    shift = torch.tensor([0.1, -0.3, 0.1, 0.05, 0.05])
    agree(lambda a: wasserstein(X, Y, 2, a=a, b=B, solver=solver).regularized, A, shift)  # type: ignore
    cost = torch.cdist(X, Y)
    agree(lambda c: transport(c, solver=solver).regularized, cost, torch.rand(5, 4).double())  # type: ignore
    r = wasserstein(X.clone().requires_grad_(), Y, solver=solver)
    assert not r.cost.requires_grad
    assert not r.distance.requires_grad
    agree(lambda x: sinkhorn_divergence(x, Y, 2, epsilon=0.2, tolerance=1e-11), X, move)


def test_at_zero():
    """At cost 0, and at coincident points, gradients are 0 and never NaN."""
    for p in (1, 2):
        for solver in (Exact(), None):
            x = X.clone().requires_grad_()
            r = wasserstein(x, X.clone(), p, solver=solver)
            (gradient,) = torch.autograd.grad(r.distance + r.cost, x)
            assert r.distance == 0
            assert (gradient == 0).all()
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(wasserstein(x, y).cost, x)
    assert torch.allclose(gradient, torch.tensor([[0.0, 0.0], [-0.5, 0.0]], dtype=torch.float64))


def test_dtype_and_graph():
    """float32 in, float32 out; no gradient is asked for, none is carried; bounds stay plain numbers."""
    r = wasserstein(X.float(), Y.float())
    assert r.cost.dtype == r.distance.dtype == torch.float32
    assert not r.cost.requires_grad
    assert isinstance(r.lower, float)
    assert r.potentials[0].dtype == torch.float64
    assert float(r.cost) == pytest.approx(wasserstein(X.numpy(), Y.numpy()).cost, rel=1e-6)
    x = X.float().requires_grad_()
    wasserstein(x, Y.float()).cost.backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float32
    assert transport(torch.tensor([[1, 2], [0, 3]])).cost.dtype == torch.float64


def test_no_plan_without_gradients(monkeypatch):
    """The dense plan of an entropic result is written for gradients only."""
    monkeypatch.setattr(_certificate, "COMPILED_FROM", 0)
    monkeypatch.setattr(GibbsPlan, "dense", None)
    assert wasserstein(X, Y, solver=Sinkhorn()).converged
    with pytest.raises(TypeError):
        wasserstein(X.clone().requires_grad_(), Y, solver=Sinkhorn())


def test_omitted_rows_have_gradient_zero():
    """Rows dropped for NaN take no part in the gradient."""
    x = torch.cat([X, torch.full((1, 2), torch.nan, dtype=torch.float64)]).requires_grad_()
    (gradient,) = torch.autograd.grad(wasserstein(x, Y, nan_policy="omit").cost, x)
    assert torch.isfinite(gradient).all()
    assert (gradient[5] == 0).all()
    assert (gradient[:5] != 0).any()


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
def test_critic(metric):
    """The torch critic is the NumPy one, with slopes of at most one; its value carries the gradient of W1."""
    k = kantorovich_rubinstein(X.numpy(), Y.numpy(), metric=metric)
    z = torch.tensor(RNG.normal(size=(50, 2)) * 3, requires_grad=True)
    phi = k.critic(z)
    assert np.allclose(phi.detach().numpy(), k.critic(z.detach().numpy()), rtol=0, atol=1e-14)
    (gradient,) = torch.autograd.grad(phi.sum(), z)
    dual = {"euclidean": 2, "cityblock": np.inf, "chebyshev": 1}[metric]
    assert np.linalg.norm(gradient.numpy(), ord=dual, axis=1).max() <= 1 + 1e-12
    agree(lambda x: kantorovich_rubinstein(x, Y, metric=metric).value, X, torch.tensor(RNG.normal(size=(5, 2))))


@pytest.mark.parametrize("p", [1, 2])
def test_sliced(p):
    """The sliced distance is differentiable, sizes differing, and its gradient at 0 is 0."""
    move = torch.tensor(RNG.normal(size=(5, 2)))
    agree(lambda x: sliced_wasserstein(x, Y, p, projections=20, rng=0).value, X, move)
    x = X.clone().requires_grad_()
    value: Any = sliced_wasserstein(x, X.clone(), p, rng=0).value
    (gradient,) = torch.autograd.grad(value, x)
    assert (gradient == 0).all()
