"""Part D: what discriminators tell their generators as they learn; bounds as in `test_part_d_training`."""

import numpy as np
import pytest
import torch

from tests.claims.games import MINIMAX, NONSATURATING, per_sample, trained_discriminators
from tests.claims.seeds import mean_at_least, mean_at_most

SEEDS = 8


def gradients(loss, discriminators, fake):
    """The absolute gradient that each discriminator sends to each of the one-dimensional fake points: (seeds, n)."""
    found = []
    for k in range(SEEDS):
        x = fake.clone().requires_grad_()
        (slope,) = torch.autograd.grad(per_sample(loss, discriminators(x)[k]).sum(), x)
        found.append(slope[:, 0].abs().numpy())
    return np.array(found)


def trained_twice(seed):
    """log10 of what 2,000 instead of 100 steps, and one loss instead of the other, make of gradients: five numbers."""
    noise = torch.randn(3, 128, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    real, fake, fresh = noise[0], noise[1] + 8, noise[2] + 8
    early, late = (trained_discriminators(real, fake, steps, SEEDS, rate=1e-3) for steps in (100, 2000))
    (strong, stronger), (weak, weaker) = (
        [gradients(objective.generator_loss, d, fresh) for d in (early, late)] for objective in (NONSATURATING, MINIMAX)
    )
    pairs = (np.mean, weak, strong), (np.mean, weaker, stronger), (np.mean, strong, stronger)
    pairs += (np.var, strong, stronger), (np.mean, weak, weaker)
    return [np.log10(size(after, axis=1) / size(before, axis=1)).mean() for size, before, after in pairs]


@pytest.mark.claim("D38")
def test_gradients_grow_with_the_discriminator(claim):
    """The non-saturating gradient exceeds minimax's, and its mean and variance grow as the discriminator is trained."""
    claim.source("I")
    # Of three sets of points, for points matter more than the eight networks trained on each. The lecture states
    # neither network nor rate: that its numbers go the same way is what can be repeated.
    early, late, mean, variance, minimax = np.transpose([trained_twice(seed) for seed in (38, 39, 40)])
    mean_at_least(claim, "non-saturating over minimax, 100 steps, log10 (lecture: 1.89)", early, 1.2)
    mean_at_least(claim, "non-saturating over minimax, 2,000 steps, log10 (lecture: 3.29)", late, 2.4)
    mean_at_least(claim, "non-saturating, 2,000 over 100 steps, log10 of means (lecture: 0.14)", mean, 0.6)
    mean_at_least(claim, "the same, log10 of variances (lecture: 0.99)", variance, 2.1)
    mean_at_most(claim, "minimax, 2,000 over 100 steps, log10 of means (lecture: -1.26)", minimax, -0.28)
