"""Maximum mean discrepancy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from divergences._arrays import Array, namespace, to_numpy
from divergences._checks import positive, real_array
from divergences.errors import DataError
from divergences.samples.energy import like_input
from divergences.samples.pairwise import Kernel, distances, median_distance, off_diagonal_total, samples, total


@dataclass(frozen=True)
class Gaussian:
    """The kernel exp(−‖x − y‖² / (2 bandwidth²)); bandwidth in the unit of the data.

    >>> Gaussian(2.0)(np.array([[0.0]]), np.array([[0.0], [2.0]]))
    array([[1.   , 0.607]])
    """

    bandwidth: float

    def __post_init__(self) -> None:
        positive(self.bandwidth, "bandwidth")

    def __call__(self, x: Array, y: Array) -> Array:
        """The matrix of kernel values, shape (n, m)."""
        return self.at(distances(x, y))

    def at(self, apart: Array) -> Array:
        """The kernel at distances."""
        return namespace(apart).exp(-((apart / self.bandwidth) ** 2) / 2)


def mmd(x: Any, y: Any, kernel: Kernel | Sequence[Kernel] | None = None) -> Array:
    """Unbiased squared maximum mean discrepancy, E k(X,X') + E k(Y,Y') − 2 E k(X,Y) over different pairs.

    Unbiased, hence possibly negative: for two samples of one law its mean is zero.

    Args:
        x, y: (n, d) and (m, d) arrays or tensors, or 1-D arrays; n, m >= 2.
        kernel: a positive definite k(x, y) -> (n, m). None is `Gaussian` with the median distance of the pooled
            points as bandwidth, as if constant in gradients (the median positive distance where that is 0). A
            sequence of kernels stands for their mean, whose MMD² is the mean of theirs.

    Raises:
        DataError: not finite, of different d, fewer than two points on a side, or no kernel.

    >>> print(mmd([0.0, 1.0], [0.0, 1.0], Gaussian(1.0)).round(4))
    -0.3935

    Is it more than chance? `mmd_test` says. Source: Gretton et al. (2012), lemma 6.

    """
    example = real_array(x, "x")
    x, y, centre = samples(x, y)
    n, m = x.shape[0], y.shape[0]
    if min(n, m) < 2:
        raise DataError(f"mmd needs n >= 2 points on each side, being unbiased; got {n} and {m}.")
    if kernel is None:
        kernel = Gaussian(median_distance(np.concatenate([to_numpy(x), to_numpy(y)])))
    kernels = kernel_list(kernel)
    values = []
    for k in kernels:
        # A kernel of the user's own may not be translation invariant.
        a, b = (x, y) if isinstance(k, Gaussian) else (x + centre, y + centre)
        within_a = off_diagonal_total(k, a) / (n * (n - 1))
        within_b = off_diagonal_total(k, b) / (m * (m - 1))
        values.append(within_a + within_b - 2 * total(k, a, b) / (n * m))
    return like_input(sum(values) / len(kernels), example)


def kernel_list(kernel: Kernel | Sequence[Kernel]) -> list[Kernel]:
    kernels = list(kernel) if isinstance(kernel, Sequence) else [kernel]
    if not kernels or not all(map(callable, kernels)):
        raise DataError(
            "A kernel must be a function k(x, y) -> (n, m), such as Gaussian(1.0), or a sequence of them; "
            f"got {kernel!r}."
        )
    return kernels
