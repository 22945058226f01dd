"""Laws of the objectives that no finite space decides: distances of features, and BEGAN with its memory."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

import divergences as dv
from divergences.errors import DataError
from divergences.samples import Gaussian
from gan.objectives import OBJECTIVES, Separable
from gan.objectives.features import MMD, FeatureMatching, Sinkhorn, squared_distances
from gan.objectives.scores import BoundaryEquilibrium, EnergyBased, Minimax, NonSaturating
from tests.laws import objective_laws as laws

SEEDS = torch.arange(4)


def clouds(n=40, m=40, k=3, shift=1.0):
    """Two seeds of features, (2, n, k) and (2, m, k)."""
    rng = np.random.default_rng(n + m + k)
    x, y = rng.normal(size=(2, n, k)), shift + rng.normal(size=(2, m, k)) * [1.0, 0.5, 2.0][:k]
    return torch.tensor(x, requires_grad=True), torch.tensor(y, requires_grad=True)


def oracle(name, x, y):
    """The distance by `divergences`, per seed."""
    if name == "sinkhorn":
        return torch.stack([dv.sinkhorn_divergence(a, b, p=2) for a, b in zip(x, y, strict=True)])
    kernels = [Gaussian(b) for b in MMD().bandwidths]  # whose MMD^2 is the mean over the kernels
    return len(kernels) * torch.stack([dv.mmd(a, b, kernels) for a, b in zip(x, y, strict=True)])


def errors(name, objective, **shape):
    """Relative errors of value and gradient of a distance of features."""
    x, y = clouds(**shape)
    expected, found = oracle(name, x, y), objective.estimate(x, y)
    slopes = [torch.cat(torch.autograd.grad(v.sum(), (x, y)), 1) for v in (expected, found)]
    value = (found - expected).detach().abs() / expected.detach().abs()
    slope = (slopes[1] - slopes[0]).norm(dim=(1, 2)) / slopes[0].norm(dim=(1, 2))
    return float(value.max()), float(slope.max())


@pytest.mark.parametrize("shape", [{}, {"n": 30, "m": 50}, {"shift": 0.0}, {"k": 1}, {"shift": 20.0}])
def test_distances_of_features(shape):
    """MMD^2 and the Sinkhorn divergence, and their gradients, are those of `divergences`."""
    value, slope = errors("mmd", MMD(), **shape)
    assert value < 1e-11
    assert slope < 1e-11
    value, slope = errors("sinkhorn", Sinkhorn(), **shape)  # 50 sweeps instead of as many as it takes
    assert value < 2e-3
    assert slope < 0.01
    value, slope = errors("sinkhorn", Sinkhorn(iterations=400), **shape)
    assert value < 1e-5
    assert slope < 1e-4


@dataclass(frozen=True)
class Biased(MMD):
    """MMD^2 with the pairs of a point with itself."""

    def _within(self, x):
        return self._kernel(x, x).mean((-2, -1))


@dataclass(frozen=True)
class Entropic(Sinkhorn):
    """Without the terms that remove the bias."""

    def estimate(self, real, fake):
        cross = (real[..., :, None, :] - fake[..., None, :, :]).square().sum(-1)
        return self._entropic(cross, self.epsilon * cross.detach().mean((-2, -1), keepdim=True))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mmd", Biased()),
        ("mmd", MMD(bandwidths=(1.0, 2.0, 4.0, 8.0))),
        ("sinkhorn", Entropic()),
        ("sinkhorn", Sinkhorn(epsilon=0.2)),
        ("sinkhorn", Sinkhorn(iterations=1)),
    ],
)
def test_distances_of_features_bite(name, wrong):
    """A bias, a kernel forgotten, another epsilon and one sweep only are rejected."""
    value, slope = errors(name, wrong)
    assert value > 2e-3
    assert slope > 0.01 or isinstance(wrong, Biased)  # whose diagonal is constant


@pytest.mark.parametrize("name", ["mmd", "sinkhorn"])
def test_critic_and_generator_are_opposed(name):
    """What the generator minimises is what the critic maximises, and what is reported."""
    x, y = clouds()
    objective = OBJECTIVES[name]
    assert torch.equal(objective.critic_loss(x, y), -objective.estimate(x, y))
    assert torch.equal(objective.generator_loss(x, y), objective.estimate(x, y))


def test_sinkhorn_of_equal_clouds_is_zero():
    """x against x is exactly 0, also where all points are one; far apart it is the squared shift."""
    x, _ = clouds()
    assert Sinkhorn().estimate(x, x).tolist() == [0.0, 0.0]
    point = torch.ones(2, 5, 3, requires_grad=True)
    value = Sinkhorn().estimate(point, point.detach())
    assert value.tolist() == [0.0, 0.0]
    assert bool(torch.autograd.grad(value.sum(), point)[0].isfinite().all())
    assert Sinkhorn().estimate(x, x + 100).tolist() == pytest.approx([3e4, 3e4], rel=1e-9)


def test_squared_distances_are_exact_and_twice_differentiable():
    """Far from 0 no digit is lost, equal points are 0 apart, and both derivatives are those of finite differences."""
    x, y = (v[:, :5].detach().requires_grad_() for v in clouds())
    assert torch.autograd.gradcheck(squared_distances, (x, y))
    assert torch.autograd.gradgradcheck(squared_distances, (x, y))
    far = 2.0**40 + torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
    assert squared_distances(far, far).tolist() == [[0.0, 1.0, 9.0], [1.0, 0.0, 4.0], [9.0, 4.0, 0.0]]
    far.requires_grad_()
    (slope,) = torch.autograd.grad(squared_distances(far, far.detach())[0].sum(), far)
    assert slope.tolist() == [[-8.0], [0.0], [0.0]]  # 2 (0 - 0) + 2 (0 - 1) + 2 (0 - 3)


def test_mmd_is_unbiased_and_needs_two_points():
    """Over many small samples of one law the mean is 0 within four standard errors; one point is an error."""
    rng = np.random.default_rng(0)
    x, y = torch.tensor(rng.normal(size=(2, 4000, 3, 2)))
    values = MMD().estimate(x, y)
    assert abs(float(values.mean())) < 4 * float(values.std()) / 4000**0.5
    assert abs(float(Biased().estimate(x, y).mean())) > 0.1
    with pytest.raises(DataError, match="at least 2 points on each side; got 1"):
        MMD().estimate(x, y[:, :1])


def test_relativistic_points_come_in_pairs():
    """A single fake point is not paired with every real one unnoticed."""
    with pytest.raises(DataError, match="as many real as fake points; got 3 and 1"):
        OBJECTIVES["relativistic"].critic_loss(torch.zeros(3), torch.zeros(1))


def test_feature_matching():
    """The critic is the logistic one on the first output; the generator matches means of the others."""
    x, y = clouds()
    objective = FeatureMatching()
    assert torch.equal(objective.critic_loss(x, y), Minimax().critic_loss(x[..., 0], y[..., 0]))
    expected = (x.detach().numpy()[..., 1:].mean(1) - y.detach().numpy()[..., 1:].mean(1)) ** 2
    assert np.allclose(objective.generator_loss(x, y).detach().numpy(), expected.sum(-1), rtol=1e-12)
    for output in (x, y):
        (slope,) = torch.autograd.grad(objective.generator_loss(x, y).sum(), output)
        assert bool((slope[..., 0] == 0).all())  # the score is the critic's own business
    with pytest.raises(DataError, match="at least 2 outputs"):
        objective.generator_loss(x[..., :1], y[..., :1])


def balanced(objective, real_energy, fake_energy, steps):
    """k after many steps at constant energies, one per seed."""
    memory = objective.initial(SEEDS, torch.float64)
    real = -torch.tensor(real_energy, dtype=torch.float64)[:, None].expand(-1, 5)
    fake = -torch.tensor(fake_energy, dtype=torch.float64)[:, None].expand(-1, 5)
    for _ in range(steps):
        memory = objective.at(memory).advance(real, fake)
    return memory["k"].tolist()


def test_began_keeps_its_balance():
    """k grows while fake energies are below gamma times the real ones, shrinks above, rests there; within [0, 1]."""
    objective = BoundaryEquilibrium(gamma=0.5, rate=0.01)
    assert objective.initial(SEEDS, torch.float32)["k"].dtype == torch.float32
    energies = [2.0, 2.0, 2.0, 2.0], [0.5, 1.0, 3.0, 0.0]
    assert balanced(objective, *energies, 10) == pytest.approx([0.05, 0.0, 0.0, 0.1], abs=1e-12)
    assert balanced(objective, *energies, 1000) == pytest.approx([1.0, 0.0, 0.0, 1.0])
    flipped = BoundaryEquilibrium(gamma=1.0, rate=0.01)
    assert balanced(flipped, *energies, 10) != pytest.approx([0.05, 0.0, 0.0, 0.1], abs=1e-3)


def test_began_losses_and_measure():
    """Losses with each seed's own k, and M = E e + |gamma E e - E e'|, against numbers by hand."""
    k = torch.tensor([0.0, 0.25, 1.0, 0.5], dtype=torch.float64)
    objective = BoundaryEquilibrium(gamma=0.5).at({"k": k})
    real, fake = -torch.tensor([[1.0, 3.0]] * 4), -torch.tensor([[4.0, 8.0]] * 4)  # energies 2 and 6
    real, fake = real.double().requires_grad_(), fake.double().requires_grad_()
    assert objective.critic_loss(real, fake).tolist() == [2.0, 0.5, -4.0, -1.0]
    assert objective.generator_loss(real, fake).tolist() == [6.0] * 4
    assert objective.estimate(real, fake).tolist() == [7.0] * 4  # 2 + |1 - 6|
    assert not objective.advance(real, fake)["k"].requires_grad
    assert Minimax().initial(SEEDS, torch.float64) == Minimax().advance(real, fake) == {}
    assert Minimax().at({}) == Minimax()


def test_third_kinds_of_points():
    """A separable critic's loss is its two halves, so that further points can be rejected as fake ones are."""
    real, fake = torch.tensor([0.3, -1.0]), torch.tensor([2.0, -0.5])
    for objective in OBJECTIVES.values():
        if isinstance(objective, Separable):
            assert torch.equal(objective.critic_loss(real, fake), objective.real_loss(real) + objective.fake_loss(fake))


def followed(objective, p, logits):
    """The generator's gradient in the logits of q, its critic held at the best one's scores v."""
    v = laws.best_critic(objective, p, torch.softmax(logits, 0).detach().numpy())[1]
    loss = laws.expected(objective.generator_loss, torch.tensor(v), torch.tensor(p), torch.softmax(logits, 0))
    return torch.autograd.grad(loss, logits)[0]


GENERATORS = {
    "minimax": lambda p, q: 2 * dv.js(p, q),
    "nonsaturating": lambda p, q: dv.kl(q, p) - 2 * dv.js(p, q),  # D11
    "label-smoothing": lambda p, q: dv.kl(q, p) - 2 * dv.js(p, q),  # log D moves by log 0.9 everywhere
    "max-likelihood": dv.kl,  # D12
    **{f"fgan-{d.name.split('(')[0].replace('_', '-')}": d for d in dv.CATALOGUE.values()},
}
SMOOTH = [name for name in GENERATORS if name not in {"fgan-total-variation", "fgan-hockey-stick"}]


@pytest.mark.parametrize("name", SMOOTH)
def test_what_the_generator_follows(name):
    """Under the best critic the generator's gradient is that of a divergence, which `divergences` differentiates."""
    p = np.array([0.5, 0.3, 0.2])
    logits = torch.tensor([0.3, -0.4, 0.2], dtype=torch.float64, requires_grad=True)
    divergence = GENERATORS[name]
    (gradient,) = torch.autograd.grad(divergence(torch.tensor(p), torch.softmax(logits, 0)), logits)
    found = followed(OBJECTIVES[name], p, logits)
    assert float((found - gradient).abs().max()) < 1e-6
    other = followed(OBJECTIVES["least-squares"], p, logits)
    assert float((other - gradient).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NonSaturating(smoothing=0.0), "smoothing, the label"),
        (lambda: NonSaturating(smoothing=1.1), "smoothing, the label"),
        (lambda: Minimax(smoothing=float("nan")), "smoothing must be a finite number"),
        (lambda: EnergyBased(margin=0.0), "margin must be"),
        (lambda: EnergyBased(margin=float("inf")), "margin must be"),
        (lambda: BoundaryEquilibrium(gamma=2.0), "gamma, the wanted ratio"),
        (lambda: BoundaryEquilibrium(rate=-1.0), "rate must be"),
        (lambda: MMD(bandwidths=()), "at least one"),
        (lambda: MMD(bandwidths=(1.0, 0.0)), "a bandwidth must be"),
        (lambda: Sinkhorn(epsilon=0.0), "epsilon must be"),
        (lambda: Sinkhorn(iterations=0), "iterations must be"),
        (lambda: Sinkhorn(iterations=True), "iterations must be"),
    ],
)
def test_bad_parameters(make, message):
    """A parameter that makes no sense is named."""
    with pytest.raises(DataError, match=message):
        make()
