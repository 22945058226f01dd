"""Anderson acceleration of a fixed-point iteration."""

import numpy as np

MEMORY = 30  # differences kept: what fewer lose in sweeps is more than what more cost
_RIDGE = 1e-14  # of the trace, added to the diagonal: differences are nearly dependent


class Anderson:
    """Steps towards a fixed point of x -> x + r(x), from the residuals r at the latest iterates.

    The step is that of the combination of the latest iterates whose residual is smallest, sum_j w_j r_j^2, if r were
    linear. Where r is, this is GMRES: a few eigenvalues near 1, which plain iterations pay for, cost a step each.

    >>> solve, x = Anderson(np.ones(2)), np.zeros(2)
    >>> for _ in range(4):
    ...     x = solve.step(x, np.array([0.1, 0.01]) * (1 - x))
    >>> bool(np.allclose(x, 1, atol=1e-6))
    True

    Source: Anderson (1965); Walker and Ni, SIAM J. Numer. Anal. 49 (2011), 1715-1735.
    """

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.count = 0  # differences seen
        self.last: tuple[np.ndarray, np.ndarray] | None = None
        shape = (MEMORY, len(self.weights))
        self.residuals, self.moves = np.empty(shape), np.empty(shape)  # differences of r, and of x + r
        self.gram = np.zeros((MEMORY, MEMORY))

    def step(self, x: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The next iterate after x, whose residual is given."""
        if self.last is not None:
            k, kept = self.count % MEMORY, min(self.count + 1, MEMORY)
            self.residuals[k] = residual - self.last[1]
            self.moves[k] = x - self.last[0] + self.residuals[k]
            self.gram[k, :kept] = self.gram[:kept, k] = self._products(kept, self.residuals[k])
            self.count += 1
        self.last, following = (x, residual), x + residual
        if self.count:
            kept = min(self.count, MEMORY)
            gram = self.gram[:kept, :kept]
            ridge = _RIDGE * np.trace(gram) or 1.0
            share = np.linalg.solve(gram + ridge * np.eye(kept), self._products(kept, residual))
            following -= np.einsum("k,kj->j", share, self.moves[:kept])
        return following

    def _products(self, kept: int, residual: np.ndarray) -> np.ndarray:
        """Weighted products with the differences kept; not by BLAS, whose threads would go on to spin."""
        return np.einsum("kj,j->k", self.residuals[:kept], self.weights * residual)
