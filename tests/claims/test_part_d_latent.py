"""Part D: what lies between the codes of images, and what their differences mean; bounds as in `test_part_d_training`.

A line between two codes is straight in the latent space; its picture is compared with the straight line between the two
images, which mixes their pixels. Distances are over that of two unrelated digits.
"""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from gan.bench.purposes.purpose import Plan, trained
from gan.bench.purposes.statistics import alive
from gan.data.classifier import classifier
from gan.data.images import DIGITS
from gan.data.rows import split
from gan.networks import Architecture
from gan.random import Stream, normal
from tests.claims import figures
from tests.claims.seeds import mean_at_least, mean_at_most

CODES, LINES, PARTS = 1000, 150, 16  # codes and lines per seed, parts of a line
FEWEST = 10  # codes of a class whose mean is taken
WIDE = Architecture((128, 128))


def generators(plan, steps):
    """Generators of digits after a training, and what makes images of codes: (n, latent) -> (n, 64), seed by seed."""
    small = {"generator": WIDE, "critic": WIDE, "latent": 8, "penalty_weight": 1.0}
    last = trained(plan.config("r3gan", data="digits", steps=steps, **small))[-1]
    averages = last.state.memory["average"]

    def image(seed, codes):
        with torch.no_grad():
            return last.game.generator(averages[seed : seed + 1], codes[None])[0].double().numpy()

    return last, image


def known():
    """The digits that training draws from, and the mean distance of two of them."""
    rows = DIGITS.load()[0][split(DIGITS.size)[None]]
    half = len(rows) // 2
    return rows, cdist(rows[:half], rows[half:]).mean()


def lines(last, image, seed):
    """Along latent lines and along lines of pixels between the same ends: (LINES, PARTS + 1, 64) each."""
    codes = last.game.latent(Stream.SAMPLE, 0, 2 * LINES)[seed]
    u = torch.linspace(0, 1, PARTS + 1)[:, None]
    inside = torch.lerp(codes[:LINES, None], codes[LINES:, None], u)
    latent = image(seed, inside.flatten(0, 1)).reshape(LINES, PARTS + 1, -1)
    mixed = latent[:, :1] + (latent[:, -1:] - latent[:, :1]) * u.double().numpy()
    return latent, mixed


def interpolations(last, image):
    """Over seeds: length of a latent line, its largest part, and how near data its middle is, and that of mixed pixels.

    The lengths are over the distance of two unrelated digits, the last two are distances to the nearest digit over it.
    """
    data, apart = known()
    near = lambda x: cdist(x[:, PARTS // 4 : -PARTS // 4 + 1].reshape(-1, x.shape[-1]), data).min(1).mean()
    found = []
    for seed in range(len(last.game.seeds)):
        latent, mixed = lines(last, image, seed)
        parts = np.linalg.norm(np.diff(latent, axis=1), axis=-1)
        found.append((parts.sum(1).mean(), parts.max(1).mean(), near(latent), near(mixed)))
    return [alive(last, values / apart) for values in np.transpose(found)]


def arithmetic(last, image):
    """The share of images of a class that become the other's, by the code z + mean of b - mean of a: (S,).

    The second number is for a shift of the same length in a random direction. Means over all ordered pairs of classes.
    """
    game, read = last.game, lambda x: classifier(DIGITS).classify(torch.as_tensor(x)).numpy()
    codes = game.latent(Stream.SAMPLE, 0, CODES)
    directions = normal(game.seeds, Stream.MEASURE_LATENT, 0, (10, 10, codes.shape[-1]), dtype=codes.dtype)
    found = []
    for seed, z in enumerate(codes):
        labels = read(image(seed, z))
        classes = np.flatnonzero(np.bincount(labels, minlength=10) >= FEWEST)
        mean = {c: z[labels == c].mean(0) for c in classes}
        shares = []
        for a, b in ((a, b) for a in classes for b in classes if a != b):
            shift = mean[b] - mean[a]
            elsewhere = directions[seed, a, b] * (shift.norm() / directions[seed, a, b].norm())
            moved = (z[labels == a] + move for move in (shift, elsewhere))
            shares.append([(read(image(seed, codes)) == b).mean() for codes in moved])
        found.append(np.mean(shares, axis=0) if shares else (np.nan, np.nan))
    return [alive(last, values) for values in np.transpose(found)]


def drawn(last, image, shown=3):
    """Latent lines and mixed pixels between the same ends, of the first seed."""
    latent, mixed = lines(last, image, 0)
    rows = {}
    for k in range(shown):
        rows |= {f"line {k + 1}: codes": latent[k], f"line {k + 1}: pixels": mixed[k]}
    return figures.pictures(rows, 8)


def measured(claim, plan, steps, *, longest, largest, told):
    """What holds after any training, with its bounds; how much nearer data latent lines pass than mixed pixels do."""
    last, image = generators(plan, steps)
    length, part, latent, mixed = interpolations(last, image)
    mean_at_most(claim, "length of a latent line, over the distance of two unrelated digits", length, longest)
    mean_at_most(claim, "the largest of 16 parts of it", part, largest)
    moved, chance = arithmetic(last, image)
    mean_at_least(claim, "code + mean of b - mean of a: images of a that become b, share", moved, told)
    mean_at_most(claim, "a shift as long in a random direction", chance, 0.09)
    return mixed - latent, lambda: drawn(last, image)


@pytest.mark.claim("D27")
def test_codes_are_continuous_and_add_up(claim):
    """Between two codes images change bit by bit; the difference of two mean codes turns one class into the other."""
    claim.source("I")
    nearer, _ = measured(claim, Plan(range(300, 304)), 300, longest=1.4, largest=0.125, told=0.53)
    mean_at_most(claim, "a young generator's lines are farther from digits than mixed pixels, by", nearer, -0.006)


@pytest.mark.slow
@pytest.mark.claim("D27")
def test_codes_lead_along_the_data(claim):
    """After 1,500 steps the line between two codes passes nearer to digits than the mixture of the same two images."""
    claim.source("I")
    nearer, picture = measured(claim, Plan(range(300, 308)), 1500, longest=1.5, largest=0.148, told=0.59)
    mean_at_least(claim, "latent lines are nearer to digits than mixed pixels, by", nearer, 0.016)
    claim.figure(picture, "between two codes, and between the pixels of the same two ends; first seed")
