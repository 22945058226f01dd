"""Every recipe's Dirac-GAN: what theory, autograd and a simulation say of it, side by side.

The game has the recipe's losses, penalties, constraint and rhythm (critic steps per generator step), and plain
gradient steps: Adam's moments add a dynamics of their own, which no closed form describes.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from divergences.errors import DataError
from gan import penalties
from gan.conditions import Unconditional
from gan.constraints import WeightClipping
from gan.dynamics.closed_forms import SLOPES, alternating_contraction, dirac_eigenvalues
from gan.dynamics.dirac import dirac
from gan.dynamics.games import (
    DifferentiableGame,
    alternating,
    contraction,
    derivative,
    eigenvalues,
    jacobian,
    trajectory,
)
from gan.objectives import OBJECTIVES
from gan.recipes import RECIPES, Recipe

RATE = 0.2  # the step of Mescheder et al.; less where the field is stiffer than 1 / RATE
STEPS = 450  # of a game that does not turn; others are played for three turns
CONVERGES, TURNS, DIVERGES = "converges", "turns", "diverges"
KINK, RESTLESS = "no derivative", "does not settle"

CHARGED: Mapping[Any, float] = {
    penalties.half_square: 1.0,
    penalties.square: 2.0,
    penalties.one_sided: 0.0,
    penalties.excess: 0.0,
}
"""Second derivative of a charge in the critic's slope at 0; a two-sided penalty has a kink there."""

NETWORKS: Mapping[str, str] = {
    "minibatch-discrimination": "the features of the batch",
    **dict.fromkeys(("pacgan", "pacgan3", "pacgan4"), "packing"),
    "virtual-batch-norm": "the reference batch",
    "dcgan": "its convolutions",
    "wgan-gp-mixture": "the waves and the mixture",
}
"""What is particular about a recipe's networks, which a critic on the line does not have."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is known of one recipe's Dirac-GAN. None: there is no such number, and `note` says why.

    Attributes:
        eigenvalues, theory: of the field's Jacobian at rest, by autograd and by closed form; error: their distance.
        rate: the step size h; contraction, contraction_theory: of one round of training's steps, likewise.
        near, played: what eigenvalues say of the flow near rest, and what a simulation from (1, 1) shows.

    """

    recipe: str
    eigenvalues: tuple[complex, ...] | None = None
    theory: tuple[complex, ...] | None = None
    error: float | None = None
    rate: float | None = None
    contraction: float | None = None
    contraction_theory: float | None = None
    near: str = ""
    played: str = ""
    note: str = ""


def near_rest(values: Tensor | None) -> str:
    """What the flow does near rest: `converges`, `turns` (no real part: the linear part does not decide), `diverges`.

    >>> near_rest(torch.tensor([-0.5j, 0.5j]))
    'turns'
    """
    if values is None:
        return KINK
    most = float(values.real.max())
    if abs(most) <= 1e-9 * (1 + float(values.abs().max())):
        return TURNS
    return CONVERGES if most < 0 else DIVERGES


def played_out(states: Tensor) -> str:
    """What a trajectory (steps + 1, n) does, by its largest distance from rest in its middle and in its last third.

    A change below half a percent counts as none: then it turns.

    >>> played_out(torch.linspace(1, 0, 31)[:, None])
    'converges'
    """
    radius = states.norm(dim=-1)
    if not bool(radius.isfinite().all()):
        return DIVERGES
    third = len(radius) // 3
    before, after = float(radius[third : 2 * third].max()), float(radius[2 * third :].max())
    if after < 0.995 * before or after == 0:
        return CONVERGES
    return DIVERGES if after > 1.005 * before else TURNS


def step_size(game: DifferentiableGame, scale: float = 1.0) -> float:
    """RATE, or one over the largest |J| on a ring around rest where the field is stiffer: steps then follow it."""
    angles = torch.linspace(0.3, 0.3 + 2 * math.pi, 9, dtype=torch.float64)[:-1]  # off the axes, where kinks are
    ring = scale * torch.stack((angles.cos(), angles.sin()), dim=-1)
    stiffest = float(torch.linalg.matrix_norm(jacobian(game.field, ring), 2).max())
    return min(RATE, 1 / stiffest)


def start(recipe: Recipe) -> Tensor:
    """(1, 1) as in Mescheder et al., within what clipping allows."""
    return torch.full((2,), min(1.0, _clip(recipe) or 1.0), dtype=torch.float64)


def dirac_of(recipe: Recipe) -> DifferentiableGame:
    """The Dirac-GAN of a recipe. Raises DataError, saying why, where it has none."""
    if recipe.constraint is not None and not isinstance(recipe.constraint, WeightClipping):
        raise DataError("a linear critic has no freedom left under spectral normalisation: its slope is always 1.")
    if type(recipe.condition) is not Unconditional:
        raise DataError("a Dirac-GAN has no labels, codes or second domain.")
    noise = recipe.noise.start if recipe.noise else 0.0
    return dirac(
        recipe.objective,
        recipe.penalties,
        noise=noise,
        clip=_clip(recipe),
        unroll=recipe.unroll,
        unroll_rate=RATE,
    )


def row(name: str, recipe: Recipe) -> Row:
    """One recipe's row.

    >>> row("minimax", RECIPES["minimax"]).near
    'turns'
    """
    try:
        game = dirac_of(recipe)
    except DataError as error:
        return Row(recipe=name, note=str(error))
    linear = derivative(game.field, game.equilibrium)
    found = None if linear is None else eigenvalues(linear)
    begin, steps = start(recipe), recipe.critic_steps
    update, rate = partial(alternating, critic_steps=steps), step_size(game, float(begin[0]))
    slopes = _slopes(recipe)
    damping = None if slopes is None else _damping(recipe, *slopes)
    known = round_theory = None
    if slopes is not None and damping is not None:
        known = dirac_eigenvalues(*slopes, damping)
        round_theory = alternating_contraction(rate * math.sqrt(slopes[0] * slopes[1]), rate * damping, steps)
    radius = contraction(game, update, rate)
    played = played_out(trajectory(game, update, rate, begin, _rounds(found, rate)))
    return Row(
        recipe=name,
        eigenvalues=None if found is None else tuple(found.tolist()),
        theory=None if known is None else tuple(known.tolist()),
        error=None if found is None or known is None else float((found - known).abs().max()),
        rate=rate,
        contraction=None if math.isnan(radius) else radius,
        contraction_theory=round_theory,
        near=near_rest(found),
        # A critic held at slope 1 turns round only when theta has grown to twice the weight: no cycle is seen so soon.
        played=RESTLESS if found is None and played != CONVERGES else played,
        note=_note(name, recipe, kink=found is None),
    )


def rows(recipes: Mapping[str, Recipe] = RECIPES) -> Iterator[Row]:
    """A row for every recipe, as they are ready; recipes whose Dirac-GANs are the same game are played once."""
    known: dict[Any, Row] = {}
    for name, recipe in recipes.items():
        key = (recipe.objective, recipe.penalties, recipe.constraint, recipe.critic_steps)
        key = (*key, recipe.noise, recipe.unroll, type(recipe.condition))
        if key not in known:
            known[key] = row(name, recipe)
        note = _note(name, recipe, kink=known[key].near == KINK) if known[key].near else known[key].note
        yield replace(known[key], recipe=name, note=note)


def _rounds(values: Tensor | None, rate: float) -> int:
    """How long to play: so that each third, of which `played_out` compares two, is one turn."""
    turning = 0.0 if values is None else float(values.imag.abs().max())
    return math.ceil(3 * 2 * math.pi / (rate * turning)) if turning > 0 else STEPS


def _clip(recipe: Recipe) -> float | None:
    return recipe.constraint.bound if isinstance(recipe.constraint, WeightClipping) else None


def _slopes(recipe: Recipe) -> tuple[float, float] | None:
    """The closed-form slopes of a recipe's objective, if it is one of OBJECTIVES."""
    known = (name for name, objective in OBJECTIVES.items() if objective == recipe.objective)
    return SLOPES.get(next(known, ""))


def _damping(recipe: Recipe, b: float, c: float) -> float | None:
    """What penalties, noise and unrolling take from a deviation per unit of time; None if a penalty has a kink."""
    charged = [(CHARGED.get(penalty.charge), float(penalty.weight)) for penalty in recipe.penalties]
    if any(curvature is None for curvature, _ in charged):
        return None
    noise = 2 * (1 / 4) * recipe.noise.start**2 if recipe.noise else 0.0  # f''(0) of the logistic loss
    return sum(float(k or 0) * weight for k, weight in charged) + noise + 2 * recipe.unroll * RATE * b * c


def _note(name: str, recipe: Recipe, *, kink: bool) -> str:
    """What of the recipe the game does not have, and why numbers are missing."""
    left_out = {
        NETWORKS.get(name, ""): name in NETWORKS,
        "its replay": recipe.replay is not None,
        "historical averaging": recipe.history > 0,
        "the slow average": recipe.average > 0,
    }
    named = ", ".join(what for what, there in left_out.items() if there)
    parts = [
        f"without {named}" if named else "",
        f"noise at its first sigma, {recipe.noise.start:g}" if recipe.noise else "",
        "|slope| - 1 has a kink at rest" if kink else "",
    ]
    return "; ".join(part for part in parts if part)
