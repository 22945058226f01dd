"""What the rest of this folder knows about a distribution: a log density, where it lives, how to draw from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

INFINITY = float("inf")


@dataclass(frozen=True)
class Member:
    """A member of a known family: its canonical parameters, and the frame that a partner must share.

    Two members of one family have closed forms when their frames are equal: the location of a gamma law, say.
    """

    family: str
    parameters: tuple[Any, ...]
    frame: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Law:
    """One distribution, checked.

    Attributes:
        name: as the caller would recognise it.
        log_density: log density of points of shape (n,), or (n, d) if `dimension` > 1; on atoms the log mass.
        dimension: d; None for a callable, which takes its partner's.
        kind: "continuous", "lattice" (offset + integers), "atoms" (the points of `atoms`), "simplex" (Dirichlet).
        support: the ends (low, high) outside which there is no mass; inclusive on a lattice.
        near: (edges, t) -> log density at edge + t, where that sum would round; None: by `log_density`.
        rounded: ends of the support beside which `near` rounds too.
        edges: inner points where the density jumps or is singular.
        intervals: where between support and edges the density is positive; () for everywhere.
        centres: (place, scale) of each bump, where panels are laid; marks: further points to cut panels at.
        sample: (generator, n) -> points, or None.
        member: the family, for closed forms.
        unit: rounding unit of the log density.
        trusted: normalised by its maker; the integral of any other is held against one.

    """

    name: str
    log_density: Callable[[np.ndarray], np.ndarray]
    dimension: int | None = 1
    kind: str = "continuous"
    support: tuple[float, float] = (-INFINITY, INFINITY)
    near: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    rounded: tuple[float, ...] = ()
    offset: float = 0.0
    atoms: np.ndarray | None = None
    edges: tuple[float, ...] = ()
    intervals: tuple[tuple[float, float], ...] = ()
    centres: tuple[tuple[float, float], ...] = ()
    marks: tuple[float, ...] = ()
    sample: Callable[[np.random.Generator, int], np.ndarray] | None = None
    member: Member | None = None
    unit: float = 2.0**-52
    trusted: bool = True

    def covers(self, low: float, high: float) -> bool:
        """Whether the density is positive on a piece between neighbouring ends and edges."""
        return any(a <= low and high <= b for a, b in self.intervals or (self.support,))

    def at(self, edge: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Log density at edge + t, -inf outside the support."""
        low, high = self.support
        x = edge + t
        inside = (x >= low) & (x <= high)
        # edge + t may have rounded back onto an end of the support.
        inside &= ((edge < high) | (t <= 0)) & ((edge > low) | (t >= 0))
        value = np.full(x.shape, -INFINITY)
        if inside.any():
            near = self.near
            value[inside] = self.log_density(x[inside]) if near is None else near(edge[inside], t[inside])
        return value
