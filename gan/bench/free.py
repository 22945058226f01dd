"""A bench that a user asks for: recipes x data, everything else equal."""

from collections.abc import Sequence
from itertools import product

from divergences._checks import choice
from divergences.errors import DataError
from gan.bench.protocol import Cell, Protocol, Rule
from gan.conditions import Joint, Translation
from gan.config import Config
from gan.data import Data, dataset
from gan.measures import MEASURES, SAMPLES, applicable, default_measures
from gan.networks import Architecture
from gan.recipes import RECIPES

FIRST = ("w1", "modes", "modes_1pct", "high_quality")  # columns, where they apply


def free(
    *,
    recipe: Sequence[str] = ("nonsaturating", "wgan-gp"),
    data: Sequence[str] = ("ring8",),
    seeds: int = 5,
    steps: int = 2000,
    batch: int | None = None,
    critic_steps: int | None = None,
    lr: Sequence[float] = (),
    penalty_weight: float | None = None,
    hidden: Sequence[int] = (128, 128),
    latent: int = 4,
    measures: Sequence[str] = (),
    n: int = SAMPLES,
    device: str = "cpu",
) -> Protocol:
    """Every recipe on every data set, for seeds 0, 1, ...; see `Config` for the rest.

    A recipe that translates, as cyclegan does, takes the two data sets together, in this order.

    >>> bench = free(recipe=("hinge", "wgan-gp"), data=("ring8", "grid25"), steps=10, lr=(1e-3,), penalty_weight=1)
    >>> [cell.folder for cell in bench.cells]
    ['ring8-hinge', 'ring8-wgan-gp', 'grid25-hinge', 'grid25-wgan-gp']
    """
    arguments = _arguments(locals())
    widths = Architecture(tuple(hidden))
    if penalty_weight is not None and not any(name not in RECIPES or RECIPES[name].penalties for name in recipe):
        raise DataError(f"penalty_weight must have a recipe to weigh in; {', '.join(recipe)} have no penalty.")
    cells, usual = [], {}
    alone = [name for name in recipe if not _translates(name)]
    together = [name for name in recipe if _translates(name)]
    for names, name in [*product(zip(data), alone), *((tuple(data), name) for name in together)]:
        weighted = name in RECIPES and RECIPES[name].penalties
        try:
            config = Config(
                recipe=name, data=names, seeds=range(seeds), steps=steps, every=-(-max(1, steps) // 10),
                batch=batch, critic_steps=critic_steps, lr=lr[0] if len(lr) == 1 else tuple(lr) or None,
                penalty_weight=penalty_weight if weighted else None, generator=widths, critic=widths,
                latent=latent, device=device,
            )  # fmt: skip
        except DataError as error:
            raise type(error)(f"{name} on {' '.join(names)}: {error}") from None
        targets = [dataset(name) for name in names]
        target = targets[0] if len(targets) == 1 else Joint(*targets)
        usual |= dict.fromkeys(default_measures(target))
        fitting = _fitting(measures, target, " and ".join(names))
        cells.append(Cell(name, config, fitting, n, _every_mode(measures, target)))
    columns = tuple(measures) or tuple(m for m in FIRST if m in usual) or tuple(usual)[:3]
    return Protocol(
        name="free",
        description=f"{', '.join(recipe)} on {', '.join(data)}, {steps} steps.",
        cells=tuple(cells),
        columns=columns,
        seeds=seeds,
        arguments=arguments,
    )


def _translates(recipe: str) -> bool:
    return recipe in RECIPES and isinstance(RECIPES[recipe].condition, Translation)


def _fitting(measures: Sequence[str], target: Data, named: str) -> tuple[str, ...]:
    """Of the measures asked for those that this target allows: a bench may have targets of several kinds."""
    for name in measures:
        choice(name, MEASURES, "measure")
    allowed = applicable(target)
    fitting = tuple(name for name in measures if name in allowed)
    if measures and not fitting:
        raise DataError(f"measures must name one that applies to {named}: {', '.join(allowed)}.")
    return fitting


def _every_mode(measures: Sequence[str], target: Data) -> tuple[Rule, ...]:
    """Success is every mode covered, by the stricter rule that is in the table."""
    applies = applicable(target)
    counted = [name for name in ("modes_1pct", "modes") if name in (measures or applies) and name in applies]
    return tuple(Rule(name, ">=", getattr(target, "mode_count", 0)) for name in counted[:1])


def _arguments(given: dict) -> tuple[str, ...]:
    """The options that say the same on a command line."""
    words: list[str] = []
    for name, value in given.items():
        values = list(value) if isinstance(value, tuple | list | range) else [] if value is None else [value]
        if values:
            words += [f"--{name.replace('_', '-')}", *(f"{v:.12g}" if isinstance(v, float) else str(v) for v in values)]
    return tuple(words)
