"""From log-ratios s = log p̂/q̂, estimated at every point without that point, to the value of an f-divergence."""

from dataclasses import dataclass

import numpy as np

from divergences._numerics import quiet
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples.estimators._critic import critic


@dataclass(frozen=True)
class Bound:
    """The variational bound at a critic: as the samples pay it, and with what no point has seen; its standard error."""

    value: float
    safe: float
    standard_error: float


def bound(divergence: FDivergence, at_x: np.ndarray, at_y: np.ndarray) -> Bound:
    """E_p T - E_q f*(T) <= D for the critic T = f'(e^s), whatever its quality.

    Ratios are clipped to [1/n, m]: what lies beyond was seen by no point of the other sample. The safe value adds one
    unseen point to each mean, where the critic would pay most for it.
    """
    n, m = len(at_x), len(at_y)
    s_x, s_y = (np.clip(s, -np.log(n), np.log(m)) for s in (at_x, at_y))
    earned, paid = critic(divergence, s_x)[0], critic(divergence, s_y)[1]
    ends = np.array([min(s_x.min(), s_y.min()), max(s_x.max(), s_y.max())])
    least, most = critic(divergence, ends)[0][0], critic(divergence, ends)[1][1]
    unseen = (earned.mean() - least) / (n + 1) + (paid.mean() - most) / (m + 1)
    value = float(earned.mean() + paid.mean()) + divergence.f_at_one
    return Bound(value, value - float(unseen), float(np.sqrt(earned.var() / n + paid.var() / m)))


def plug_in(divergence: FDivergence, at_x: np.ndarray, at_y: np.ndarray) -> float:
    """Σ (p + q) q̃ f̃(p̃/q̃) with p̃ = p/(p + q), averaged over both samples: each part is bounded where D is."""
    total = float(divergence.f_at_one)
    with quiet():
        for s in (at_x, at_y):
            p, q = 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(s))
            total += float(np.mean(divergence.cost(p, q, np.tanh(s / 2))))
    return total


def logarithmic(divergence: FDivergence) -> tuple[float, float] | None:
    """(a, b) if the divergence is a KL(p, q) + b KL(q, p) + f(1), which need only the mean of s; else None."""
    u = np.array([0.01, 0.5, 2.0, 30.0])
    one = np.ones_like(u)
    kinds = np.stack([u * np.log(u) - u + 1, u - 1 - np.log(u)], axis=1)
    with quiet():
        excess = np.asarray(divergence.cost(u, one, u - one))
    if not np.isfinite(excess).all():
        return None
    parts, *_ = np.linalg.lstsq(kinds, excess, rcond=None)
    close = np.abs(kinds @ parts - excess).max() < 1e-9 * np.abs(excess).max()
    return (max(float(parts[0]), 0.0), max(float(parts[1]), 0.0)) if close else None


def kinked(divergence: FDivergence) -> bool:
    """Whether the generator has a kink, at which the noise of a ratio never averages out."""
    slopes = critic(divergence, np.linspace(-3, 3, 2001))[0]
    return bool(np.abs(np.diff(slopes)).max() > 0.05 * np.ptp(slopes))
