"""Laws over every objective; each law is also shown to reject a planted error."""

from dataclasses import dataclass, replace
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import divergences as dv
from divergences.optimal_transport import wasserstein
from gan.objectives import OBJECTIVES, Minimax, NonSaturating, Objective, Variational, Wasserstein
from tests.laws import objective_laws as laws

EVERY = pytest.mark.parametrize("name", OBJECTIVES)
# W1 needs a Lipschitz bound on the critic, and divergences with a kink reach their value at infinite scores only; they
# have tests of their own.
KINKS = {"fgan-total-variation": 1.0, "fgan-hockey-stick": 2.0}
FREE = [name for name in OBJECTIVES if name != "wasserstein" and name not in KINKS]
P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
REAL = torch.linspace(-1.5, 2, 12, dtype=torch.float64).reshape(3, 4)
FAKE = torch.linspace(0.7, -1.2, 12, dtype=torch.float64).reshape(3, 4)


def grows_exponentially(objective: Objective) -> bool:
    """Whether its values contain e^v or e^-v: their true value leaves float64 at scores of 1e4."""
    scores = torch.tensor([300.0, -300.0], dtype=torch.float64)
    return bool(objective.estimate(scores, scores).abs() > 1e30)


EXPONENTIAL = {name for name, objective in OBJECTIVES.items() if grows_exponentially(objective)}


def theory(objective: Objective, p: np.ndarray, q: np.ndarray) -> float:
    """The least critic loss on a finite space, by `divergences`."""
    if isinstance(objective, Variational):
        return -float(objective.divergence(p, q))
    assert isinstance(objective, Minimax | NonSaturating), f"state here what the best critic of {objective} pays"
    return log(4) - 2 * float(dv.js(p, q))


@dataclass(frozen=True)
class Planted(Objective):
    """An objective with one thing replaced."""

    base: Objective
    critic: laws.Score | None = None
    generator: laws.Score | None = None
    measures = "nothing"

    def critic_loss(self, real, fake):
        return (self.critic or self.base.critic_loss)(real, fake)

    def generator_loss(self, real, fake):
        return (self.generator or self.base.generator_loss)(real, fake)

    def estimate(self, real, fake):
        return self.base.estimate(real, fake)


pmf = st.lists(st.floats(0.05, 1), min_size=4, max_size=4).map(lambda w: np.array(w) / np.sum(w))


@pytest.mark.parametrize("name", FREE)
def test_value_at_the_best_critic(name):
    """The least critic loss over all critics is the number that `divergences` computes."""
    rng = np.random.default_rng(0)
    pairs = [(P, Q), *((rng.dirichlet(np.full(4, 2.0)), rng.dirichlet(np.full(4, 2.0))) for _ in range(4))]
    for p, q in pairs:
        expected = theory(OBJECTIVES[name], p, q)
        assert laws.best_critic_error(OBJECTIVES[name], expected, p, q) < 1e-7 * (1 + abs(expected))


def test_value_at_the_best_critic_bites():
    """A flipped divergence, a forgotten factor and a swapped argument have another value."""
    assert laws.best_critic_error(Variational(dv.kl), -float(dv.kl(Q, P)), P, Q) > 1e-3
    assert laws.best_critic_error(Variational(2 * dv.js), -float(dv.js(P, Q)), P, Q) > 1e-3
    flipped = replace(dv.pearson, f_star_g=lambda v: v * v / 4 - v)
    assert laws.best_critic_error(Variational(flipped), -float(dv.pearson(P, Q)), P, Q) > 1e-3


@pytest.mark.parametrize(("name", "level"), KINKS.items())
@given(p=pmf, q=pmf)
def test_kinks_at_the_sign(name, level, p, q):
    """Total variation and the hockey stick are reached by scores of +-infinity, the sign of p - level q."""
    scores = torch.as_tensor(40 * np.sign(p - level * q))
    loss = laws.weighted_loss(OBJECTIVES[name], scores, p, q)
    assert abs(float(loss) - theory(OBJECTIVES[name], p, q)) < 1e-12


def test_wasserstein_at_the_kantorovich_critic():
    """With the potential of the transport problem as critic, the loss is -W1; no 1-Lipschitz critic gets below."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 2)), rng.normal(1, 2, size=(20, 2))
    result = wasserstein(x, y)
    g = result.potentials[1]
    objective = Wasserstein()
    # c-transform: T(z) = min_j |z - y_j| - g_j is 1-Lipschitz, equals f on x and -g on y at the optimum
    critic = lambda z: (np.linalg.norm(z[:, None] - y[None], axis=2) - g).min(1)
    loss = lambda t: float(objective.critic_loss(torch.as_tensor(t(x)), torch.as_tensor(t(y))))
    assert loss(critic) == pytest.approx(-float(result.cost), abs=1e-9)
    assert loss(lambda z: np.linalg.norm(z, axis=1)) >= -float(result.upper) - 1e-12
    assert loss(lambda z: 3 * critic(z)) < -float(result.upper)  # not 1-Lipschitz: the bound is no longer one


@EVERY
def test_finite_at_extreme_scores(name):
    """Losses and gradients are finite at scores of +-1e4 wherever the true value is."""
    reach = 1e4 if name not in EXPONENTIAL else 300.0
    scores = torch.tensor([[reach, -reach]], dtype=torch.float64)
    for real in (scores, -scores, 0 * scores):
        assert laws.not_finite(OBJECTIVES[name], real, scores) == 0


@pytest.mark.parametrize("name", sorted(EXPONENTIAL))
def test_exponential_losses_do_leave_float64(name):
    """The exceptions of the law above are real: at 1e4 the true value itself is beyond float64."""
    scores = torch.tensor([[1e4, -1e4]], dtype=torch.float64)
    value = OBJECTIVES[name].estimate(scores, scores)
    assert not bool(value.isfinite().all())


def test_finite_at_extreme_scores_bites():
    """The textbook form log(1 - sigmoid(v)) is infinite at 1e4."""
    naive = Planted(Minimax(), critic=lambda r, f: -(r.sigmoid().log().mean(-1) + (1 - f.sigmoid()).log().mean(-1)))
    scores = torch.tensor([[1e4, -1e4]], dtype=torch.float64)
    assert laws.not_finite(naive, scores, scores) > 0


@EVERY
def test_generator_is_pulled_to_real(name):
    """Raising a fake score lowers the generator's loss."""
    assert laws.wrong_direction(OBJECTIVES[name], REAL, FAKE) < 0


def test_generator_is_pulled_to_real_bites():
    """A generator that minimises the critic's loss is pushed away."""
    for objective in (Minimax(), Wasserstein(), Variational(dv.kl)):
        assert laws.wrong_direction(Planted(objective, generator=objective.critic_loss), REAL, FAKE) > 0


@EVERY
def test_order_of_the_arguments_matters(name):
    """Real and fake cannot be exchanged unnoticed."""
    assert not laws.order_blindness(OBJECTIVES[name], REAL, FAKE)


def test_order_of_the_arguments_matters_bites():
    """A loss of the absolute difference of means is blind to the order."""
    blind = Planted(Wasserstein(), critic=lambda r, f: -(r.mean(-1) - f.mean(-1)).abs())
    assert laws.order_blindness(blind, REAL, FAKE)


@EVERY
def test_single_precision_agrees(name):
    """float32 and float64 agree to float32's precision."""
    assert laws.precision_error(OBJECTIVES[name], 3 * REAL, 3 * FAKE) < 3e-6


def test_single_precision_agrees_bites():
    """log(1 + e^v) of a cancelled difference loses float32's digits."""
    sloppy = Planted(Minimax(), critic=lambda r, f: ((1e4 + r) - 1e4).mean(-1) + f.mean(-1))
    assert laws.precision_error(sloppy, REAL, FAKE) > 3e-6


@EVERY
def test_seeds_do_not_mix(name):
    """Stacked seeds get the losses that each gets by itself."""
    assert laws.mixing_of_seeds(OBJECTIVES[name], REAL, FAKE) < 1e-14


def test_seeds_do_not_mix_bites():
    """A mean over everything is one loss, not one per seed."""
    pooled = Planted(Minimax(), critic=lambda r, f: (f.mean() - r.mean()).expand(3))
    assert laws.mixing_of_seeds(pooled, REAL, FAKE) > 1e-3


@pytest.mark.parametrize("logit", [-2.0, -5.0, -10.0, -200.0])
def test_saturation(logit):
    """D8: in the logit, minimax's generator slope is -D, the non-saturating one -(1 - D)."""
    score = torch.tensor([logit], dtype=torch.float64)
    d = float(torch.sigmoid(score))
    assert laws.wrong_direction(Minimax(), score, score) == pytest.approx(-d, rel=1e-12)
    assert laws.wrong_direction(NonSaturating(), score, score) == pytest.approx(d - 1, rel=1e-12)
