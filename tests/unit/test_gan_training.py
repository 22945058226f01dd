"""The parts of the trainer, and the loop itself."""

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import gan
from divergences.errors import ConvergenceError, DataError, FileFormatError
from gan import distributed
from gan.checkpoint import decode, encode
from gan.config import Config
from gan.constraints import WeightClipping
from gan.game import Game
from gan.networks import Architecture, Perceptron
from gan.networks.chain import ACTIVATIONS
from gan.optimisers import Adam, RMSProp
from gan.penalties import PENALTIES, GradientPenalty
from gan.random import Stream
from gan.tricks import InstanceNoise, Replay

TINY = Architecture((8, 8))
SMALL = {"generator": TINY, "critic": TINY, "batch": 12, "latent": 2}
# Recipes that need data of a kind.
DATA = {"dcgan": "digits", **{name: ("ring8", "grid25") for name in gan.RECIPES if name.startswith("cyclegan")}}


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
        # Both get the reference's gradient: the test function's own dynamics multiply rounding a million times.
        gradient = y.detach() ** 3 + step / 50
        y.grad = gradient.clone()
        reference.step()
        direction, moments = ours.direction(gradient, moments, step)
        x = x - 0.01 * direction
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


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slope_is_the_derivative(activation):
    """The slope that a perceptron writes out is autograd's, and so is the gradient of a penalty on it."""
    net = Perceptron((3, 7, 5, 1), activation)
    parameters = net.initial(torch.arange(2), Stream.CRITIC_WEIGHTS, dtype=torch.float64) + 0.05
    parameters.requires_grad_()
    x = torch.linspace(-2, 2, 24, dtype=torch.float64).reshape(2, 4, 3).requires_grad_()
    (expected,) = torch.autograd.grad(net(parameters, x).sum(), x, create_graph=True)
    slope = net.slope(parameters, x)
    penalty = lambda g: (g.norm(dim=-1) - 1).square().sum()
    ours, theirs = (torch.autograd.grad(penalty(g), parameters, retain_graph=True)[0] for g in (slope, expected))
    assert torch.allclose(slope, expected, rtol=0, atol=1e-14)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-13)


def test_slope_of_an_affine_map():
    """Without hidden layers the slope is the weights, and of several outputs it is the first one's."""
    net = Perceptron((2, 3))
    parameters = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0, 0.0]])
    assert net.slope(parameters, torch.zeros(1, 5, 2)).tolist() == [[[1.0, 4.0]] * 5]


def test_published_constants():
    """D22: the recipes hold the published constants."""
    wgan, gp = gan.RECIPES["wgan"], gan.RECIPES["wgan-gp"]
    published = (RMSProp(5e-5), WeightClipping(0.01), 64, 5)
    assert (wgan.optimiser, wgan.constraint, wgan.batch, wgan.critic_steps) == published
    assert (gp.optimiser, gp.critic_steps) == (Adam(1e-4, betas=(0.0, 0.9)), 5)
    assert gp.penalties == (PENALTIES["gradient-penalty"],)
    assert gp.penalties[0].weight == 10
    ns = gan.RECIPES["nonsaturating"]
    assert (ns.optimiser, ns.batch, ns.critic_steps) == (Adam(2e-4, betas=(0.5, 0.999)), 128, 1)


def test_every_promised_recipe_is_there():
    """The names of the contract."""
    promised = """minimax nonsaturating max-likelihood lsgan hinge relativistic r3gan wgan wgan-gp wgan-gp-onesided
        sngan dragan r1 r2 ebgan began mmd-gan sinkhorn-gan unrolled minibatch-discrimination pacgan feature-matching
        label-smoothing historical-averaging experience-replay virtual-batch-norm instance-noise dcgan cgan infogan
        cyclegan fgan-kl fgan-squared-hellinger fgan-gan"""
    assert set(promised.split()) <= set(gan.RECIPES)


@pytest.mark.parametrize("recipe", gan.RECIPES)
def test_every_recipe_trains(recipe):
    """Every recipe takes exactly its number of critic steps per generator step, moves, and stays finite."""
    config = Config(recipe=recipe, data=DATA.get(recipe, "ring8"), seeds=(5, 6), steps=3, every=2, **SMALL)
    snapshots = list(gan.train(config))
    assert [s.step for s in snapshots] == [0, 2, 3]
    state = snapshots[-1].state
    assert (state.critic.updates, state.generator.updates) == (3 * gan.RECIPES[recipe].critic_steps, 3)
    assert snapshots[-1].sample(8).shape == (2, 8, snapshots[0].game.target.dimension)
    assert all(bool(s.estimate.isfinite().all()) for s in snapshots)
    assert bool((snapshots[-1].sample(8) != snapshots[0].sample(8)).any())
    assert state.diverged.tolist() == [0, 0]


def replica_gap(recipe, **settings):
    """How far seeds trained together are from the same seeds trained alone, after twenty steps in float64."""
    common = {"recipe": recipe, "data": DATA.get(recipe, "ring8"), "steps": 20, "every": 20, "dtype": "float64"}
    common |= {**SMALL, **settings}
    together = list(gan.train(Config(seeds=(3, 1, 2), **common)))[-1]
    worst = 0.0
    for k, seed in enumerate((3, 1, 2)):
        alone = list(gan.train(Config(seeds=(seed,), **common)))[-1]
        pairs = [(together.sample(50), alone.sample(50)), (together.estimate, alone.estimate)]
        pairs += [(together.state.critic.parameters, alone.state.critic.parameters)]
        worst = max([worst, *(float((ours[k] - theirs[0]).abs().max()) for ours, theirs in pairs if ours.numel())])
    return worst


@pytest.mark.parametrize("recipe", gan.RECIPES)
def test_replicas_are_solo_runs(recipe):
    """Seeds trained together are the seeds trained alone."""
    settings = {"generator": Architecture((4, 4)), "critic": Architecture((4, 4))} if recipe == "dcgan" else {}
    assert replica_gap(recipe, **settings) < 1e-9


def test_replicas_are_solo_runs_bites(monkeypatch):
    """A gradient that is averaged over seeds is noticed."""
    monkeypatch.setattr(distributed, "mean", lambda gradient: gradient.mean(0, keepdim=True).expand_as(gradient))
    assert replica_gap("nonsaturating") > 1e-6


def test_settings_are_solo_runs():
    """A learning rate or penalty weight of a list is trained as it is alone, for every seed."""
    common = {"recipe": "wgan-gp", "steps": 10, "every": 10, "dtype": "float64", **SMALL}
    together = list(gan.train(Config(seeds=(3, 1), lr=(1e-3, 1e-2), penalty_weight=(1.0, 10.0), **common)))[-1]
    for k, replica in enumerate(together.game.config.replicas):
        alone = list(gan.train(Config(seeds=(replica.seed,), **replica.settings, **common)))[-1]
        assert torch.allclose(together.sample(50)[k], alone.sample(50)[0], rtol=0, atol=1e-9)
    names = [str(replica) for replica in together.game.config.replicas]
    assert names[0] == "seed 3, lr 0.001, penalty_weight 1"
    assert len(set(names)) == 8


def test_one_learning_rate_each():
    """`lr` is both players', `generator_lr` the generator's own; without either each has its recipe's."""
    rates = lambda **settings: tuple(rate.item() for rate in Game(Config(dtype="float64", **settings)).rates)
    assert rates(lr=0.5) == (0.5, 0.5)
    assert rates(lr=0.5, generator_lr=0.25) == (0.5, 0.25)
    assert rates(recipe="unrolled") == (1e-4, 1e-3)
    assert rates(recipe="unrolled", generator_lr=0.25) == (1e-4, 0.25)


def test_many_turns():
    """Critic steps and generator steps of one step are those of the configuration, each on a batch of its own."""
    config = Config(critic_steps=3, generator_steps=2, steps=4, every=4, **SMALL)
    state = list(gan.train(config))[-1].state
    assert (state.critic.updates, state.generator.updates) == (12, 8)
    (_, batches), *_ = Game(config).batches(1, 1)
    assert len({float(batch.real.sum()) for batch in batches}) == 5


def test_blocks_of_steps_draw_the_same(monkeypatch):
    """How many steps are drawn at once does not change the numbers."""
    game = Game(Config(recipe="wgan-gp", seeds=(0, 1), **SMALL))
    together = list(game.batches(1, 7))
    monkeypatch.setattr("gan.game.DRAWN", 1)
    for (step, ours), (other, theirs) in zip(together, game.batches(1, 7), strict=True):
        assert step == other
        for one, two in zip(ours, theirs, strict=True):
            assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in vars(one))


@pytest.mark.parametrize("recipe", ["wgan-gp", "began", "experience-replay", "historical-averaging", "r3gan", "sngan"])
def test_going_on_is_the_same_run(recipe):
    """From the state of a snapshot, training goes on to the same bits, whatever a recipe remembers."""
    whole = list(gan.train(Config(recipe=recipe, steps=6, every=3, **SMALL)))
    rest = list(gan.train(Config(recipe=recipe, steps=6, every=3, **SMALL), whole[1].state))
    assert [s.step for s in rest] == [6]
    assert torch.equal(rest[0].state.critic.parameters, whole[2].state.critic.parameters)
    assert torch.equal(rest[0].sample(30), whole[2].sample(30))
    assert all(torch.equal(rest[0].state.memory[name], x) for name, x in whole[2].state.memory.items())


@pytest.mark.parametrize(
    ("name", "value"), [("diverged", torch.tensor([4])), ("diverged", torch.tensor([-1])), ("seconds", -1.0)]
)
def test_impossible_checkpoints(name, value):
    """A state that no training could be in is refused: a replica of the future would never be trained."""
    state = list(gan.train(config := Config(steps=6, every=3, **SMALL)))[1].state
    assert decode(io.BytesIO(encode(state)), Game(config), "it").step == 3
    with pytest.raises(FileFormatError, match="diverged by step 3"):
        decode(io.BytesIO(encode(replace(state, **{name: value}))), Game(config), "it")


def test_a_diverged_replica_stops_alone():
    """A replica that leaves the finite numbers is stopped where it was finite; the others do not notice."""
    common = {"recipe": "fgan-kl", "steps": 30, "every": 30, "dtype": "float64", **SMALL}
    last = list(gan.train(Config(seeds=(0, 1), lr=(1e-3, 1e6), **common)))[-1]
    assert [bool(step) for step in last.diverged] == [False, False, True, True]
    assert bool(last.state.critic.parameters.isfinite().all())
    alone = list(gan.train(Config(seeds=(0, 1), lr=1e-3, **common)))[-1]
    assert torch.allclose(last.sample(20)[:2], alone.sample(20), rtol=0, atol=1e-9)


def test_nobody_left():
    """Training ends when every replica has diverged: the error names them and carries the last snapshot."""
    config = Config(recipe="wgan-gp", seeds=(4,), steps=50, every=25, lr=1e30, **SMALL)
    with pytest.raises(
        ConvergenceError, match=r"every replica \(seed 4\) diverged, the first at step .* Lower lr"
    ) as caught:
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
        ({"lr": (1e-3, 1e-3)}, "lr must be a number or a list of different numbers"),
        ({"lr": (1e-3, -1.0)}, "a value in lr must be"),
        ({"data": ("ring8", "grid25")}, "data must be one data set"),
        ({"recipe": "cyclegan"}, "data must name two data sets"),
        ({"recipe": "cgan", "data": "swissroll"}, "data must have labels"),
        ({"recipe": "dcgan"}, "data must be images"),
        ({"recipe": "pacgan", "critic": Architecture(frequencies=(1.0,))}, "frequencies must be left out"),
        ({"generator": Architecture(frequencies=(1.0,))}, "frequencies must be empty for a generator"),
        ({"critic": Architecture(batch_norm=True, frequencies=(1.0,))}, "must not both"),
        ({"critic": Architecture(batch_norm=True, start="torch")}, "start must be 'he'"),
        ({"critic": Architecture(activation="maxout", start="torch")}, "start of maxout"),
        ({"recipe": "dcgan", "data": "digits", "generator": Architecture((8,), start="torch")}, "start must be 'he'"),
        ({"recipe": "pacgan", "critic": Architecture(batch_norm=True)}, "batch_norm must be left out"),
        ({"data": "digits", "batch": 2000}, "batch"),
        ({"generator": (8, 0)}, "generator must be an Architecture"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"device": "nowhere"}, "device must be"),
        ({"device": "meta"}, "device must be"),
        ({"device": None}, "device must be"),
        ({"data": 5}, "data must be a name"),
        ({"lr": 1e-60}, "lr must be above 0, finite and of different values in float32"),
        ({"lr": (0.1, 0.1 + 1e-12)}, "different values in float32"),
        ({"recipe": "wgan-gp", "penalty_weight": 1e60}, "penalty_weight must be above 0, finite"),
        ({"batch": 10**12}, "batches of 1 replicas must fit into memory"),
        (
            {"recipe": "dcgan", "data": "digits", "critic": Architecture((8,), frequencies=(1.0,))},
            "frequencies must be",
        ),
        ({"seeds": (1, 1)}, "distinct"),
        ({"penalty_weight": 1.0}, "has no penalty"),
        ({"recipe": "wgan-gp", "penalty_weight": -1.0}, "penalty_weight must be"),
    ],
)
def test_bad_configurations(values, message):
    """Every field is checked, and the error says what to do."""
    with pytest.raises(DataError, match=message):
        Game(Config(**values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": 8}, "hidden must list"),
        ({"hidden": (8, 0)}, "width in hidden"),
        ({"activation": "rleu"}, "'relu'"),
        ({"batch_norm": 1}, "batch_norm must be True or False"),
        ({"frequencies": 1.0}, "frequencies must list"),
        ({"frequencies": (0.0,)}, "a frequency must be"),
        ({"start": "zero"}, "start must be"),
    ],
)
def test_bad_architectures(values, message):
    """Widths, nonlinearity and normalisation are checked."""
    with pytest.raises(DataError, match=message):
        Architecture(**values)


def test_configuration_round_trip():
    """Plain data and back; unknown and missing fields are named."""
    config = Config(recipe="wgan-gp", seeds=range(2), penalty_weight=1, lr=(1e-3, 1e-4), critic=Architecture((3,)))
    plain = config.as_dict()
    assert Config.from_dict(plain) == config
    with pytest.raises(DataError, match="Did you mean 'steps'"):
        Config.from_dict(plain | {"step": 1})
    with pytest.raises(DataError, match="every is missing"):
        Config.from_dict({k: v for k, v in plain.items() if k != "every"})
    with pytest.raises(DataError, match="Did you mean 'hidden'"):
        Config.from_dict(plain | {"critic": {"hiden": [3]}})


def test_overrides_reach_the_game():
    """lr, batch and penalty_weight replace the recipe's constants, and nothing else of it."""
    game: Any = Game(Config(recipe="wgan-gp", lr=0.5, batch=7, penalty_weight=3, seeds=(0, 1), dtype="float64"))
    assert [rate.tolist() for rate in game.rates] == [[[0.5], [0.5]]] * 2
    assert (game.batch, [p.weight.tolist() for p in game.penalties]) == (7, [[3.0, 3.0]])
    assert game.recipe == gan.RECIPES["wgan-gp"]


def test_two_penalties_add():
    """r3gan's critic pays R1 at real and R2 at fake points, each by its own weight."""
    game = Game(Config(recipe="r3gan", dtype="float64", **SMALL))
    state, batch = game.start(), game.measured(0, 64)
    fake = game.generator(state.generator.parameters, batch.latent)
    parts = {"batch": batch, "fake": fake, "state": state, "sigma": 0.0}
    slope = game.view(state.critic.parameters, {}).slope
    weights = [float(penalty.weight) for penalty in gan.RECIPES["r3gan"].penalties]
    points = (batch.real, fake)
    expected = sum(w / 2 * slope(x).square().sum(-1).mean(-1) for w, x in zip(weights, points, strict=True))
    assert isinstance(game.penalties[0], GradientPenalty)
    paid = game.critic_loss(state.critic.parameters, **parts)
    object.__setattr__(game, "penalties", ())
    bare = game.critic_loss(state.critic.parameters, **parts)
    assert float(paid - bare) == pytest.approx(float(expected), rel=1e-12)


def test_instance_noise_falls_to_zero():
    """It starts at its first value, falls linearly, and is over at its share of the training."""
    noise = InstanceNoise(0.4, until=0.5)
    assert [noise.sigma(step, 8) for step in (1, 2, 3, 5, 8)] == pytest.approx([0.4, 0.3, 0.2, 0.0, 0.0])
    for values in ({"start": 0.0}, {"until": 0.0}, {"until": 1.5}):
        with pytest.raises(DataError):
            InstanceNoise(**values)


def test_replay_mixes_old_and_new():
    """Half of what the critic sees are earlier fakes, whose places new fakes take."""
    replay, memory = Replay(4), torch.arange(4.0).reshape(1, 4, 1)
    fake, u = torch.tensor([[[10.0], [11.0], [12.0], [13.0]]]), torch.tensor([[[0.3], [0.99], [0.0], [0.0]]])
    mixed, after = replay.mix(fake, memory, u)
    assert mixed.flatten().tolist() == [1.0, 3.0, 12.0, 13.0]
    assert after.flatten().tolist() == [0.0, 10.0, 2.0, 11.0]
    assert memory.flatten().tolist() == [0.0, 1.0, 2.0, 3.0]


def test_falling_learning_rate():
    """With `anneal` the rate falls linearly from its full value to one step before zero."""
    assert Game(Config(steps=4, lr=1.0)).rate(0, 3).item() == 1
    game = Game(Config(steps=4, lr=1.0, anneal=True))
    assert [game.rate(1, step).item() for step in (1, 2, 4)] == [1.0, 0.75, 0.25]


def test_slow_average_of_any_recipe():
    """A configuration's `average` puts a slow average beside the generator, or takes the recipe's own away."""
    states = [snapshot.state for snapshot in gan.train(Config(average=0.1, steps=3, every=1, **SMALL))]
    average = states[0].generator.parameters
    # A young average is shorter than asked for: 0, 1/11, and then the 0.1 that is below 2/12.
    for state, decay in zip(states[1:], (0, 1 / 11, 0.1), strict=True):
        average = decay * average + (1 - decay) * state.generator.parameters
        torch.testing.assert_close(state.memory["average"], average)
    assert "average" not in Game(Config(recipe="r3gan", average=0.0, **SMALL)).start().memory
    refused: list[dict[str, Any]] = [{"average": 1.0}, {"average": float("nan")}, {"anneal": 1}]
    for options in refused:
        with pytest.raises(DataError, match=next(iter(options))):
            Config(**options)


def test_betas_of_any_adam():
    """A configuration's `betas` are those of both players' Adam; what is no pair of decays, or no Adam, is refused."""
    mixture = Game(Config(recipe="wgan-gp-mixture", betas=(0.1, 0.2), **SMALL)).recipe.optimisers
    assert mixture == (Adam(1e-3, (0.1, 0.2)), Adam(2e-3, (0.1, 0.2)))
    state = list(gan.train(Config(betas=(0.0, 0.9), steps=1, **SMALL)))[-1].state
    mean, square = (state.critic.moments[name] for name in ("mean", "square"))
    torch.testing.assert_close(square, 0.1 * mean.square())  # after one step: a mean that forgets all, a tenth
    for betas in ((0.5,), (0.5, 1.0), (float("nan"), 0.9), 0.9):
        with pytest.raises(DataError, match="betas"):
            Config(betas=betas)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="not Adam"):
        Config(recipe="wgan", betas=(0.5, 0.9))


def test_a_critic_that_sees_waves():
    """With frequencies a plain critic reads sines and cosines beside the points; configurations keep them."""
    config = Config(critic=Architecture((8,), frequencies=(1.0, 2.0)))
    critic: Any = Game(config).critic
    assert critic.inner.widths == (2 * (1 + 2 * 2), 8, 1)
    assert Config.from_dict(config.as_dict()) == config


def test_unrolling_by_hand():
    """With plain steps the unrolled critic is the critic after them, and the gradient flows through them."""
    game = Game(Config(recipe="unrolled", dtype="float64", lr=0.1, **SMALL))
    plain = SimpleNamespace(direction=lambda gradient, moments, updates: (gradient, moments))
    state, batch = game.start(), game.measured(0, 16)
    object.__setattr__(game, "recipe", replace(game.recipe, unroll=2, optimiser=plain))
    generator = state.generator.parameters.requires_grad_()
    critic, fake = state.critic.parameters.clone().requires_grad_(), game.generator(generator, batch.latent)
    for _ in range(2):
        loss = game.critic_loss(critic, batch=batch, fake=fake, state=state, sigma=0.0)
        critic = critic - 0.1 * torch.autograd.grad(loss.sum(), critic, create_graph=True)[0]
    expected = -torch.nn.functional.logsigmoid(game.critic(critic, fake)[..., 0]).mean()
    loss = game.generator_loss(generator, batch=batch, state=state, sigma=0.0)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-12)
    ours, theirs = (torch.autograd.grad(x.sum(), generator, retain_graph=True)[0] for x in (loss, expected))
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)
    # Not the gradient through a critic that stands still.
    still = -torch.nn.functional.logsigmoid(game.critic(critic.detach(), fake)[..., 0]).mean()
    assert not torch.allclose(ours, torch.autograd.grad(still, generator)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimiser", [Adam(0.01, betas=(0.5, 0.999)), RMSProp(0.01)])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_unrolling_differentiates_through_the_optimiser(steps, optimiser):
    """The generator's gradient through k steps ahead, moments and all, is that of differences in float64."""
    smooth = Architecture((8, 8), "tanh")
    config = Config(
        recipe="unrolled",
        dtype="float64",
        steps=3,
        every=3,
        lr=0.01,
        **{**SMALL, "generator": smooth, "critic": smooth},
    )
    state, game = list(gan.train(config))[-1].state, Game(config)
    object.__setattr__(game, "recipe", replace(game.recipe, unroll=steps, optimiser=optimiser))
    state.critic.moments = {name: state.critic.moments[name] for name in optimiser.initial(state.critic.parameters)}
    batch = game.measured(7, 12)
    value = lambda x: game.generator_loss(x, batch=batch, state=state, sigma=0.0).sum()
    at = state.generator.parameters.clone().requires_grad_()
    (ours,) = torch.autograd.grad(value(at), at)
    for seed in range(3):
        way = torch.randn(at.shape, generator=torch.Generator().manual_seed(seed), dtype=at.dtype)
        h = 1e-4
        a, b, c, d = (float(value(at.detach() + k * h * way).detach()) for k in (-2, -1, 1, 2))
        slope = (a - 8 * b + 8 * c - d) / (12 * h)
        assert float((ours * way).sum()) == pytest.approx(slope, rel=1e-6)


def test_unrolling_over_gradients_that_are_zero():
    """A weight that no gradient has ever reached does not turn the generator's gradient into NaN."""
    x = torch.tensor([[0.0, 0.5]], dtype=torch.float64, requires_grad=True)
    for optimiser in (Adam(0.01), RMSProp(0.01)):
        direction, _ = optimiser.direction(x, optimiser.initial(x.detach()), 1)
        (slope,) = torch.autograd.grad(direction.sum(), x)
        assert bool(slope.isfinite().all())
        assert float(slope[0, 1]) == pytest.approx(0, abs=1e-5)  # at the first step only the sign counts


def test_unrolling_looks_ahead_at_the_rate_of_its_step():
    """A falling learning rate falls for the steps ahead too: halfway they are those of half the rate."""
    common = {"recipe": "unrolled", "dtype": "float64", "generator_lr": 1e-3, "steps": 8, **SMALL}
    falling, halved = Game(Config(anneal=True, lr=0.1, **common)), Game(Config(lr=0.05, **common))
    state, batch = falling.start(), falling.measured(0, 16)
    state.step = 4  # so that the next step is the fifth of eight
    parts = {"batch": batch, "state": state, "sigma": 0.0}
    ours, theirs = (game.generator_loss(state.generator.parameters, **parts) for game in (falling, halved))
    assert torch.equal(ours, theirs)


def test_feature_matching_is_of_hidden_features():
    """The generator matches the means of the critic's last hidden layer, and of nothing beside it."""
    game: Any = Game(Config(recipe="feature-matching", dtype="float64", **SMALL))
    state, batch = game.start(), game.measured(0, 16)
    fake = game.generator(state.generator.parameters, batch.latent)
    weights = state.critic.parameters[:, : -(TINY.hidden[-1] + 1)]  # without those of the score
    means = [game.critic.first(weights, x).mean(1) for x in (batch.real, fake)]
    loss = game.generator_loss(state.generator.parameters, batch=batch, state=state, sigma=0.0)
    assert float(loss) == pytest.approx(float((means[0] - means[1]).square().sum()), rel=1e-12)


def test_measuring_shares_no_number_with_training():
    """Points, penalties' places and noise of a snapshot are other numbers than those of its step."""
    for recipe, names in (("wgan-gp", ("real", "latent", "places")), ("instance-noise", ("noise",))):
        game = Game(Config(recipe=recipe, **SMALL))
        (_, turns), *_ = game.batches(3, 3)
        measured = game.measured(3, 96)
        for name in names:
            seen = torch.cat([getattr(turn, name) for turn in turns], dim=1)
            assert not bool(torch.isin(getattr(measured, name), seen).any())


def test_conditional_critic_rejects_mismatched_pairs():
    """The conditional GAN's critic pays for real points beside a label drawn regardless of them."""
    game = Game(Config(recipe="cgan", dtype="float64", **SMALL))
    state, batch = game.start(), game.measured(0, 64)
    real = batch.real
    assert real.shape[-1] == 2 + 8
    assert real[..., 2:].sum(-1).unique().tolist() == [1.0]
    fake = game.generator(state.generator.parameters, batch.latent)
    assert torch.equal(fake[..., 2:], batch.latent[..., 2:])  # the label that it was told is passed on
    mismatched = torch.cat((real[..., :2], real[..., 2:].roll(1, dims=1)), dim=-1)
    view = game.view(state.critic.parameters, {})
    scores = [view(x)[..., 0] for x in (real, fake, mismatched)]
    softplus = torch.nn.functional.softplus
    expected = softplus(-scores[0]).mean() + softplus(scores[1]).mean() + softplus(scores[2]).mean()
    paid = game.critic_loss(state.critic.parameters, batch=batch, fake=fake, state=state, sigma=0.0)
    assert float(paid) == pytest.approx(float(expected), rel=1e-12)
    assert game.points(fake).shape[-1] == 2


def test_translation_goes_there_and_back():
    """CycleGAN's generator swaps the domains, and its loss holds ten times the mean error of each round trip."""
    game: Any = Game(Config(recipe="cyclegan", data=("ring8", "grid25"), dtype="float64", **SMALL))
    state, batch = game.start(), game.measured(0, 32)
    to_a, to_b = game.generator.split(state.generator.parameters)
    a, b = batch.latent.split(2, dim=-1)
    made_a, made_b = game.generator.first(to_a, b), game.generator.second(to_b, a)
    fake = torch.cat((made_a, made_b), dim=-1)
    assert torch.equal(game.generator(state.generator.parameters, batch.latent), fake)
    back = torch.cat((game.generator.first(to_a, made_b), game.generator.second(to_b, made_a)), dim=-1)
    error = (back - batch.latent)[..., :2].abs().mean() + (back - batch.latent)[..., 2:].abs().mean()
    scores = game.critic(state.critic.parameters, fake)
    objective = game.recipe.objective
    fooled = sum(objective.generator_loss(scores[..., k], scores[..., k]) for k in (0, 1))
    loss = game.generator_loss(state.generator.parameters, batch=batch, state=state, sigma=0.0)
    assert float(loss) == pytest.approx(float(fooled + 10 * error), rel=1e-12)
    # The two domains are drawn independently of one another.
    pair = Game(Config(recipe="cyclegan", data=("ring8", "ring8"))).measured(0, 4000).real[0]
    assert abs(float(torch.corrcoef(pair.T)[0, 2])) < 0.08


@pytest.mark.parametrize("data", [("digits", "digits"), ("mixture1d", "ring8")])
def test_round_trips_weigh_as_much_in_any_dimension(data):
    """A round trip that misses every coordinate by one costs twenty, of points of a line as of pictures."""
    game: Any = Game(Config(recipe="cyclegan", data=data, **SMALL))
    x = game.latent(Stream.SAMPLE, 0, 5)
    condition = game.recipe.condition
    assert condition.generator_term(lambda fake: fake + 1, x, x, x).tolist() == pytest.approx([20.0] * len(game.seeds))
    assert condition.generator_term(lambda fake: fake, x, x, x).tolist() == [0.0] * len(game.seeds)
    without: Any = Game(Config(recipe="cyclegan-without-cycle", data=data, **SMALL)).recipe.condition
    assert without.generator_term(lambda fake: fake + 1, x, x, x) == 0


def test_codes_are_read_off():
    """InfoGAN's losses hold half the squared error of the codes that its critic reads off the fakes."""
    game = Game(Config(recipe="infogan", dtype="float64", **SMALL))
    state, batch = game.start(), game.measured(0, 64)
    codes = batch.latent[..., -2:]
    assert float(codes.abs().max()) <= 1
    fake = game.generator(state.generator.parameters, batch.latent)
    outputs = game.critic(state.critic.parameters, fake)
    misread = (outputs[..., 1:] - codes).square().sum(-1).mean() / 2
    expected = -torch.nn.functional.logsigmoid(outputs[..., 0]).mean() + misread
    loss = game.generator_loss(state.generator.parameters, batch=batch, state=state, sigma=0.0)
    assert float(loss) == pytest.approx(float(expected), rel=1e-12)
