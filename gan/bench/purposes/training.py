"""How training goes: whether players come to rest, whether what is watched tells the truth, what is reached."""

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from gan.bench.purposes.purpose import PLAIN, Plan, Values, alive, compared, trained
from gan.config import Config
from gan.measures import Reference
from gan.networks import Architecture
from gan.random import Stream, uniform
from gan.snapshot import Snapshot

N = 400  # samples per replica
HALF = 3.0  # half the side of the square around ring8
OPTIMUM = (1.01, 1.831)  # mean and deviation of mixture1d, which are those of the Gaussian of least KL(p, q)
AFFINE = Architecture(())
BOTTLENECK = Architecture((32, 1))  # of an auto-encoder: a segment has one coordinate
TASKS = {
    "gaussian": "a Gaussian on `mixture1d`, batch 512, rates 5e-3, 500 steps",
    "line": "an affine generator on `lines`, batch 32, rates 5e-3, 800 steps",
    "rest": "an affine generator at rest, `lines`, batch 32, rate 5e-3, 500 steps",
    "truth": "`lines`, batch 32, 200 steps",
    "square": "`ring8`, 500 steps; other points are drawn evenly from the square around",
    "batch": "`ring8`, 200 steps; the plain GAN's generator has batch normalisation",
    "past": "`ring8`, generator's rate 2e-3, critic's 5e-4, batch 32, 500 steps",
}


def w1(config: Config) -> np.ndarray:
    """W1 between samples of the generator and of the target at the end: (S,)."""
    last = trained(config)[-1]
    reference = Reference.of(last.game.target, last.game.seeds, N, ("w1",))
    return alive(last, reference.evaluate(last.sample(N))["w1"])


def movement(config: Config) -> np.ndarray:
    """How far a generated point moves from one snapshot to the next, E |G'(z) - G(z)|, over the second half: (S,)."""
    snapshots = trained(config)
    game = snapshots[0].game
    latent = game.latent(Stream.SAMPLE, 0, N)
    with torch.no_grad():  # the generator in training, not its slow average
        points = torch.stack([game.generator(s.state.generator.parameters, latent) for s in snapshots])
    steps = torch.linalg.vector_norm(points.diff(dim=0), dim=-1).mean(-1)
    return alive(snapshots[-1], steps[len(steps) // 2 :].mean(0))


def truthfulness(config: Config) -> np.ndarray:
    """Spearman's correlation of the critic's estimate with W1 over the snapshots of a training: (S,)."""
    snapshots = trained(config)
    game = snapshots[0].game
    reference = Reference.of(game.target, game.seeds, N // 2, ("w1",))
    distance = np.array([reference.evaluate(s.sample(N // 2))["w1"] for s in snapshots], dtype=float)
    believed = np.array([s.estimate.numpy() for s in snapshots])
    ranks = rankdata(distance, axis=0), rankdata(believed, axis=0)
    centred = [r - r.mean(0) for r in ranks]
    scale = np.sqrt((centred[0] ** 2).sum(0) * (centred[1] ** 2).sum(0))
    return alive(snapshots[-1], (centred[0] * centred[1]).sum(0) / np.where(scale > 0, scale, np.inf))


def forward_excess(config: Config) -> np.ndarray:
    """KL(p, N(m, s^2)) beyond the least, in nats, of an affine generator m + s z on mixture1d: (S,).

    log(s / s*) + (s*^2 + (m - m*)^2) / (2 s^2) - 1/2, with m* and s* those of the mixture.
    """
    last = trained(config)[-1]
    at = torch.tensor([[[0.0], [1.0]]]).expand(len(last.game.seeds), -1, -1)
    with torch.no_grad():
        first, second = last.game.generator(last.state.generator.parameters, at)[..., 0].double().unbind(1)
    mean, deviation = first, (second - first).abs()
    best_mean, best = OPTIMUM
    excess = (deviation / best).log() + (best**2 + (mean - best_mean) ** 2) / (2 * deviation**2) - 0.5
    return alive(last, excess)


def sway(config: Config) -> np.ndarray:
    """How much an output changes, relative to the outputs' spread, when the rest of its batch is exchanged: (S,)."""
    last = trained(config)[-1]
    game, half = last.game, 8
    latents = [game.latent(Stream.SAMPLE, step, 2 * half) for step in (1, 2)]
    latents[1] = torch.cat((latents[0][:, :half], latents[1][:, half:]), dim=1)
    with torch.no_grad():
        one, other = (game.generator(last.state.generator.parameters, z)[:, :half] for z in latents)
    change = torch.linalg.vector_norm(one - other, dim=-1).mean(-1)
    return alive(last, change / one.std((1, 2)))


def forgotten(config: Config) -> np.ndarray:
    """The chance that the critic finds a fake of two snapshots ago more real than a real point: (S,).

    The mean over the second half of the snapshots, each with its own critic.
    """
    snapshots = trained(config)
    game, start = snapshots[0].game, len(snapshots) // 2
    real = game.real(Stream.MEASURE_REAL, 0, N)
    beaten = []
    for now, before in zip(snapshots[start:], snapshots[start - 2 :], strict=False):
        real_scores, fake_scores = _scores(now, real), _scores(now, before.sample(N))
        beaten.append([np.searchsorted(r, f).mean() / N for r, f in zip(real_scores, fake_scores, strict=True)])
    return alive(snapshots[-1], np.mean(beaten, axis=0))


def _scores(snapshot: Snapshot, x: Tensor) -> np.ndarray:
    """The critic's scores in ascending order: (S, n)."""
    view = snapshot.game.view(snapshot.state.critic.parameters, snapshot.state.memory)
    with torch.no_grad():
        return np.sort(view(x)[..., 0].double().numpy(), axis=-1)


def recognises(config: Config) -> np.ndarray:
    """The chance that the critic finds a real point more real than one drawn evenly from the square around: (S,)."""
    last = trained(config)[-1]
    real = last.game.real(Stream.MEASURE_REAL, 0, N)
    square = 2 * uniform(last.game.seeds, Stream.MEASURE_LATENT, 0, tuple(real.shape[1:]), dtype=real.dtype) - 1
    pairs = zip(_scores(last, HALF * square), _scores(last, real), strict=True)
    return alive(last, np.array([np.searchsorted(others, found).mean() / N for others, found in pairs]))


def fits(recipe: str) -> Values:
    """The excess of KL of a Gaussian with two parameters."""
    tanh = Architecture((32, 32), "tanh")
    settings = {"data": "mixture1d", "latent": 1, "steps": 500, "batch": 512, "lr": 5e-3}
    make = lambda name: lambda plan: plan.config(name, generator=AFFINE, critic=tanh, **settings)
    return compared(forward_excess, make(recipe), make(PLAIN))


def on_line(plan: Plan, recipe: str, **changes: object) -> Config:
    """A game near its end: an affine generator can be the target, a segment, and the plain one circles around it."""
    settings = {"data": "lines", "batch": 32, "steps": 800, "lr": 5e-3, "snapshots": 16, "generator": AFFINE}
    return plan.config(recipe, **{**settings, **changes})


def rests(recipe: str, plain: str = PLAIN, **changes: object) -> Values:
    """The movement of a recipe's generator and of another's."""
    return compared(movement, lambda plan: on_line(plan, recipe, **changes), lambda plan: on_line(plan, plain))


def tells(recipe: str, **changes: object) -> Values:
    """The truthfulness of a recipe's critic and of the plain one's."""
    shared = {"data": "lines", "steps": 200, "batch": 32, "snapshots": 10}
    return compared(
        truthfulness,
        lambda plan: plan.config(recipe, **{**shared, **changes}),
        lambda plan: plan.config(PLAIN, **shared),
    )


def knows(recipe: str) -> Values:
    """How well a recipe's critic and the plain one tell real points from any."""
    make = lambda name: lambda plan: plan.config(name, data="ring8", steps=500, snapshots=10)
    return compared(recognises, make(recipe), make(PLAIN))


def remembers(recipe: str) -> Values:
    """How well a recipe's critic and the plain one reject fakes of the past."""
    fast = {"data": "ring8", "lr": 5e-4, "generator_lr": 2e-3, "batch": 32, "steps": 500, "snapshots": 20}
    make = lambda name: lambda plan: plan.config(name, **fast)
    return compared(forgotten, make(recipe), make(PLAIN))


def alone(recipe: str) -> Values:
    """The sway of a recipe's generator and of a plain one with batch normalisation."""
    normal = Architecture((32, 32), batch_norm=True)
    return compared(
        sway,
        lambda plan: plan.config(recipe, data="ring8", steps=200),
        lambda plan: plan.config(PLAIN, data="ring8", steps=200, generator=normal),
    )
