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


@pytest.mark.claim("D38")
def test_gradients_grow_with_the_discriminator(claim):
    """The non-saturating gradient exceeds minimax's, and its mean and variance grow as the discriminator is trained."""
    claim.source("I")
    noise = torch.randn(3, 128, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(38))
    real, fake, fresh = noise[0], noise[1] + 8, noise[2] + 8
    early, late = (trained_discriminators(real, fake, steps, SEEDS, rate=1e-3) for steps in (100, 2000))
    (strong, stronger), (weak, weaker) = (
        [gradients(objective.generator_loss, d, fresh) for d in (early, late)] for objective in (NONSATURATING, MINIMAX)
    )
    # The lecture states neither network nor rate: that its numbers go the same way is what can be repeated.
    growth = lambda statistic, before, after: np.log10(statistic(after, axis=1) / statistic(before, axis=1))
    mean_at_least(claim, "non-saturating over minimax, 100 steps, log10", growth(np.mean, weak, strong), 1.3)
    mean_at_least(claim, "non-saturating over minimax, 2,000 steps, log10", growth(np.mean, weaker, stronger), 2.7)
    mean_at_least(
        claim,
        "non-saturating, 2,000 over 100 steps, log10 of means (lecture: 0.14)",
        growth(np.mean, strong, stronger),
        0.4,
    )
    mean_at_least(claim, "the same, log10 of variances (lecture: 0.99)", growth(np.var, strong, stronger), 0.5)
    mean_at_most(
        claim, "minimax, 2,000 over 100 steps, log10 of means (lecture: -1.26)", growth(np.mean, weak, weaker), -0.5
    )
