"""PacGAN's table 1: packing against the plain GAN on a ring and a grid, with its networks."""

from gan.bench.protocol import Cell, Protocol, Published, Rule
from gan.config import Config
from gan.networks import Architecture

_GENERATOR = Architecture((400, 400, 400, 400), "relu", batch_norm=True)
_CRITIC = Architecture((200, 200, 200), "maxout")
_MEASURES = ("modes", "modes_1pct", "high_quality", "mode_reverse_kl")
_RECIPES = {"GAN": "nonsaturating", "PacGAN2": "pacgan", "PacGAN3": "pacgan3", "PacGAN4": "pacgan4"}


def _cells(data: str, modes: int) -> tuple[Cell, ...]:
    shared = {"data": data, "steps": 400_000, "lr": 1e-4, "latent": 2, "betas": (0.8, 0.999)}
    success = (Rule("modes", ">=", modes),)
    return tuple(
        Cell(
            name,
            Config(recipe=recipe, batch=100 * packed, generator=_GENERATOR, critic=_CRITIC, **shared),
            _MEASURES,
            2500,
            success,
        )
        for packed, (name, recipe) in enumerate(_RECIPES.items(), 1)
    )


def _row(*values: float) -> dict[str, tuple[float, float]]:
    modes, high_quality, reverse_kl = zip(values[::2], values[1::2], strict=True)
    return {"modes": modes, "high_quality": high_quality, "mode_reverse_kl": reverse_kl}


PROTOCOL = Protocol(
    name="pacgan",
    description="Lin et al. (2018), table 1, with the networks of its code: a generator of 4x400 with batch "
    "normalisation, a critic of 3 layers of 200 maxout units of 5 pieces, 100 packs a step, Adam 1e-4, 2,500 samples.",
    cells=(*_cells("ring8-veegan", 8), *_cells("grid25", 25)),
    columns=_MEASURES,
    published=(
        Published(
            "PacGAN, Lin et al. (2018), table 1: means of 10 trials",
            {
                ("ring8-veegan", "GAN"): _row(6.3, 0.5, 0.982, 0.002, 0.45, 0.09),
                ("ring8-veegan", "ALI"): _row(6.6, 0.3, 0.976, 0.004, 0.36, 0.04),
                ("ring8-veegan", "PacGAN2"): _row(7.9, 0.1, 0.956, 0.020, 0.07, 0.03),
                ("ring8-veegan", "PacGAN3"): _row(7.8, 0.1, 0.977, 0.003, 0.10, 0.02),
                ("ring8-veegan", "PacGAN4"): _row(7.8, 0.1, 0.959, 0.014, 0.07, 0.02),
                ("grid25", "GAN"): _row(17.3, 0.8, 0.948, 0.007, 0.70, 0.07),
                ("grid25", "ALI"): _row(24.1, 0.4, 0.957, 0.006, 0.14, 0.03),
                ("grid25", "PacGAN2"): _row(23.8, 0.7, 0.913, 0.008, 0.13, 0.04),
                ("grid25", "PacGAN3"): _row(24.6, 0.4, 0.942, 0.004, 0.06, 0.02),
                ("grid25", "PacGAN4"): _row(24.8, 0.2, 0.936, 0.006, 0.04, 0.01),
            },
            error="standard error over 10 trials",
        ),
    ),
    faults=(
        "One stray sample near a mode covers it: modes_1pct asks for 1 % of the samples.",
        "The reverse KL is that of the histogram of high-quality samples alone: a generator with few of them can do "
        "well in it. A perfect one gets (K - 1) / 2n, 0.0014 for 8 modes and 0.0048 for 25.",
        "A step with packs of m sees m times the points: equal steps are not equal samples.",
    ),
    differences=(
        "Points are drawn afresh instead of from 100,000 fixed ones; the players step one after the other instead of "
        "both at once; initial weights are scaled to the width instead of 0.02.",
    ),
    budget=0.001,
    seeds=5,
)
