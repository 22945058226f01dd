"""The toys of WGAN-GP: eight and twenty-five Gaussians and the Swiss roll."""

from gan.bench.protocol import Cell, Protocol
from gan.config import Config
from gan.networks import Architecture

_RELU = Architecture((512, 512, 512), "relu")
_MEASURES = ("w1", "sliced_w1", "kl", "js")
_MODES = ("modes", "modes_1pct", "high_quality")


def _cells(data: str, measures: tuple[str, ...]) -> tuple[Cell, ...]:
    shared = {"data": data, "steps": 100_000, "batch": 256, "latent": 2, "generator": _RELU, "critic": _RELU}
    return (
        Cell("WGAN-GP", Config(recipe="wgan-gp", penalty_weight=0.1, betas=(0.5, 0.9), **shared), measures),
        Cell("WGAN", Config(recipe="wgan", **shared), measures),
    )


PROTOCOL = Protocol(
    name="wgan-gp-toy",
    description="The toys in the code of Gulrajani et al. (2017): 3x512 ReLU, batch 256, five critic steps, penalty "
    "weight 0.1; WGAN with clipping at 0.01 beside it.",
    cells=(
        *_cells("ring8-wgan-gp", (*_MEASURES, *_MODES)),
        *_cells("grid25-wgan-gp", (*_MEASURES, *_MODES)),
        *_cells("swissroll", _MEASURES),
    ),
    columns=("w1", "sliced_w1", "js", "modes", "high_quality", "estimate"),
    faults=(
        "No numbers were published, only pictures; those of the paper show a critic for a fixed generator, data plus "
        "noise, which is not what the code trains by default.",
        "The penalty weight is 0.1 in the code and 10 in the paper. Five critic steps are too few to read the critic's "
        "estimate as W1: the true one stands beside it.",
    ),
    differences=("The 25 Gaussians are drawn afresh instead of from 100,000 fixed points.",),
    budget=0.0015,
    seeds=3,
)
