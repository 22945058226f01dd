"""VEEGAN's table 1: a ring, a grid, and ten modes in 1200 dimensions."""

from gan.bench.protocol import Cell, Protocol, Published, Rule
from gan.config import Config
from gan.networks import Architecture

_TANH = Architecture((128, 128), "tanh")
_MODES = ("modes", "modes_1pct", "high_quality", "mode_reverse_kl")


def cells(data: str, success: Rule, measures: tuple[str, ...] = _MODES) -> tuple[Cell, ...]:
    """The GAN and the unrolled one, with the networks and the optimiser of the unrolled-GAN notebook."""
    shared = {"data": data, "steps": 25_000, "batch": 512, "lr": 1e-4, "generator_lr": 1e-3, "latent": 256}
    return tuple(
        Cell(name, Config(recipe=recipe, generator=_TANH, critic=_TANH, **shared), measures, 2500, (success,))
        for name, recipe in (("GAN", "nonsaturating"), ("Unrolled GAN", "unrolled"))
    )


def _row(modes: float, high_quality: float) -> dict[str, tuple[float, None]]:
    return {"modes": (modes, None), "high_quality": (high_quality, None)}


TABLE = Published(
    "VEEGAN, Srivastava et al. (2017), table 1: means of 5 runs",
    {
        ("ring8-veegan", "GAN"): _row(1, 0.993),
        ("ring8-veegan", "ALI"): _row(2.8, 0.0013),
        ("ring8-veegan", "Unrolled GAN"): _row(7.6, 0.356),
        ("ring8-veegan", "VEEGAN"): _row(8, 0.529),
        ("grid25", "GAN"): _row(3.3, 0.005),
        ("grid25", "ALI"): _row(15.8, 0.016),
        ("grid25", "Unrolled GAN"): _row(23.6, 0.16),
        ("grid25", "VEEGAN"): _row(24.6, 0.4),
        ("veegan-1200", "GAN"): _row(1.6, 0.02),
        ("veegan-1200", "ALI"): _row(3, 0.054),
        ("veegan-1200", "Unrolled GAN"): _row(0, 0),
        ("veegan-1200", "VEEGAN"): _row(5.5, 0.2829),
    },
)

PROTOCOL = Protocol(
    name="veegan",
    description="Srivastava et al. (2017), table 1: modes with at least one sample within 3 sigma, and the share of "
    "samples that are, of 2,500.",
    cells=(
        *cells("ring8-veegan", Rule("modes", ">=", 8)),
        *cells("grid25", Rule("modes", ">=", 25)),
        *cells("veegan-1200", Rule("modes", ">=", 10)),
        *cells("veegan-1200-calibrated", Rule("modes", ">=", 10)),
    ),
    columns=_MODES,
    published=(TABLE,),
    faults=(
        "In 1200 dimensions a sample counts within 10 of a mode, but a point of the target lies 26.5 from its own: a "
        "perfect generator scores 0. veegan-1200-calibrated takes the radius that keeps as much as 3 sigma in the "
        "plane.",
        "At best 98.889 % of a perfect generator's samples lie within 3 sigma in the plane. A share above that, as the "
        "GAN's 99.3 % on the ring, comes of samples narrower than the target.",
        "One stray sample near a mode covers it: modes_1pct asks for 1 % of the samples.",
        "Others measured 6.3 modes where this table has 1 for the GAN on the ring (see the protocol pacgan): networks "
        "and optimiser decide.",
    ),
    differences=(
        "The paper's synthetic experiments were released without code: networks, optimiser and steps are those of the "
        "unrolled-GAN notebook, on which they are said to build.",
        "VEEGAN and ALI, which learn an encoder too, are not trained here.",
    ),
    budget=0.02,
)
