"""Probability vectors of float64 masses, checked (finite, nonnegative, sums) by ours and not by the peers.

The limits: `np.log` of both arrays into memory that is there already, and a compiled loop that does nothing but read
both arrays (the memory's bandwidth). Their ratio is the share of the limit that ours reaches.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special
import scipy.stats

import divergences as dv
from divergences._parallel import run_blocks

Contestants = dict[str, Callable[[], Any]]
jensenshannon: Any = scipy.spatial.distance.jensenshannon  # its stubs lack `axis`


def vectors(n: int, k: int) -> np.ndarray:
    """Two arrays of n probability vectors on k outcomes."""
    return np.random.default_rng(0).dirichlet(np.ones(k), (2, n))


def limits(p: np.ndarray, q: np.ndarray) -> Contestants:
    """What no code that takes a logarithm per mass, or reads the masses, can pass by far."""
    from numba import njit

    out, rows = np.empty_like(p), max(1, 2**16 // p.shape[1])

    def logarithms(start: int, stop: int) -> None:
        np.log(p[start:stop], out=out[start:stop])
        np.log(q[start:stop], out=out[start:stop])

    @njit(nogil=True, fastmath=True)
    def added(a: np.ndarray, b: np.ndarray) -> float:
        total = 0.0
        for i in range(len(a)):
            total += a[i] + b[i]
        return total

    def read(start: int, stop: int) -> None:
        added(p[start:stop].reshape(-1), q[start:stop].reshape(-1))

    return {
        "limit: np.log of both arrays, one thread": lambda: logarithms(0, len(p)),
        "limit: np.log of both arrays, all threads": lambda: run_blocks(logarithms, len(p), rows),
        "limit: reading both arrays, all threads": lambda: run_blocks(read, len(p), rows),
    }


def kl() -> Contestants:
    """Long rows."""
    p, q = vectors(1000, 10_000)
    return {
        "dv.kl": lambda: dv.kl(p, q).sum(),
        "scipy.special.rel_entr": lambda: scipy.special.rel_entr(p, q).sum(-1).sum(),
        "scipy.stats.entropy": lambda: scipy.stats.entropy(p, q, axis=-1).sum(),
        **limits(p, q),
    }


def js() -> Contestants:
    """Long rows, two logarithms per outcome."""
    p, q = vectors(1000, 10_000)
    return {
        "dv.js": lambda: dv.js(p, q).sum(),
        "scipy jensenshannon": lambda: (jensenshannon(p, q, axis=-1) ** 2).sum(),
        **limits(p, q),
    }


def short_rows() -> Contestants:
    """Many small problems."""
    p, q = vectors(1_000_000, 10)
    return {
        "dv.kl": lambda: dv.kl(p, q).sum(),
        "scipy.special.rel_entr": lambda: scipy.special.rel_entr(p, q).sum(-1).sum(),
    }


def against_one() -> Contestants:
    """A batch against one vector."""
    p, q = vectors(1000, 10_000)
    q = q[:1]
    return {
        "dv.kl": lambda: dv.kl(p, q).sum(),
        "scipy.special.rel_entr": lambda: scipy.special.rel_entr(p, q).sum(-1).sum(),
    }


def single_precision() -> Contestants:
    """float32 in, float64 inside; the peer computes in float32."""
    p, q = vectors(1000, 10_000).astype(np.float32)
    return {
        "dv.kl": lambda: dv.kl(p, q).sum(),
        "scipy.special.rel_entr": lambda: scipy.special.rel_entr(p, q).sum(-1).sum(),
    }


def total_variation() -> Contestants:
    """No logarithm: the memory's bandwidth is the limit."""
    p, q = vectors(1000, 10_000)
    return {
        "dv.total_variation": lambda: dv.total_variation(p, q).sum(),
        "np.abs(p - q).sum(-1) / 2": lambda: (np.abs(p - q).sum(-1) / 2).sum(),
    }


def hellinger() -> Contestants:
    """Two roots per outcome."""
    p, q = vectors(1000, 10_000)
    return {
        "dv.squared_hellinger": lambda: dv.squared_hellinger(p, q).sum(),
        "((np.sqrt(p) - np.sqrt(q)) ** 2).sum(-1)": lambda: ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(-1).sum(),
    }


def with_gradient() -> Contestants:
    """Forward and backward through torch."""
    import torch

    p, q = (torch.tensor(side, requires_grad=True) for side in vectors(1000, 1000))

    def step(value: Callable[[], Any]) -> float:
        p.grad = q.grad = None
        total = value().sum()
        total.backward()
        return total.item()

    return {
        "dv.kl, tensors": lambda: step(lambda: dv.kl(p, q)),
        "torch xlogy, autograd": lambda: step(lambda: (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)),
    }


CASES = {
    "KL of 1,000 vectors of 10,000": kl,
    "JS of 1,000 vectors of 10,000": js,
    "KL of 1,000,000 vectors of 10": short_rows,
    "KL of 1,000 vectors of 10,000 against one": against_one,
    "KL of 1,000 vectors of 10,000 in float32": single_precision,
    "Total variation of 1,000 vectors of 10,000": total_variation,
    "Squared Hellinger of 1,000 vectors of 10,000": hellinger,
    "KL of 1,000 vectors of 1,000 with gradients": with_gradient,
}
