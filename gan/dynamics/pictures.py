"""Three figures of the theory bench: Dirac-GANs in their plane, the six updates on xy, contraction against the step."""

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import sqrt

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from divergences._checks import choice
from gan.dynamics.closed_forms import BILINEAR
from gan.dynamics.dirac import dirac
from gan.dynamics.games import (
    UPDATES,
    DifferentiableGame,
    Update,
    alternating,
    bilinear,
    consensus,
    contraction,
    simultaneous,
    trajectory,
)
from gan.objectives import OBJECTIVES
from gan.penalties import PENALTIES

PATH, START, END, FIELD = "#2f6db3", "#8a929b", "#d9641e", "#b4bbc4"
COLOURS = ("#2f6db3", "#d9641e", "#3c8d5a", "#8b5fbf", "#a0522d", "#59636e")
RATE, STEPS = 0.2, 300  # the rate of the notebooks of Mescheder et al.


def _games() -> Mapping[str, tuple[DifferentiableGame, Update]]:
    """Dirac-GANs and how they are played, with the constants of Mescheder et al.'s notebooks where they have them."""
    minimax, ns, w = (OBJECTIVES[name] for name in ("minimax", "nonsaturating", "wasserstein"))
    r1, gp = replace(PENALTIES["r1"], weight=0.3), replace(PENALTIES["gradient-penalty"], weight=0.7)
    return {
        "minimax, simultaneous": (dirac(minimax), simultaneous),
        "minimax": (dirac(minimax), alternating),
        "nonsaturating, simultaneous": (dirac(ns), simultaneous),
        "nonsaturating": (dirac(ns), alternating),
        "wgan, clipped at 1": (dirac(w, clip=1.0), alternating),
        "wgan-gp, weight 0.7": (dirac(w, [gp]), alternating),
        "r1, gamma 0.3": (dirac(ns, [r1]), alternating),
        "r1, critical gamma 1": (dirac(ns, [replace(r1, weight=1.0)]), alternating),
        "instance noise 0.7": (dirac(ns, noise=0.7), alternating),
        "unrolled, 5 steps": (dirac(ns, unroll=5, unroll_rate=RATE), alternating),
        "consensus, weight 1": (dirac(minimax), partial(consensus, weight=1.0)),
        "fgan-kl": (dirac(OBJECTIVES["fgan-kl"]), alternating),
    }


def dirac_figure() -> Figure:
    """Trajectories of Dirac-GANs from (1, 1) on their fields; alternating steps where the title names no others."""
    games = _games()
    figure = Figure(figsize=(10.2, 7.8), layout="constrained")
    panels = figure.subplots(3, 4, sharex=True, sharey=True)
    for axes, (title, (game, update)) in zip(panels.flat, games.items(), strict=True):
        _field(axes, game)
        states = trajectory(game, update, RATE, torch.ones(2, dtype=torch.float64), STEPS)
        _path(axes, states)
        if title == "nonsaturating, simultaneous":
            turn = np.linspace(0, 2 * np.pi, 200)
            axes.plot(sqrt(2 * RATE) * np.cos(turn), sqrt(2 * RATE) * np.sin(turn), "k:", lw=0.9)
            axes.text(0, -1.6, "dotted: radius √(2h)", ha="center", fontsize=7)
        axes.set_title(title, fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("generator θ")
    for axes in panels[:, 0]:
        axes.set_ylabel("critic ψ")
    return figure


def bilinear_figure(rate: float = 0.3, steps: int = 60) -> Figure:
    """The six updates on min over x, max over y of xy, from (1, 0)."""
    game = bilinear([[1.0]])
    figure = Figure(figsize=(8.2, 5.6), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    for axes, (name, update) in zip(panels.flat, UPDATES.items(), strict=True):
        _field(axes, game)
        _path(axes, trajectory(game, update, rate, torch.tensor([1.0, 0.0]), steps))
        axes.set_title(f"{name}: {BILINEAR[name](rate):.4f} a step", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("x")
    for axes in panels[:, 0]:
        axes.set_ylabel("y")
    return figure


def contraction_figure() -> Figure:
    """Contraction of a step of xy against its rate: closed forms as curves, eigenvalues by autograd as points."""
    game = bilinear([[1.0]])
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.subplots()
    fine, coarse = np.linspace(0.005, 1.4, 280), np.linspace(0.05, 1.35, 14)
    for (name, update), colour in zip(UPDATES.items(), COLOURS, strict=True):
        axes.plot(fine, [BILINEAR[name](h) for h in fine], color=colour, lw=1.4, label=name)
        axes.plot(coarse, [contraction(game, update, h) for h in coarse], "o", color=colour, ms=3.5)
    axes.axhline(1, color=START, linestyle=":", lw=1)
    axes.set(xlabel="step size h", ylabel="contraction of a step", ylim=(0.6, 1.5), xlim=(0, 1.4))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=2)
    return figure


def drawn(figure: Figure, suffix: str) -> bytes:
    """A figure as the bytes of a file. Raises DataError for a suffix other than .png, .svg and .pdf.

    >>> drawn(Figure(), ".png")[1:4]
    b'PNG'
    """
    choice(suffix, (".png", ".svg", ".pdf"), "the figure's suffix")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=110)
    return buffer.getvalue()


def _field(axes: Axes, game: DifferentiableGame) -> None:
    """Arrows of the field's direction, and where rest is."""
    grid = torch.linspace(-1.8, 1.8, 13, dtype=torch.float64)
    points = torch.cartesian_prod(grid, grid)
    field = game.field(points)
    unit = field / field.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    axes.quiver(*points.T.numpy(), *unit.T.numpy(), color=FIELD, scale=26, width=0.004, pivot="mid")
    axes.plot(0, 0, "k+", ms=7, mew=1)


def _path(axes: Axes, states: Tensor) -> None:
    """A trajectory, its start a circle and its end a dot; both may lie outside the picture."""
    x, y = states.T.numpy()
    axes.plot(x, y, color=PATH, lw=0.9)
    axes.plot(x[0], y[0], "o", ms=5, mfc="none", color=START)
    axes.plot(x[-1], y[-1], "o", ms=4.5, color=END)
    axes.set(xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
