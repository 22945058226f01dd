"""What theory says of the two games: eigenvalues of Dirac-GANs, contraction of the bilinear game.

A Dirac-GAN is linear near rest: theta' = c psi, psi' = -b theta - damping psi, with b the slope of the critic's loss in
a fake score and -c that of the generator's, both at the neutral score. Its eigenvalues solve x^2 + damping x + bc = 0.
"""

import cmath
from collections.abc import Callable, Mapping
from math import sqrt

import torch
from torch import Tensor

SLOPES: Mapping[str, tuple[float, float]] = {
    "minimax": (1 / 2, 1 / 2),  # sigmoid(0)
    "nonsaturating": (1 / 2, 1 / 2),
    "max-likelihood": (1 / 2, 1.0),  # e^0
    "label-smoothing": (0.45, 0.55),  # D and 1 - D at D = 0.9 / 2
    "least-squares": (1 / 2, 1 / 2),  # v and 1 - v at v = 1/2
    "hinge": (1.0, 1.0),
    "relativistic": (1 / 2, 1 / 2),
    "wasserstein": (1.0, 1.0),
    # f-GANs: g'(v) where g(v) = f'(1), for there the conjugate has slope 1
    "fgan-kl": (1.0, 1.0),
    "fgan-reverse-kl": (1.0, 1.0),
    "fgan-js": (1 / 4, 1 / 4),  # half of f-GAN's own "JS"
    "fgan-total-variation": (1 / 2, 1 / 2),
    "fgan-pearson": (1.0, 1.0),
    "fgan-neyman": (1.0, 1.0),
    "fgan-squared-hellinger": (1.0, 1.0),
    "fgan-jeffreys": (1.0, 1.0),
    "fgan-le-cam": (1 / 2, 1 / 2),
    "fgan-gan": (1 / 2, 1 / 2),
    "fgan-weighted-js": (0.3 * 0.7, 0.3 * 0.7),
    "fgan-alpha": (1.0, 1.0),
}
"""b and c of every objective of one score that has a neutral one."""


def dirac_eigenvalues(b: float, c: float, damping: float = 0.0) -> Tensor:
    """-damping/2 ± sqrt(damping^2/4 - bc): the eigenvalues of a Dirac-GAN, in the order of `eigenvalues`.

    The damping is gamma for R1 and R2 each, 2 w for a zero-centred penalty of weight w, 2 |f''(0)| sigma^2 for instance
    noise, (k eta) 2 bc for k unrolled steps of rate eta. Mescheder, Geiger & Nowozin (2018).

    >>> dirac_eigenvalues(0.5, 0.5, damping=1.0).tolist()  # R1 at its critical gamma, 2 f'(0)
    [(-0.5+0j), (-0.5+0j)]
    """
    root = cmath.sqrt(damping**2 / 4 - b * c)
    return torch.tensor([-damping / 2 - root, -damping / 2 + root], dtype=torch.complex128)


def alternating_contraction(turn: float, damping: float = 0.0, critic_steps: int = 1) -> float:
    """The contraction of one round on a Dirac-GAN: critic_steps of psi, then one of theta, of which turn^2 = h^2 bc.

    The critic's steps multiply psi by r = (1 - damping)^k; `damping` is that of the field times h. The round's
    matrix has trace 1 + r - turn^2 (1 + ... + (1 - damping)^(k-1)) and determinant r.

    >>> alternating_contraction(0.1), alternating_contraction(3.0)
    (1.0, 6.854)
    """
    kept = (1 - damping) ** critic_steps
    pushed = sum((1 - damping) ** k for k in range(critic_steps))
    half = (1 + kept - turn**2 * pushed) / 2
    root = cmath.sqrt(half**2 - kept)
    return max(abs(half + root), abs(half - root))


def _optimistic(turn: float) -> float:
    b = 1 - 2j * turn
    root = cmath.sqrt(b**2 + 4j * turn)
    return max(abs(b + root), abs(b - root)) / 2


BILINEAR: Mapping[str, Callable[[float], float]] = {
    "simultaneous": lambda a: sqrt(1 + a**2),
    "alternating": alternating_contraction,
    "extragradient": lambda a: sqrt(1 - a**2 + a**4),
    "optimistic": _optimistic,
    "consensus": lambda a: sqrt((1 - a) ** 2 + a**2),
    "proximal": lambda a: 1 / sqrt(1 + a**2),
}
"""The contraction of a step of the game xy, by update, as a function of the rate; consensus has weight 1.

For x'Ay put h times a singular value of A, and take the largest over them (consensus: if its weight is divided by that
value, for it enters squared). Gidel et al. (2019); Zhang & Yu (2020).
"""
