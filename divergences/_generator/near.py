"""f̃ beside u = 1, where f(u) - f'(1)(u - 1) cancels: from f'' by integration, and smooth quotients to interpolate.

With e = u - 1 and one-sided slopes J at a kink in 1, S(u) = f̃'(u) = J + e K₁ and f̃(u) = J e + e² K₂, where
K₁ = ∫₀¹ f''(1 + s e) ds and K₂ = ∫₀¹ (1 - s) f''(1 + s e) ds are as smooth as f''.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev, legendre

from divergences._generator.source import Derivatives
from divergences._numerics import quiet

DEGREE = 20
RADII = (0.25, 0.05, 0.01, 0.001)
_NODES = chebyshev.chebpts1(DEGREE + 1)
_FIT = np.linalg.inv(chebyshev.chebvander(_NODES, DEGREE))
_X, _W = legendre.leggauss(16)
_X, _W = (_X + 1) / 2, _W / 2


@dataclass(frozen=True, eq=False)
class Near:
    """One side of u = 1: the jump J of f̃' there and interpolants of K₁, K₂ for |e| up to `radius` (0: none)."""

    jump: float
    radius: float
    first: np.ndarray
    second: np.ndarray

    def quotients(self, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """K₁ and K₂ at |e| <= radius."""
        z = 2 * np.abs(e) / self.radius - 1
        return chebyshev.chebval(z, self.first), chebyshev.chebval(z, self.second)


def near(jet: Derivatives, side: int, slope: float, jump: float, tolerance: float, noise: float) -> Near:
    """The side `side` (1: u > 1, -1: u < 1), given (f, f', f'') and f'(1); radius 0 where f'' cannot be interpolated.

    What varies by less than `tolerance` of f'' or by less than `noise` is rounding.
    """
    for radius in RADII:
        e = side * radius * (_NODES + 1) / 2
        with quiet():
            bend = jet((1 + e[:, None] * _X).ravel())[2].reshape(len(e), -1)
            rise = jet(1 + e)[1] - slope - jump
        quotients = np.stack([bend @ _W, bend @ (_W * (1 - _X))])
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
            return Near(jump, radius, *coefficients[:, :keep])
    return Near(jump, 0.0, np.zeros(1), np.zeros(1))
