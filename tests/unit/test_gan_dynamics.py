"""The theory bench: measured eigenvalues and contractions against closed forms, and planted errors that they reject."""

import math
from dataclasses import dataclass, replace
from functools import partial

import mpmath
import numpy as np
import pytest
import torch

import divergences as dv
from divergences.errors import ConvergenceError, DataError
from gan.dynamics.closed_forms import BILINEAR, SLOPES, alternating_contraction, dirac_eigenvalues
from gan.dynamics.dirac import dirac, neutral_score
from gan.dynamics.games import (
    UPDATES,
    DifferentiableGame,
    alternating,
    bilinear,
    consensus,
    contraction,
    derivative,
    eigenvalues,
    jacobian,
    linear_part,
    optimistic,
    proximal,
    simultaneous,
    trajectory,
)
from gan.objectives import OBJECTIVES
from gan.objectives.scores import Minimax, Variational
from gan.penalties import PENALTIES, GradientPenalty, at_fake, at_real, half_square, one_sided, square

ONE = bilinear([[1.0]])
R1 = GradientPenalty(1.0, at_real, half_square)


def spectrum(game):
    linear = derivative(game.field, game.equilibrium)
    assert linear is not None
    return eigenvalues(linear)


def apart(found, expected):
    """The largest distance of two spectra, each eigenvalue to the nearest of the other side."""
    distances = (found[:, None] - expected[None]).abs()
    return float(torch.maximum(distances.min(0).values.max(), distances.min(1).values.max()))


# ---- the bilinear game


@pytest.mark.parametrize("h", [0.01, 0.1, 0.5, 1 / math.sqrt(2), 1.9, 3.0])
@pytest.mark.parametrize("name", UPDATES)
def test_bilinear_contraction(name, h):
    """Every update contracts xy by its closed form."""
    assert contraction(ONE, UPDATES[name], h) == pytest.approx(BILINEAR[name](h), abs=1e-7)


@pytest.mark.parametrize(
    ("name", "at_tenth", "at_half"),
    [
        ("simultaneous", 1.00499, 1.11803),
        ("alternating", 1.0, 1.0),
        ("extragradient", 0.99504, 0.90139),
        ("optimistic", 0.99494, 0.70711),
        ("proximal", 0.99504, 0.89443),
        ("consensus", 0.90554, 0.70711),
    ],
)
def test_bilinear_published_numbers(name, at_tenth, at_half):
    """The numbers of the literature, to their digits."""
    assert [BILINEAR[name](h) for h in (0.1, 0.5)] == pytest.approx([at_tenth, at_half], abs=5.1e-6)


def test_bilinear_matrix():
    """For x'Ay the rate counts in units of the singular values; directions that A ignores stay where they are."""
    a = np.random.default_rng(0).normal(size=(3, 2))
    singular = np.linalg.svd(a, compute_uv=False)
    game, h = bilinear(a), 0.1
    for name in ("simultaneous", "alternating", "extragradient", "optimistic", "proximal"):
        expected = max(1.0, *(BILINEAR[name](h * s) for s in singular))
        assert contraction(game, UPDATES[name], h) == pytest.approx(expected, abs=1e-9), name
    square_game, s = bilinear(a[:2]), np.linalg.svd(a[:2], compute_uv=False)
    expected = max(abs(1 - h * 0.7 * x**2 + 1j * h * x) for x in s)
    step = lambda game, state, rate: consensus(game, state, rate, weight=0.7)
    assert contraction(square_game, step, h) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", UPDATES)
def test_steps_follow_their_contraction(name):
    """Along a trajectory of xy the distance from rest changes as the contraction says."""
    h, steps = 0.3, 400
    states = trajectory(ONE, UPDATES[name], h, torch.tensor([1.0, 0.5]), steps)
    rate = float((states[-1].norm() / states[steps // 2].norm()) ** (2 / steps))
    assert states.shape == (steps + 1, 2)
    assert rate == pytest.approx(BILINEAR[name](h), abs=2e-3)


def test_a_wrong_update_is_rejected():
    """A pull of the wrong sign, a forgotten factor 2, the critic's old coordinates: none has the closed form."""

    def halved(game, state, rate):
        now, last = state[..., :2], state[..., -2:]
        return torch.cat((now + rate * (game.field(now) - game.field(last) / 2), now), dim=-1)

    pushed = partial(consensus, weight=-1.0)
    for wrong, name in ((pushed, "consensus"), (halved, "optimistic"), (simultaneous, "alternating")):
        assert abs(contraction(ONE, wrong, 0.5) - BILINEAR[name](0.5)) > 0.05, name


# ---- Dirac-GANs


@pytest.mark.parametrize("name", SLOPES)
def test_dirac_eigenvalues(name):
    """Every objective's Dirac-GAN has the eigenvalues of its closed form."""
    if name not in OBJECTIVES:
        pytest.skip(f"{name} is not in the catalogue yet")
    assert apart(spectrum(dirac(OBJECTIVES[name])), dirac_eigenvalues(*SLOPES[name])) < 1e-6


@pytest.mark.parametrize("name", [name for name in SLOPES if name.startswith("fgan-")])
def test_f_gan_slopes(name):
    """The closed forms of f-GANs are g'(v) where g(v) = f'(1), by 30 digits and no code of ours but g itself."""
    objective = OBJECTIVES[name]
    assert isinstance(objective, Variational)
    d, v = objective.divergence, neutral_score(objective)
    assert float(d.activation(np.array([v]))[0]) == pytest.approx(d.slope_at_one, abs=1e-9)
    activation = {
        "fgan-kl": lambda v: v,
        "fgan-reverse-kl": lambda v: -mpmath.exp(-v),
        "fgan-js": lambda v: (mpmath.log(2) - mpmath.log1p(mpmath.exp(-v))) / 2,
        "fgan-total-variation": lambda v: mpmath.tanh(v) / 2,
        "fgan-pearson": lambda v: v,
        "fgan-neyman": lambda v: 1 - mpmath.exp(-v),
        "fgan-squared-hellinger": lambda v: 1 - mpmath.exp(-v),
        "fgan-jeffreys": lambda v: v,
        "fgan-le-cam": lambda v: 1 / mpmath.mpf(2) - 2 / (1 + mpmath.exp(v)) ** 2,
        "fgan-gan": lambda v: -mpmath.log1p(mpmath.exp(-v)),
        "fgan-weighted-js": lambda v: 0.3 * (-mpmath.log(0.3) - mpmath.log1p(mpmath.exp(-v))),
        "fgan-alpha": lambda v: 2 - 2 * mpmath.exp(-v / 2),
    }[name]
    with mpmath.workdps(30):
        at = mpmath.findroot(lambda v: activation(v) - d.slope_at_one, v + 0.1)
        assert float(mpmath.diff(activation, at)) == pytest.approx(SLOPES[name][0], abs=1e-9)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("place", [at_real, at_fake])
def test_r1_and_r2(gamma, place):
    """R1 and R2 damp by gamma; at gamma = 2 f'(0) = 1 the two eigenvalues meet."""
    game = dirac(OBJECTIVES["minimax"], [GradientPenalty(gamma, place, half_square)])
    # A double eigenvalue is known to the root of the rounding only; what it solves is known in full.
    assert apart(spectrum(game), dirac_eigenvalues(0.5, 0.5, gamma)) < (2e-8 if gamma == 1 else 1e-12)


def test_penalties_add_up():
    """R3GAN's R1 and R2 together damp by both; a zero-centred penalty without the half damps by twice its weight."""
    both = [R1, replace(R1, place=at_fake, weight=0.5)]
    assert apart(spectrum(dirac(Minimax(), both)), dirac_eigenvalues(0.5, 0.5, 1.5)) < 1e-12
    game = dirac(Minimax(), [PENALTIES["zero-centred"]])
    assert apart(spectrum(game), dirac_eigenvalues(0.5, 0.5, 20.0)) < 1e-12


@pytest.mark.parametrize("name", ["nonsaturating", "relativistic"])
@pytest.mark.parametrize("noise", [0.1, 0.7, 2.5])
def test_instance_noise(noise, name):
    """Instance noise: f''(0) sigma^2 ± sqrt(f''(0)^2 sigma^4 - f'(0)^2); on pairs too, whose noises are independent."""
    expected = dirac_eigenvalues(0.5, 0.5, noise**2 / 2)
    assert apart(spectrum(dirac(OBJECTIVES[name], noise=noise)), expected) < 1e-12


@pytest.mark.parametrize("gamma", [0.3, 1.0])
def test_consensus_on_dirac(gamma):
    """Consensus optimisation: -gamma f'(0)^2 ± i f'(0), seen through one step."""
    step = lambda game, state, rate: consensus(game, state, rate, weight=gamma)
    linear = linear_part(dirac(Minimax()), step, 0.2)
    assert linear is not None
    assert apart((eigenvalues(linear) - 1) / 0.2, torch.tensor([-gamma / 4 + 0.5j, -gamma / 4 - 0.5j])) < 1e-7


@pytest.mark.parametrize(("steps", "rate"), [(1, 0.2), (5, 0.3), (10, 1.0)])
def test_unrolled(steps, rate):
    """k unrolled steps of rate eta damp by 2 k eta bc: the flow converges where plain play turns."""
    game = dirac(Minimax(), unroll=steps, unroll_rate=rate)
    assert apart(spectrum(game), dirac_eigenvalues(0.5, 0.5, 2 * steps * rate / 4)) < 1e-6


@pytest.mark.parametrize(("critic", "generator"), [(1, 1), (5, 1), (2, 3)])
@pytest.mark.parametrize("h", [0.2, 1.0, 6.0])
def test_alternating_steps(critic, generator, h):
    """n_d and n_g steps: 1 - a^2/2 ± sqrt((1 - a^2/2)^2 - 1) with a = sqrt(n_g n_d) h f'(0): bounded up to a = 2."""
    step = lambda game, state, rate: alternating(game, state, rate, critic_steps=critic, generator_steps=generator)
    a = math.sqrt(critic * generator) * h / 2
    found = contraction(dirac(Minimax()), step, h)
    assert found == pytest.approx(alternating_contraction(a), abs=1e-6)
    assert (found > 1 + 1e-6) is (a > 2)


@pytest.mark.parametrize("gamma", [0.3, 3.0])
@pytest.mark.parametrize("critic", [1, 5])
def test_alternating_steps_with_a_penalty(critic, gamma):
    """The closed form of a round keeps its shape under R1, whether its eigenvalues are complex or real."""
    step = lambda game, state, rate: alternating(game, state, rate, critic_steps=critic)
    expected = alternating_contraction(0.2 / 2, 0.2 * gamma, critic)
    game = dirac(Minimax(), [replace(R1, weight=gamma)])
    assert contraction(game, step, 0.2) == pytest.approx(expected, abs=1e-12)


@dataclass(frozen=True)
class WrongSign(Minimax):
    """A generator that walks the wrong way."""

    def generator_loss(self, real, fake):
        return -super().generator_loss(real, fake)


@dataclass(frozen=True)
class Doubled(Minimax):
    """A critic that counts its fake scores twice."""

    def critic_loss(self, real, fake):
        return super().critic_loss(real, 2 * fake)


def test_a_wrong_loss_or_penalty_is_rejected():
    """A wrong sign, a factor 2 and a forgotten half each move an eigenvalue by far more than 1e-6."""
    plain, damped = dirac_eigenvalues(0.5, 0.5), dirac_eigenvalues(0.5, 0.5, 1.0)
    assert apart(spectrum(dirac(WrongSign())), plain) > 0.1
    assert apart(spectrum(dirac(Doubled())), plain) > 0.1
    assert apart(spectrum(dirac(Minimax(), [replace(R1, charge=square)])), damped) > 0.1
    assert apart(spectrum(dirac(Minimax(), [replace(R1, weight=1.01)])), damped) > 1e-2
    assert apart(spectrum(dirac(Minimax(), noise=0.7)), dirac_eigenvalues(0.5, 0.5, 0.7**2 / 4)) > 1e-2


def test_flow_conserves_the_radius():
    """The flow of the unregularised game keeps theta^2 + psi^2: the field is orthogonal to the state."""
    states = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    field = dirac(Minimax()).field(states)
    assert float((field * states).sum(-1).abs().max()) < 1e-15
    damped = dirac(Minimax(), [R1]).field(states)
    assert float((damped * states).sum(-1).max()) < 0


@pytest.mark.parametrize("h", [0.05, 0.2])
def test_nonsaturating_limit_cycle(h):
    """Simultaneous steps of the non-saturating game end on a cycle of radius about sqrt(2h), from both sides."""
    start = torch.tensor([[1.0, 1.0], [0.05, 0.05]])
    states = trajectory(dirac(OBJECTIVES["nonsaturating"]), simultaneous, h, start, int(400 / h))
    radius = states[-200:].norm(dim=-1).mean(0)
    assert radius.tolist() == pytest.approx([math.sqrt(2 * h)] * 2, rel=0.02 if h == 0.2 else 0.2)


def test_clipping():
    """The critic of WGAN stays within its bound, and the generator keeps going round."""
    states = trajectory(dirac(OBJECTIVES["wasserstein"], clip=0.5), alternating, 0.1, torch.tensor([1.0, 0.0]), 500)
    assert float(states[:, 1].abs().max()) == 0.5
    assert float(states[-100:].norm(dim=-1).max()) > 0.4


def test_wgan_gp_does_not_converge():
    """The gradient penalty pulls |psi| to one: no derivative at rest, and no rest."""
    game = dirac(OBJECTIVES["wasserstein"], [GradientPenalty(0.7)])
    assert derivative(game.field, game.equilibrium) is None
    assert math.isnan(contraction(game, simultaneous, 0.2))
    states = trajectory(game, simultaneous, 0.2, torch.tensor([1.0, 1.0]), 500)
    assert float(states[-100:].norm(dim=-1).max()) > 0.5


def test_one_sided_penalty_is_smooth_at_rest():
    """A one-sided penalty is silent near slope 0, where autograd of the norm knows no second derivative."""
    game = dirac(OBJECTIVES["wasserstein"], [GradientPenalty(10.0, charge=one_sided)])
    assert not bool(jacobian(game.field, game.equilibrium).isfinite().all())
    assert apart(spectrum(game), dirac_eigenvalues(1.0, 1.0)) < 1e-8


def test_states_of_a_batch_do_not_mix():
    """Many starts at once are the starts one by one, bit for bit."""
    game = dirac(OBJECTIVES["fgan-kl"], [R1], noise=0.3)
    start = torch.tensor([[1.0, 0.5], [-0.3, 0.2], [0.1, 0.9]])
    for name, update in UPDATES.items():
        together = trajectory(game, update, 0.1, start, 5)
        alone = torch.stack([trajectory(game, update, 0.1, s, 5) for s in start], dim=1)
        assert torch.allclose(together, alone, rtol=0, atol=1e-14), name


def test_derivative_agrees_with_differences():
    """The Jacobian of the field and of every update, where they are not linear."""
    game = dirac(OBJECTIVES["fgan-jeffreys"], [R1])
    state = torch.tensor([0.3, -0.4], dtype=torch.float64)
    for update in UPDATES.values():
        begin = update(game, state, 0.1).detach() if update is optimistic else state
        step = lambda s, update=update: update(game, s, 0.1)
        shifts = 1e-6 * torch.eye(len(begin), dtype=torch.float64)
        differences = torch.stack([(step(begin + e) - step(begin - e)).detach() / 2e-6 for e in shifts], dim=1)
        assert torch.allclose(jacobian(step, begin), differences, atol=1e-7)


def test_proximal_step_solves_its_equation():
    """s' = s + h v(s'), where Newton's method has to work for it."""
    game, s, h = dirac(OBJECTIVES["nonsaturating"]), torch.tensor([1.0, 2.0], dtype=torch.float64), 1.5
    after = proximal(game, s, h)
    assert torch.allclose(after, s + h * game.field(after), atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bilinear([1.0, 2.0]), "rows for x"),
        (lambda: bilinear([[float("nan")]]), "finite"),
        (lambda: bilinear("x"), "real numbers"),
        (lambda: dirac(Minimax(), noise=-1), "noise must be"),
        (lambda: dirac(Minimax(), noise=float("nan")), "noise must be"),
        (lambda: dirac(Minimax(), clip=0), "clip must be"),
        (lambda: dirac(Minimax(), unroll=-1), "unroll must be"),
        (lambda: dirac(OBJECTIVES["fgan-hockey-stick"]), "neutral score"),
        (lambda: trajectory(ONE, simultaneous, 0.1, torch.zeros(3), 5), "states of 2 numbers"),
        (lambda: trajectory(ONE, simultaneous, 0.1, torch.tensor([0.0, math.inf]), 5), "finite"),
        (lambda: trajectory(ONE, simultaneous, 0.1, torch.zeros(2), 0), "steps must be"),
        (lambda: trajectory(ONE, simultaneous, math.nan, torch.zeros(2), 5), "rate must be"),
        (lambda: contraction(ONE, simultaneous, -0.1), "rate must be"),
    ],
)
def test_errors(call, message):
    """What cannot be played says why."""
    with pytest.raises(DataError, match=message):
        call()


def test_proximal_step_that_does_not_exist():
    """A step without a solution is an error, not a number."""
    runaway = DifferentiableGame(
        lambda s: -s[..., 0].exp(), lambda s: s[..., 1].square(), 1, torch.zeros(2, dtype=torch.float64)
    )
    with pytest.raises(ConvergenceError, match="smaller rate"):
        proximal(runaway, torch.tensor([5.0, 0.0], dtype=torch.float64), 10.0)


def test_hockey_stick_has_no_neutral_score():
    """E_2 does not separate, and its critic drifts: the reason for its empty row."""
    assert not dv.hockey_stick(2).separates
