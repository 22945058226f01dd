"""Laws over every objective; each law is also shown to reject a planted error, of every objective."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import divergences as dv
from divergences.optimal_transport import wasserstein
from gan.objectives import OBJECTIVES, Objective, Separable
from gan.objectives.scores import (
    EnergyBased,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    Variational,
    Wasserstein,
)
from tests.laws import objective_laws as laws

EVERY = pytest.mark.parametrize("name", OBJECTIVES)
# Divergences with a kink reach their value at infinite scores only. W1 and the energies need a critic of a class, and
# a distance of features needs features; BEGAN's k serves a balance and no divergence. These have tests of their own.
KINKS = {"fgan-total-variation": 1.0, "fgan-hockey-stick": 2.0}
BENDS = {"hinge": (-3.0, 3.0), "ebgan": (-30.0, 0.0)}
APART = {"wasserstein", "began", "mmd", "sinkhorn", "feature-matching"}
FREE = [name for name in OBJECTIVES if name not in {*KINKS, *BENDS, *APART}]
P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
REAL = torch.linspace(-1.5, 2, 12, dtype=torch.float64).reshape(3, 4)
FAKE = torch.linspace(0.7, -1.2, 12, dtype=torch.float64).reshape(3, 4)

# The quantity of which the least critic loss is offset - factor * value, by `divergences`
Theory = tuple[float, float, Callable[[np.ndarray, np.ndarray], float]]


def theory(objective: Objective) -> Theory:
    """What the best critic pays on a finite space: offset, factor, and the divergence."""
    total_variation = lambda p, q: float(dv.total_variation(p, q))
    match objective:
        case Variational():
            return 0.0, 1.0, lambda p, q: float(objective.divergence(p, q))
        case NonSaturating(smoothing=s) if s < 1:
            w = s / 2
            smoothed = lambda p, q: float(dv.weighted_js(w)(p, ((1 - s) * p + q) / (2 - s)))
            return -2 * (w * log(w) + (1 - w) * log(1 - w)), 2.0, smoothed
        case LeastSquares():
            return 0.25, 0.25, lambda p, q: float(dv.le_cam(p, q))
        case Hinge():
            return 2.0, 2.0, total_variation
        case EnergyBased(margin=margin):
            return margin, margin, total_variation
        case Relativistic():
            pairs = lambda p, q: float(dv.js(np.outer(p, q).ravel(), np.outer(q, p).ravel()))
            return log(2), 1.0, pairs
        case Minimax() | Separable():  # those of the logistic critic
            return log(4), 2.0, lambda p, q: float(dv.js(p, q))
    raise AssertionError(f"state here what the best critic of {objective} pays")


def least_loss(objective: Objective, p: np.ndarray, q: np.ndarray) -> float:
    offset, factor, divergence = theory(objective)
    return offset - factor * divergence(p, q)


def outputs(objective: Objective, scores: torch.Tensor) -> torch.Tensor:
    """Scores, or as many features per point as the objective asks for."""
    return scores if objective.outputs == 1 else torch.stack((scores, scores.flip(-1) / 2, scores / 4), -1)


def grows_exponentially(objective: Objective) -> bool:
    """Whether its values contain e^v or e^-v: their true value leaves float64 at scores of 1e4."""
    scores = outputs(objective, torch.tensor([300.0, -300.0], dtype=torch.float64))
    losses = objective.critic_loss(scores, scores), objective.generator_loss(scores, scores)
    return any(bool(loss.abs() > 1e30) for loss in losses)


EXPONENTIAL = {name for name, objective in OBJECTIVES.items() if grows_exponentially(objective)}


@dataclass(frozen=True)
class Planted(Objective):
    """An objective with one thing replaced."""

    base: Objective
    critic: laws.Loss | None = None
    generator: laws.Loss | None = None
    outputs: int = field(init=False)
    measures = "nothing"

    def __post_init__(self):
        object.__setattr__(self, "outputs", self.base.outputs)

    def critic_loss(self, real, fake):
        return (self.critic or self.base.critic_loss)(real, fake)

    def generator_loss(self, real, fake):
        return (self.generator or self.base.generator_loss)(real, fake)

    def estimate(self, real, fake):
        return self.base.estimate(real, fake)


pmf = st.lists(st.floats(0.05, 1), min_size=4, max_size=4).map(lambda w: np.array(w) / np.sum(w))


def random_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [(P, Q), *((rng.dirichlet(np.full(4, 2.0)), rng.dirichlet(np.full(4, 2.0))) for _ in range(4))]


@pytest.mark.parametrize("name", [*FREE, *BENDS])
def test_value_at_the_best_critic(name):
    """The least critic loss over all critics, and the estimate there, are the numbers that `divergences` computes.

    The best critic's scores grow with p/q.
    """
    objective = OBJECTIVES[name]
    offset, factor, _ = theory(objective)
    for p, q in random_pairs():
        if name in BENDS:
            loss, scores = laws.best_critic_by_atom(objective, p, q, BENDS[name])
        else:
            loss, scores = laws.best_critic(objective, p, q)
        expected = least_loss(objective, p, q)
        assert abs(loss - expected) < 1e-7 * (1 + abs(expected))
        assert laws.disorder(scores, p, q) < (1e-6 if name in BENDS else 0)
        estimate = float(laws.expected(objective.estimate, torch.tensor(scores), p, q))
        value = (offset - expected) / factor
        if objective.measures.startswith("2 JSD - log 4"):
            value = -expected
        assert abs(estimate - value) < 1e-6 * (1 + abs(value))


@pytest.mark.parametrize("name", FREE)
def test_value_at_the_best_critic_bites(name):
    """A sign flipped, a factor dropped and a number added have another value; arguments swapped have another order."""
    objective = OBJECTIVES[name]
    loss, expected = objective.critic_loss, least_loss(objective, P, Q)
    assert abs(laws.best_critic(objective, P, Q, reach=5.0)[0] - expected) < 1e-6  # the box does no harm
    for wrong in (lambda r, f: -loss(r, f), lambda r, f: loss(r, f) / 2, lambda r, f: loss(r, f) + 0.01):
        assert abs(laws.best_critic(Planted(objective, wrong), P, Q, reach=5.0)[0] - expected) > 1e-3
    swapped = Planted(objective, lambda r, f: loss(f, r))
    assert laws.disorder(laws.best_critic(swapped, P, Q, reach=5.0)[1], P, Q) > 0.01


def test_value_at_the_best_critic_bites_one_term():
    """A flipped divergence, a conjugate with a wrong sign and a label that is not smoothed have another value."""
    error = lambda objective, value: abs(laws.best_critic(objective, P, Q)[0] - value)
    assert error(Variational(dv.kl), -float(dv.kl(Q, P))) > 1e-3
    flipped = replace(dv.pearson, f_star_g=lambda v: v * v / 4 - v)
    assert error(Variational(flipped), -float(dv.pearson(P, Q))) > 1e-3
    assert error(NonSaturating(), least_loss(NonSaturating(smoothing=0.9), P, Q)) > 1e-3


@pytest.mark.parametrize("name", BENDS)
def test_value_at_the_best_critic_bites_at_bends(name):
    """The same planted errors, where the loss has bends."""
    objective, reach = OBJECTIVES[name], BENDS[name]
    loss, expected = objective.critic_loss, least_loss(objective, P, Q)
    for wrong in (lambda r, f: -loss(r, f), lambda r, f: loss(r, f) / 2, lambda r, f: loss(r, f) + 0.01):
        assert abs(laws.best_critic_by_atom(Planted(objective, wrong), P, Q, reach)[0] - expected) > 1e-3
    swapped = Planted(objective, lambda r, f: loss(f, r))
    assert laws.disorder(laws.best_critic_by_atom(swapped, P, Q, reach)[1], P, Q) > 0.01


@pytest.mark.parametrize("name", [*FREE, *KINKS, *BENDS])
@given(p=pmf, q=pmf, scores=st.lists(st.floats(-20, 0), min_size=4, max_size=4))
def test_no_critic_pays_less(name, p, q, scores):
    """Whatever the critic (of nonpositive scores, for the energies), its loss is at least the best one's."""
    objective = OBJECTIVES[name]
    expected = least_loss(objective, p, q)
    loss = float(laws.expected(objective.critic_loss, torch.tensor(scores, dtype=torch.float64), p, q))
    assert loss >= expected - 1e-12 * (1 + abs(expected) + abs(loss))


@pytest.mark.parametrize(("name", "level"), KINKS.items())
@given(p=pmf, q=pmf)
def test_kinks_at_the_sign(name, level, p, q):
    """Total variation and the hockey stick are reached by scores of +-infinity, the sign of p - level q."""
    scores = torch.as_tensor(40 * np.sign(p - level * q))
    loss = laws.expected(OBJECTIVES[name].critic_loss, scores, p, q)
    assert abs(float(loss) - least_loss(OBJECTIVES[name], p, q)) < 1e-12


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
    """Losses and gradients are finite at scores of +-1e4 wherever the true value is; at float32 too."""
    for dtype, far in ((torch.float64, 300.0), (torch.float32, 80.0)):
        reach = 1e4 if name not in EXPONENTIAL else far
        scores = outputs(OBJECTIVES[name], torch.tensor([[reach, -reach]], dtype=dtype))
        for real in (scores, -scores, 0 * scores):
            assert laws.not_finite(OBJECTIVES[name], real, scores) == 0


@pytest.mark.parametrize("name", sorted(EXPONENTIAL))
def test_exponential_losses_do_leave_float64(name):
    """The exceptions of the law above are real: at 1e4 the true value itself is beyond float64."""
    scores = torch.tensor([[1e4, -1e4]], dtype=torch.float64)
    losses = OBJECTIVES[name].critic_loss(scores, scores), OBJECTIVES[name].generator_loss(scores, scores)
    assert any(not bool(loss.isfinite().all()) for loss in losses)


@EVERY
def test_finite_at_extreme_scores_bites(name):
    """A loss that exponentiates a score on its way is not finite at 1e4."""
    loss = OBJECTIVES[name].critic_loss
    naive = Planted(OBJECTIVES[name], lambda r, f: loss((10 * r).exp().log() / 10, f))
    scores = outputs(naive, torch.tensor([[300.0, -300.0]], dtype=torch.float64))
    assert laws.not_finite(naive, scores, scores) > 0


@EVERY
def test_generator_is_pulled_to_real(name):
    """Raising a fake score lowers the generator's loss; so does moving fake features towards the real ones."""
    objective = OBJECTIVES[name]
    real, fake = outputs(objective, REAL), outputs(objective, FAKE)
    assert laws.wrong_direction(objective, real, fake) < 0
    wrong = Planted(objective, generator=lambda r, f: -objective.generator_loss(r, f))
    assert laws.wrong_direction(wrong, real, fake) > 0


@pytest.mark.parametrize("name", sorted(dv.CATALOGUE))
def test_the_faster_generator_is_pulled_to_real(name):
    """The other generator loss of f-GAN, -E_q g(v), has the same direction and vanishes nowhere."""
    assert laws.wrong_direction(Variational(dv.CATALOGUE[name], saturating=False), REAL, FAKE) < 0


@EVERY
def test_order_of_the_arguments_matters(name):
    """Real and fake cannot be exchanged unnoticed, except in a distance of two clouds."""
    objective = OBJECTIVES[name]
    real, fake = outputs(objective, REAL), outputs(objective, FAKE)
    assert laws.order_blindness(objective, real, fake) == (name in {"mmd", "sinkhorn"})
    halved = lambda loss: lambda r, f: loss((r + f) / 2, (r + f) / 2)
    blind = Planted(objective, halved(objective.critic_loss), halved(objective.generator_loss))
    assert laws.order_blindness(blind, real, fake)


@EVERY
def test_single_precision_agrees(name):
    """float32 and float64 agree to float32's precision; not if a loss cancels the digits of its scores."""
    objective = OBJECTIVES[name]
    real, fake = outputs(objective, 3 * REAL), outputs(objective, 3 * FAKE)
    assert laws.precision_error(objective, real, fake) < 3e-6
    loss = objective.critic_loss
    assert laws.precision_error(Planted(objective, lambda r, f: loss((1e4 + r) - 1e4, f)), real, fake) > 3e-6


@EVERY
def test_seeds_do_not_mix(name):
    """Stacked seeds get the losses that each gets by itself, NaN included; a mean over everything is rejected."""
    objective = OBJECTIVES[name]
    real, fake = outputs(objective, REAL), outputs(objective, FAKE)
    assert laws.mixing_of_seeds(objective, real, fake) < 1e-14
    loss = objective.critic_loss
    pooled = lambda r, f: torch.where(loss(r, f).isnan(), torch.nan, loss(r, f).nanmean())
    assert 1e-3 < laws.mixing_of_seeds(Planted(objective, pooled), real, fake) < np.inf
    poisoned = lambda r, f: loss(r, f) + 0 * r.sum()
    assert laws.mixing_of_seeds(Planted(objective, poisoned), real, fake) == np.inf


@EVERY
def test_halves_of_a_batch_can_be_averaged(name):
    """`couples` says exactly whether the loss of a batch is more than the mean of its halves' losses."""
    objective = OBJECTIVES[name]
    gap = laws.coupling(objective, outputs(objective, REAL), outputs(objective, FAKE))
    assert gap > 1e-3 if objective.couples else gap < 1e-14


@pytest.mark.parametrize("logit", [-2.0, -5.0, -10.0, -200.0])
def test_saturation(logit):
    """D8: in the logit, minimax's generator slope is -D, the non-saturating one -(1 - D)."""
    score = torch.tensor([logit], dtype=torch.float64)
    d = float(torch.sigmoid(score))
    assert laws.wrong_direction(Minimax(), score, score) == pytest.approx(-d, rel=1e-12)
    assert laws.wrong_direction(NonSaturating(), score, score) == pytest.approx(d - 1, rel=1e-12)
