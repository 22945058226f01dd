"""What the purposes look at: a number per replica, (S,), of the snapshots of a training; NaN for one that diverged."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.spatial import KDTree
from scipy.stats import rankdata
from torch import Tensor

from gan.data.classifier import classifier
from gan.game import View
from gan.measures import Reference
from gan.penalties import PENALTIES
from gan.random import Stream, uniform
from gan.snapshot import Snapshot

Snapshots = Sequence[Snapshot]

N = 500  # points per replica; a mode counts from 5 of them on
FEW, MANY = 400, 1000  # where many trainings are looked at often, and where slopes are
HALF = 3.0  # half the side of the square around ring8
OPTIMUM = (1.01, 1.831)  # mean and deviation of mixture1d, which are those of the Gaussian of least KL(p, q)


def alive(snapshot: Snapshot, values: Any) -> np.ndarray:
    """The values, (S,), with NaN for the replicas that diverged: their last parameters are no result."""
    values = np.asarray(values.detach() if isinstance(values, Tensor) else values, dtype=float)
    return np.where(snapshot.diverged.numpy() > 0, np.nan, values)


def measured(snapshots: Snapshots, name: str, n: int) -> np.ndarray:
    """A measure, on `n` samples per replica, at each snapshot: (snapshots, S)."""
    game = snapshots[0].game
    reference = Reference.of(game.target, game.seeds, n, (name,))
    return np.array([reference.evaluate(snapshot.sample(n))[name] for snapshot in snapshots], dtype=float)


def at_end(snapshots: Snapshots, *, measure: str, n: int = N) -> np.ndarray:
    """A measure at the end of training."""
    return alive(snapshots[-1], measured(snapshots[-1:], measure, n)[0])


modes = partial(at_end, measure="modes_1pct")


def movement(snapshots: Snapshots) -> np.ndarray:
    """How far a generated point moves from one snapshot to the next, E |G'(z) - G(z)|, over the second half."""
    game = snapshots[0].game
    latent = game.latent(Stream.SAMPLE, 0, FEW)
    with torch.no_grad():  # the generator in training, not its slow average
        points = torch.stack([game.generator(s.state.generator.parameters, latent) for s in snapshots])
    steps = torch.linalg.vector_norm(points.diff(dim=0), dim=-1).mean(-1)
    return alive(snapshots[-1], steps[len(steps) // 2 :].mean(0))


def truthfulness(snapshots: Snapshots) -> np.ndarray:
    """Spearman's correlation of the critic's estimate with W1 over the snapshots of a training."""
    believed = np.array([s.estimate.numpy() for s in snapshots])
    ranks = rankdata(measured(snapshots, "w1", FEW // 2), axis=0), rankdata(believed, axis=0)
    centred = [r - r.mean(0) for r in ranks]
    scale = np.sqrt((centred[0] ** 2).sum(0) * (centred[1] ** 2).sum(0))
    return alive(snapshots[-1], (centred[0] * centred[1]).sum(0) / np.where(scale > 0, scale, np.inf))


def forward_excess(snapshots: Snapshots) -> np.ndarray:
    """KL(p, N(m, s^2)) beyond the least, in nats, of an affine generator m + s z on mixture1d.

    log(s / s*) + (s*^2 + (m - m*)^2) / (2 s^2) - 1/2, with m* and s* those of the mixture.
    """
    last = snapshots[-1]
    at = torch.tensor([[[0.0], [1.0]]]).expand(len(last.game.seeds), -1, -1)
    with torch.no_grad():
        mean, second = last.game.generator(last.state.generator.parameters, at)[..., 0].double().unbind(1)
    deviation, (best_mean, best) = (second - mean).abs(), OPTIMUM
    excess = (deviation / best).log() + (best**2 + (mean - best_mean) ** 2) / (2 * deviation**2) - 0.5
    return alive(last, excess)


def sway(snapshots: Snapshots) -> np.ndarray:
    """How much an output changes, relative to the outputs' spread, when the rest of its batch is exchanged."""
    last, half = snapshots[-1], 8
    one, two = (last.game.latent(Stream.SAMPLE, step, 2 * half) for step in (1, 2))
    latents = (one, torch.cat((one[:, :half], two[:, half:]), dim=1))
    with torch.no_grad():
        here, there = (last.game.generator(last.state.generator.parameters, z)[:, :half] for z in latents)
    change = torch.linalg.vector_norm(here - there, dim=-1).mean(-1)
    return alive(last, change / here.std((1, 2)))


def forgotten(snapshots: Snapshots) -> np.ndarray:
    """The chance that the critic finds a fake of two snapshots ago more real than a real point.

    The mean over the second half of the snapshots, each with its own critic.
    """
    start, real = len(snapshots) // 2, snapshots[0].game.real(Stream.MEASURE_REAL, 0, FEW)
    pairs = zip(snapshots[start:], snapshots[start - 2 :], strict=False)
    beaten = [_beats(now, before.sample(FEW), real) for now, before in pairs]
    return alive(snapshots[-1], np.mean(beaten, axis=0))


def recognises(snapshots: Snapshots) -> np.ndarray:
    """The chance that the critic finds a real point more real than one drawn evenly from the square around."""
    last = snapshots[-1]
    real = last.game.real(Stream.MEASURE_REAL, 0, FEW)
    square = 2 * uniform(last.game.seeds, Stream.MEASURE_LATENT, 0, tuple(real.shape[1:]), dtype=real.dtype) - 1
    return alive(last, _beats(last, real, HALF * square))


def _beats(snapshot: Snapshot, x: Tensor, others: Tensor) -> np.ndarray:
    """The chance that the critic scores one of `x` higher than one of `others`: (S, n, d) twice -> (S,)."""
    with torch.no_grad():
        ours, theirs = (critic(snapshot)(points)[..., 0].double().numpy() for points in (x, others))
    return np.array([np.searchsorted(np.sort(t), o).mean() / len(t) for o, t in zip(ours, theirs, strict=True)])


def critic(snapshot: Snapshot) -> View:
    """The critic as training sees it."""
    return snapshot.game.view(snapshot.state.critic.parameters, snapshot.state.memory)


def off_one(snapshots: Snapshots) -> np.ndarray:
    """How far the critic's slope is from 1 around real points, in the mean."""
    last = snapshots[-1]
    real = last.game.measured(0, MANY).real
    u = uniform(last.game.seeds, Stream.PENALTY, 0, tuple(real.shape[1:]), dtype=real.dtype)
    near = PENALTIES["dragan"].place.points(real, real, u)
    slope = torch.linalg.vector_norm(critic(last).slope(near).detach(), dim=-1)
    return alive(last, (slope - 1).abs().mean(-1))


def lipschitz(snapshots: Snapshots) -> np.ndarray:
    """The product of the spectral norms of the critic's weights, which bounds its slope everywhere."""
    return alive(snapshots[-1], snapshots[-1].spectral_norm)


def confidence(snapshots: Snapshots) -> np.ndarray:
    """The mean probability of being real that the critic gives to real points."""
    last = snapshots[-1]
    with torch.no_grad():
        return alive(last, critic(last)(last.game.measured(0, MANY).real)[..., 0].sigmoid().mean(-1))


def obeyed(snapshots: Snapshots) -> np.ndarray:
    """The share of points that are of the class the generator was told.

    The judge is the target's nearest mode, or for pictures a classifier trained on the target. A generator that is
    told nothing gets labels drawn by the target's own law, of which it knows nothing.
    """
    last = snapshots[-1]
    game, data = last.game, last.game.target
    _, told = data.labelled(game.seeds, Stream.SAMPLE, 0, N)
    outputs = last.outputs(N)
    if outputs.shape[-1] > data.dimension:
        told = outputs[..., data.dimension :].argmax(-1)
    points = game.points(outputs).double()
    assign = getattr(data, "assign", None)
    judged = assign(points)[0] if assign else classifier(data).classify(points)
    return alive(last, (judged == told).double().mean(-1))


def readable(snapshots: Snapshots) -> np.ndarray:
    """R^2 of the last two numbers of the generator's input, read off its points by their 10 nearest neighbours.

    1 if points tell them, 0 if they tell nothing; the mean over the two. A point is not its own neighbour.
    """
    last = snapshots[-1]
    codes = last.game.latent(Stream.SAMPLE, 0, N)[..., -2:].double().numpy()
    found = []
    for points, code in zip(last.sample(N).double().nan_to_num().numpy(), codes, strict=True):
        near = np.asarray(KDTree(points).query(points, 11)[1])
        rest = code - code[near[:, 1:]].mean(1)
        found.append(1 - rest.var(0) / code.var(0))
    return alive(last, np.mean(found, axis=1))


def round_trip(snapshots: Snapshots) -> np.ndarray:
    """E |there and back - x| over both domains, over the distance of two real points."""
    last = snapshots[-1]
    x = last.game.latent(Stream.SAMPLE, 0, N)
    with torch.no_grad():
        back = last.game.generator(last.state.generator.parameters, last.outputs(N))
    sizes = [target.dimension for target in last.game.space.targets]
    size = lambda y: torch.linalg.vector_norm(y, dim=-1).mean(-1)
    parts = zip((back - x).split(sizes, -1), (x - x.roll(1, 1)).split(sizes, -1), strict=True)
    return alive(last, torch.stack([size(error) / size(apart) for error, apart in parts]).mean(0))
