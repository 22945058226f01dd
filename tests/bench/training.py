"""Training WGAN-GP on two-dimensional points, batch 64, both networks 2 x 128: ours against a plain PyTorch loop.

Every contestant takes the same number of steps: five of the critic and one of the generator, for each seed. The peer is
what people write: `torch.nn`, `torch.optim.Adam`, one seed after the other, with torch's own random numbers. Our time
holds random numbers that are functions of seed and step, and the measurement of both losses at the end.

The last contestant is the limit: the multiplications and additions of those steps as matrix products of 1024 x 1024,
at the machine's own speed.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import gan

Contestants = dict[str, Callable[[], Any]]
STEPS, BATCH, WIDTH, CRITIC_STEPS = 40, 64, 128, 5


def ours(seeds: int) -> Callable[[], None]:
    """All seeds as one batch of tensors."""
    config = gan.Config(recipe="wgan-gp", data="ring8", seeds=range(seeds), steps=STEPS, every=STEPS, batch=BATCH)

    def run() -> None:
        for _ in gan.train(config):
            pass

    return run


def plain_loop(seeds: int) -> Callable[[], None]:
    """Modules, optimisers and a loop over the seeds."""
    angles = torch.arange(8) * torch.pi / 4
    means = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)

    def network(inputs: int, outputs: int) -> nn.Module:
        hidden = (nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2))
        return nn.Sequential(*hidden, nn.Linear(WIDTH, outputs))

    def one(seed: int) -> None:
        torch.manual_seed(seed)
        generator, critic = network(4, 2), network(2, 1)
        adam = lambda net: torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.0, 0.9))
        of_generator, of_critic = adam(generator), adam(critic)
        for _ in range(STEPS):
            for _ in range(CRITIC_STEPS):
                real = means[torch.randint(8, (BATCH,))] + 0.1 * torch.randn(BATCH, 2)
                with torch.no_grad():
                    fake = generator(torch.randn(BATCH, 4))
                between = torch.lerp(fake, real, torch.rand(BATCH, 1)).requires_grad_()
                (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
                penalty = 10 * (slope.norm(dim=1) - 1).square().mean()
                loss = critic(fake).mean() - critic(real).mean() + penalty
                of_critic.zero_grad()
                loss.backward()
                of_critic.step()
            of_generator.zero_grad()
            (-critic(generator(torch.randn(BATCH, 4))).mean()).backward()
            of_generator.step()

    def run() -> None:
        for seed in range(seeds):
            one(seed)

    return run


def flops() -> float:
    """Multiplications and additions of one step of one seed, in the matrix products alone.

    A pass over a batch costs 2 per weight and point; a backward pass twice that. A critic's step passes 2 batches
    forward and back, and the penalty's points forward, along the slope, and back through both.
    """
    weights = lambda inputs, outputs: inputs * WIDTH + WIDTH * WIDTH + WIDTH * outputs
    critic, generator = 2 * BATCH * weights(2, 1), 2 * BATCH * weights(4, 2)
    per_critic_step = generator + 3 * 2 * critic + 3 * 2 * critic
    return CRITIC_STEPS * per_critic_step + 3 * generator + 2 * critic


def limit(seeds: int) -> Callable[[], None]:
    """The same arithmetic at the speed of large matrix products."""
    size = 1024
    a, b = torch.randn(size, size), torch.randn(size, size)
    times = round(seeds * STEPS * flops() / (2 * size**3))

    def run() -> None:
        for _ in range(times):
            torch.mm(a, b)

    return run


def case(seeds: int) -> Callable[[], Contestants]:
    """One number of seeds."""

    def contestants() -> Contestants:
        names = ("gan.train", "plain PyTorch loop", "its arithmetic as large matrix products")
        return dict(zip(names, (make(seeds) for make in (ours, plain_loop, limit)), strict=True))

    return contestants


CASES = {f"WGAN-GP, {STEPS} steps, {seeds} seed{'s' * (seeds > 1)}": case(seeds) for seeds in (1, 8, 32)}
