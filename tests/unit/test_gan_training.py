"""The parts of the trainer, and the loop itself."""

from dataclasses import replace

import pytest
import torch

import gan
from divergences.errors import ConvergenceError, DataError
from gan.config import Config
from gan.constraints import WeightClipping
from gan.evaluate import Reference, ceiling, modes_covered
from gan.game import Game
from gan.networks import Perceptron
from gan.optimisers import Adam, RMSProp
from gan.penalties import GradientPenalty
from gan.random import Stream, normal

SMALL = {"hidden": (8, 8), "batch": 16, "latent": 2}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Adam(0.01, betas=(0.5, 0.9)), lambda x: torch.optim.Adam([x], lr=0.01, betas=(0.5, 0.9))),
        (Adam(0.01, betas=(0.0, 0.9)), lambda x: torch.optim.Adam([x], lr=0.01, betas=(0.0, 0.9))),
        (RMSProp(0.01), lambda x: torch.optim.RMSprop([x], lr=0.01)),
    ],
)
def test_optimisers_are_torchs(ours, theirs):
    """The formulas are those of torch.optim, over fifty steps."""
    x = torch.linspace(-1, 1, 10, dtype=torch.float64).reshape(2, 5)
    y = x.clone().requires_grad_()
    reference, moments = theirs(y), ours.initial(x)
    for step in range(1, 51):
        y.grad = y.detach() ** 3 + step / 50
        gradient = x**3 + step / 50
        reference.step()
        ours.step(x, gradient, moments, step)
    assert torch.allclose(x, y.detach(), rtol=1e-12, atol=1e-12)


def test_perceptron_is_a_chain_of_linears():
    """Each seed's network is the one that torch.nn builds from its parameters."""
    net = Perceptron((3, 5, 4, 2))
    parameters = net.initial(torch.arange(2), Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    parameters = parameters + 0.1  # so that biases count
    x = torch.linspace(-1, 1, 42, dtype=torch.float64).reshape(2, 7, 3)
    for seed in range(2):
        y, start = x[seed], 0
        for layer, (i, o) in enumerate(net.layers):
            weights = parameters[seed, start : start + i * o].reshape(i, o)
            bias = parameters[seed, start + i * o : start + (i + 1) * o]
            y = (torch.nn.functional.leaky_relu(y, 0.2) if layer else y) @ weights + bias
            start += (i + 1) * o
        assert start == net.size
        assert torch.allclose(net(parameters, x)[seed], y, atol=1e-12)


def test_published_constants():
    """D22: the recipes hold the published constants."""
    wgan, gp = gan.RECIPES["wgan"], gan.RECIPES["wgan-gp"]
    assert (wgan.optimiser, wgan.constraint, wgan.batch, wgan.critic_steps) == (
        RMSProp(5e-5),
        WeightClipping(0.01),
        64,
        5,
    )
    assert (gp.optimiser, gp.penalty, gp.critic_steps) == (Adam(1e-4, betas=(0.0, 0.9)), GradientPenalty(10.0), 5)
    ns = gan.RECIPES["nonsaturating"]
    assert (ns.optimiser, ns.batch, ns.critic_steps) == (Adam(2e-4, betas=(0.5, 0.999)), 128, 1)


@pytest.mark.parametrize("recipe", gan.RECIPES)
def test_every_recipe_trains(recipe):
    """Every recipe takes exactly its number of critic steps per generator step, and stays finite."""
    config = Config(recipe=recipe, data="mixture1d", seeds=(5, 6), steps=3, every=2, **SMALL)
    snapshots = list(gan.train(config))
    assert [s.step for s in snapshots] == [0, 2, 3]
    state = snapshots[-1].state
    assert (state.critic.updates, state.generator.updates) == (3 * gan.RECIPES[recipe].critic_steps, 3)
    assert snapshots[-1].sample(7).shape == (2, 7, 1)
    assert all(bool(s.estimate.isfinite().all()) for s in snapshots)


def replica_gap(recipe):
    """How far seeds trained together are from the same seeds trained alone, after twenty steps in float64."""
    common = {"recipe": recipe, "steps": 20, "every": 20, "dtype": "float64", **SMALL}
    together = list(gan.train(Config(seeds=(3, 1, 2), **common)))[-1]
    worst = 0.0
    for k, seed in enumerate((3, 1, 2)):
        alone = list(gan.train(Config(seeds=(seed,), **common)))[-1]
        pairs = [(together.sample(50), alone.sample(50)), (together.estimate, alone.estimate)]
        pairs += [(together.state.critic.parameters, alone.state.critic.parameters)]
        worst = max(worst, *(float((ours[k] - theirs[0]).abs().max()) for ours, theirs in pairs))
    return worst


@pytest.mark.parametrize("recipe", ["minimax", "wgan", "wgan-gp", "fgan-kl"])
def test_replicas_are_solo_runs(recipe):
    """Seeds trained together are the seeds trained alone."""
    assert replica_gap(recipe) < 1e-9


def test_replicas_are_solo_runs_bites(monkeypatch):
    """One stream of numbers dealt out to all seeds makes a replica depend on its neighbours."""
    dealt = lambda seeds, stream, step, shape, dtype: normal(
        seeds[:1], stream, step, (len(seeds), *shape), dtype=dtype
    )[0]
    monkeypatch.setattr("gan.game.normal", dealt)
    assert replica_gap("minimax") > 1e-3


def test_replicas_see_their_own_penalty_only(monkeypatch):
    """A penalty averaged over the seeds is rejected by the law above."""
    own = GradientPenalty.__call__
    # Squared, since the gradient of a plain mean over seeds is again every seed's own.
    pooled = lambda self, *arguments: own(self, *arguments).mean().expand(arguments[1].shape[0]) ** 2
    monkeypatch.setattr(GradientPenalty, "__call__", pooled)
    assert replica_gap("wgan-gp") > 1e-9


def test_seeds_differ():
    """Different seeds start and end elsewhere: the test above compares something."""
    last = list(gan.train(Config(seeds=(0, 1), steps=2, **SMALL)))[-1]
    assert float((last.sample(50)[0] - last.sample(50)[1]).abs().max()) > 0.1


def test_clipping_holds_after_every_step():
    """The critic of wgan stays within its bound, from the start on."""
    for snapshot in gan.train(Config(recipe="wgan", steps=3, every=1, lr=0.1, **SMALL)):
        assert float(snapshot.state.critic.parameters.abs().max()) <= 0.01
        assert float(snapshot.state.generator.parameters.abs().max()) > 0.01


def test_resuming_is_exact_and_snapshots_are_frozen():
    """Going on from a snapshot gives the same bits, and training does not change a snapshot already taken."""
    config = Config(recipe="wgan-gp", seeds=(0, 1), steps=6, every=2, **SMALL)
    whole = list(gan.train(config))
    rest = list(gan.train(config, whole[1].state))
    assert [s.step for s in rest] == [4, 6]
    for a, b in zip(whole[2:], rest, strict=True):
        assert torch.equal(a.state.critic.parameters, b.state.critic.parameters)
        assert torch.equal(a.state.generator.moments["square"], b.state.generator.moments["square"])
        assert torch.equal(a.estimate, b.estimate)
    assert not torch.equal(whole[0].state.critic.parameters, whole[1].state.critic.parameters)


def test_divergence_is_an_error_with_the_last_snapshot():
    """A learning rate of 1e30 leaves the finite numbers: the error names the seed and carries the last snapshot."""
    config = Config(recipe="wgan-gp", seeds=(4,), steps=50, lr=1e30, **SMALL)
    with pytest.raises(ConvergenceError, match=r"seed 4 diverged after step 0 .* Lower lr") as caught:
        list(gan.train(config))
    assert caught.value.result.step == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"recipe": "wgan_gp"}, "Did you mean 'wgan-gp'"),
        ({"data": "ring"}, "Did you mean 'ring8'"),
        ({"lr": float("nan")}, "lr must be a finite number above 0"),
        ({"lr": 0}, "lr must be"),
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"batch": 2.5}, "batch must be"),
        ({"batch": True}, "batch must be"),
        ({"every": -1}, "every must be"),
        ({"hidden": ()}, "hidden must list"),
        ({"hidden": (8, 0)}, "width in hidden"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"device": "nowhere"}, "device must be"),
        ({"seeds": (1, 1)}, "distinct"),
        ({"penalty_weight": 1.0}, "has no penalty"),
        ({"recipe": "wgan-gp", "penalty_weight": -1.0}, "penalty_weight must be"),
    ],
)
def test_bad_configurations(values, message):
    """Every field is checked, and the error says what to do."""
    with pytest.raises(DataError, match=message):
        Config(**values)


def test_configuration_round_trip():
    """Plain data and back; unknown and missing fields are named."""
    config = Config(recipe="wgan-gp", seeds=range(2), penalty_weight=1, lr=1e-3)
    plain = config.as_dict()
    assert Config.from_dict(plain) == config
    with pytest.raises(DataError, match="Did you mean 'steps'"):
        Config.from_dict(plain | {"step": 1})
    with pytest.raises(DataError, match="every is missing"):
        Config.from_dict({k: v for k, v in plain.items() if k != "every"})


def test_overrides_reach_the_game():
    """lr, batch and penalty_weight replace the recipe's constants, and nothing else of it."""
    game = Game(Config(recipe="wgan-gp", lr=0.5, batch=7, penalty_weight=3))
    recipe = gan.RECIPES["wgan-gp"]
    assert (game.optimiser, game.batch) == (replace(recipe.optimiser, rate=0.5), 7)
    assert game.recipe == replace(recipe, penalty=GradientPenalty(3.0))


def test_a_perfect_sampler_gets_the_floor():
    """Samples of the target cover every mode, have the ceiling's quality and the floor's distance; a point does not."""
    game = Game(Config(seeds=(0, 1)))
    perfect = game.real(Stream.SAMPLE, 0, 4000)
    modes, quality = modes_covered(game, perfect)
    assert modes.tolist() == [8, 8]
    assert quality.tolist() == pytest.approx([ceiling(2)] * 2, abs=0.006)
    point = torch.full((2, 100, 2), 2.0) * torch.tensor([1.0, 0.0])
    assert [x.tolist() for x in modes_covered(game, point)] == [[1, 1], [1.0, 1.0]]


def test_a_mode_is_covered_by_a_hundredth_of_the_samples():
    """Ten good samples of 1,000 cover a mode, nine do not; samples 3 sigma away count, beyond that they do not."""
    game = Game(Config())
    first, second = (torch.tensor(mean) for mean in game.data.means[:2])
    for few, covered in ((9, 1), (10, 2)):
        samples = torch.cat((first.expand(1000 - few, 2), second.expand(few, 2)))[None]
        assert modes_covered(game, samples)[0].tolist() == [covered]
    for sigmas, quality in ((2.99, 1.0), (3.01, 0.0)):
        samples = (first + torch.tensor([0.1 * sigmas, 0.0])).expand(1, 100, 2)
        assert [x.tolist() for x in modes_covered(game, samples)] == [[int(quality)], [quality]]


def test_evaluation_brackets_the_true_distance():
    """All mass moved by 3 costs 3 more than the floor at most; bracket and floor are in order."""
    config = Config(data="mixture1d", seeds=(0, 1), steps=1, **SMALL)
    snapshot = next(gan.train(config))
    reference = Reference.of(snapshot.game, 300)
    for one, mean in zip(reference.evaluate(snapshot), snapshot.sample(300).mean((1, 2)), strict=True):
        assert one.w1_lower <= one.w1 <= one.w1_upper + 1e-12
        assert one.w1 >= abs(float(mean) - float(reference.samples.mean())) * 0.5
        assert 0 < one.floor < one.w1
