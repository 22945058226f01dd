"""What the generator is told: labels that it obeys, codes that can be read off its points, a way there and back."""

from typing import Any

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from gan.bench.purposes.purpose import PLAIN, Plan, alive, trained
from gan.config import Config
from gan.data.classifier import classifier
from gan.measures import Reference
from gan.random import Stream
from gan.snapshot import Snapshot

N = 500  # points per replica


def obeyed(config: Config) -> np.ndarray:
    """The share of points that are of the class the generator was told: (S,).

    The judge is the target's nearest mode, or for pictures a classifier trained on the target. A generator that is
    told nothing gets labels drawn by the target's own law, of which it knows nothing.
    """
    last = trained(config)[-1]
    game, data = last.game, last.game.target
    _, told = data.labelled(game.seeds, Stream.SAMPLE, 0, N)
    outputs = last.outputs(N)
    if outputs.shape[-1] > data.dimension:
        told = outputs[..., data.dimension :].argmax(-1)
    judged = np.stack([_class(data, points) for points in game.points(outputs).double()])
    return alive(last, (judged == told.numpy()).mean(-1))


def _class(data: Any, points: Tensor) -> np.ndarray:
    if getattr(data, "assign", None) is None:
        return np.asarray(classifier(data).classify(points.numpy()))
    return data.assign(points)[0].numpy()


def labels(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """cgan on the ring, whose modes are the labels."""
    shared = {"data": "ring8", "steps": 400}
    return obeyed(plan.config("cgan", **shared)), obeyed(plan.config(PLAIN, **shared))


def digit_labels(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """cgan on digits, judged by an independent classifier: lecture row D24."""
    shared = {"data": "digits", "steps": 600, "latent": 16}
    return obeyed(plan.config("cgan", **shared)), obeyed(plan.config(PLAIN, **shared))


def readable(config: Config, coordinates: slice) -> np.ndarray:
    """R^2 of these coordinates of the generator's input, read off its points by their 10 nearest neighbours: (S,).

    1 if points tell them, 0 if they tell nothing; the mean over the coordinates. A point is not its own neighbour.
    """
    last = trained(config)[-1]
    codes = last.game.latent(Stream.SAMPLE, 0, N)[..., coordinates].double().numpy()
    found = []
    for points, code in zip(last.sample(N).double().nan_to_num().numpy(), codes, strict=True):
        near = np.asarray(KDTree(points).query(points, 11)[1])
        rest = code - code[near[:, 1:]].mean(1)
        found.append(1 - rest.var(0) / code.var(0))
    return alive(last, np.mean(found, axis=1))


def codes(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """infogan's two codes, and two of the plain GAN's inputs, of which it has as many."""
    shared = {"data": "ring8", "steps": 400}
    ours, plain = plan.config("infogan", latent=4, **shared), plan.config(PLAIN, latent=6, **shared)
    return readable(ours, slice(-2, None)), readable(plain, slice(-2, None))


def round_trip(last: Snapshot) -> np.ndarray:
    """E |there and back - x| over both domains, over the distance of two real points: (S,)."""
    game = last.game
    x = game.latent(Stream.SAMPLE, 0, N)
    with torch.no_grad():
        back = game.generator(last.state.generator.parameters, last.outputs(N))
    sizes = [target.dimension for target in game.space.targets]
    size = lambda y: torch.linalg.vector_norm(y, dim=-1).mean(-1)
    parts = zip((back - x).split(sizes, -1), (x - x.roll(1, 1)).split(sizes, -1), strict=True)
    return alive(last, torch.stack([size(error) / size(apart) for error, apart in parts]).mean(0))


def translated(last: Snapshot) -> np.ndarray:
    """W1 between translated and real points of the two domains together: (S,)."""
    game = last.game
    reference = Reference.of(game.target, game.seeds, N, ("w1",))
    return alive(last, reference.evaluate(last.sample(N))["w1"])


def there_and_back(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The round trip between a ring and a disc, of cyclegan and of what is left of it without its cycle term."""
    config = lambda recipe: plan.config(recipe, data=("ring8", "gaussian"), steps=300)
    with_term, without = (trained(config(recipe))[-1] for recipe in ("cyclegan", "cyclegan-without-cycle"))
    return round_trip(with_term), round_trip(without)
