"""Every recipe's Dirac-GAN: what theory, autograd and a simulation say of it, side by side.

The game has the recipe's losses, penalties, constraint and rhythm (critic steps per generator step), and plain
gradient steps: Adam's moments add a dynamics of their own, which no closed form describes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from divergences.errors import DataError
from gan import penalties
from gan.constraints import WeightClipping
from gan.dynamics.closed_forms import SLOPES, alternating_contraction, dirac_eigenvalues
from gan.dynamics.dirac import dirac
from gan.dynamics.fields import DifferentiableGame, derivative, eigenvalues, jacobian
from gan.dynamics.updates import alternating, contraction, trajectory
from gan.objectives import OBJECTIVES
from gan.recipes import RECIPES

RATE = 0.2  # the step of Mescheder et al.; less where the field is stiffer than 1 / RATE
STEPS = 900
STEPS_AT_KINK = 6000  # a critic held at slope 1 turns round only when theta has grown to twice the weight
CONVERGES, TURNS, DIVERGES, KINK = "converges", "turns", "diverges", "no derivative"

CHARGED: Mapping[Any, float] = {
    penalties.half_square: 1.0,
    penalties.square: 2.0,
    penalties.one_sided: 0.0,
    penalties.excess: 0.0,
}
"""Second derivative of a charge in the critic's slope at 0; a two-sided penalty has a kink there."""


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

    >>> played_out(torch.linspace(1, 0, 31)[:, None])
    'converges'
    """
    radius = states.norm(dim=-1)
    if not bool(radius.isfinite().all()):
        return DIVERGES
    third = len(radius) // 3
    before, after = float(radius[third : 2 * third].max()), float(radius[2 * third :].max())
    if after < 0.97 * before or after == 0:
        return CONVERGES
    return DIVERGES if after > 1.03 * before else TURNS


def step_size(game: DifferentiableGame, scale: float = 1.0) -> float:
    """RATE, or one over the largest |J| on a ring around rest where the field is stiffer: steps then follow it."""
    angles = torch.linspace(0.3, 0.3 + 2 * math.pi, 9, dtype=torch.float64)[:-1]  # off the axes, where kinks are
    ring = scale * torch.stack((angles.cos(), angles.sin()), dim=-1)
    stiffest = float(torch.linalg.matrix_norm(jacobian(game.field, ring), 2).max())
    return min(RATE, 1 / stiffest)


def start(recipe: Any) -> Tensor:
    """(1, 1) as in Mescheder et al., within what clipping allows."""
    return torch.full((2,), min(1.0, _clip(recipe) or 1.0), dtype=torch.float64)


def dirac_of(recipe: Any) -> DifferentiableGame:
    """The Dirac-GAN of a recipe. Raises DataError, saying why, where it has none."""
    if recipe.constraint is not None and not isinstance(recipe.constraint, WeightClipping):
        raise DataError("a linear critic on the line has no freedom left under its constraint: its slope is always 1.")
    return dirac(recipe.objective, _penalties(recipe), clip=_clip(recipe))


def row(name: str, recipe: Any) -> Row:
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
    slopes, damping = _slopes(recipe), _damping(recipe)
    known = round_theory = None
    if slopes is not None and damping is not None:
        known = dirac_eigenvalues(*slopes, damping)
        round_theory = alternating_contraction(rate * math.sqrt(slopes[0] * slopes[1]), rate * damping, steps)
    radius = contraction(game, update, rate)
    states = trajectory(game, update, rate, begin, STEPS if found is not None else STEPS_AT_KINK)
    return Row(
        recipe=name,
        eigenvalues=None if found is None else tuple(found.tolist()),
        theory=None if known is None else tuple(known.tolist()),
        error=None if found is None or known is None else float((found - known).abs().max()),
        rate=rate,
        contraction=None if math.isnan(radius) else radius,
        contraction_theory=round_theory,
        near=near_rest(found),
        played=played_out(states),
        note="|slope| - 1 has a kink at rest" if found is None else "",
    )


def rows(recipes: Mapping[str, Any] = RECIPES) -> list[Row]:
    """A row for every recipe; recipes whose Dirac-GANs are the same game are played once."""
    known: dict[Any, Row] = {}
    found = []
    for name, recipe in recipes.items():
        key = (recipe.objective, _penalties(recipe), recipe.constraint, recipe.critic_steps)
        if key not in known:
            known[key] = row(name, recipe)
        found.append(replace(known[key], recipe=name))
    return found


def _penalties(recipe: Any) -> tuple[penalties.GradientPenalty, ...]:
    several = getattr(recipe, "penalties", None)
    if several is not None:
        return tuple(several)
    return () if recipe.penalty is None else (recipe.penalty,)


def _clip(recipe: Any) -> float | None:
    return recipe.constraint.bound if isinstance(recipe.constraint, WeightClipping) else None


def _slopes(recipe: Any) -> tuple[float, float] | None:
    """The closed-form slopes of a recipe's objective, if it is one of OBJECTIVES."""
    return next(
        (SLOPES[name] for name, known in OBJECTIVES.items() if known == recipe.objective and name in SLOPES), None
    )


def _damping(recipe: Any) -> float | None:
    """What a recipe's penalties add to psi's decay; None if one has a kink at rest."""
    charged = [(CHARGED.get(penalty.charge), float(penalty.weight)) for penalty in _penalties(recipe)]
    return None if any(c is None for c, _ in charged) else sum(c * weight for c, weight in charged if c is not None)
