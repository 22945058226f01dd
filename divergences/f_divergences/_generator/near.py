"""f̃ beside u = 1, where f(u) - f'(1)(u - 1) cancels: from f'' by integration, and smooth quotients to interpolate.

With e = u - 1 and one-sided slopes J at a kink in 1, S(u) = f̃'(u) = J + e K₁ and f̃(u) = J e + e² K₂, where
K₁ = ∫₀¹ f''(1 + s e) ds and K₂ = ∫₀¹ (1 - s) f''(1 + s e) ds are as smooth as f''.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev, legendre

from divergences._numerics import quiet
from divergences.f_divergences._generator.source import Derivatives

DEGREE = 20
RADII = (0.25, 0.05, 0.01, 0.001)
_NODES = chebyshev.chebpts1(DEGREE + 1)
_FIT = np.linalg.inv(chebyshev.chebvander(_NODES, DEGREE))
_X, _W = legendre.leggauss(16)
_X, _W = (_X + 1) / 2, _W / 2


@dataclass(frozen=True, eq=False)
class Near:
    """One side of u = 1: the jump J of f̃' there and interpolants of K₁, K₂ for |e| up to `radius` (0: none).

    `bend` is f'' where the integrals have to be taken anew at each e, as they vanish at 1 and interpolants only almost.
    """

    jump: float
    radius: float
    first: np.ndarray
    second: np.ndarray
    bend: Callable[[np.ndarray], np.ndarray] | None = None

    def quotients(self, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """K₁ and K₂ at |e| <= radius."""
        if self.bend is not None:
            first, second = _integrals(self.bend, e)
            return first, second
        z = 2 * np.abs(e) / self.radius - 1
        return chebyshev.chebval(z, self.first), chebyshev.chebval(z, self.second)


def _integrals(bend: Callable[[np.ndarray], np.ndarray], e: np.ndarray) -> np.ndarray:
    values = bend((1 + e[:, None] * _X).ravel()).reshape(len(e), -1)
    return np.stack([values @ _W, values @ (_W * (1 - _X))])


def near(jet: Derivatives, side: int, slope: float, jump: float, tolerance: float, noise: float) -> Near:
    """The side `side` (1: u > 1, -1: u < 1), given (f, f', f'') and f'(1); radius 0 where f'' cannot be interpolated.

    What varies by less than `tolerance` of f'' or by less than `noise` is rounding.
    """
    bend = lambda u: jet(u)[2]
    for radius in RADII:
        e = side * radius * (_NODES + 1) / 2
        with quiet():
            quotients = _integrals(bend, e)
            rise = jet(1 + e)[1] - slope - jump
        scale = np.abs(quotients).max()
        # A kink between 1 and u is nothing to f'', but f' rises by more than its integral.
        allowed = 1e2 * tolerance * (np.abs(rise) + abs(slope) + abs(jump)) + noise
        if not np.all(np.abs(rise - e * quotients[0]) <= allowed):
            continue
        if scale <= noise:
            return Near(jump, radius, np.zeros(1), np.zeros(1))
        coefficients = (quotients @ _FIT.T).astype(float)
        if np.all(np.abs(coefficients[:, -3:]) <= tolerance * scale + noise):
            # What lies below rounding is noise, and evaluating it is only time.
            keep = max(2, DEGREE + 1 - int(np.argmax(np.abs(coefficients[0, ::-1]) > 1e-17 * scale)))
            found = Near(jump, radius, *coefficients[:, :keep])
            few = side * radius * np.array([1e-2, 1e-4, 1e-6])
            exact, cheap = _integrals(bend, few), np.stack(found.quotients(few))
            vanishes = np.any(np.abs(cheap - exact) > 1e2 * tolerance * np.abs(exact) + noise * 1e-10)
            return replace(found, bend=bend) if vanishes and tolerance < 1e-10 else found
    return Near(jump, 0.0, np.zeros(1), np.zeros(1))
