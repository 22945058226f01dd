"""All that the inequalities compare, computed once for a pair; each number keeps its digits where it is small."""

import math
from dataclasses import dataclass

import numpy as np

from divergences.f_divergences import catalogue as entries
from divergences.f_divergences.families import hockey_stick
from divergences.f_divergences.renyi import bhattacharyya, chernoff, renyi


@dataclass(frozen=True)
class Measures:
    """The divergences of p from q, and what else their inequalities need.

    Attributes:
        excess, common: the larger and the smaller of Σ max(p - q, 0) and Σ max(q - p, 0): both the total variation,
            were the sums of floats equal to the last digit.
        overlap: Σ min(p, q), which is 1 - total variation and keeps its digits where that is near 1.
        renyi_half, renyi_2, renyi_inf: Rényi divergences of order ½, 2 and ∞.
        least_q: the smallest q on the outcomes that p or q charges.
        log1p_pearson: log(1 + χ²), finite where χ² is beyond the floats.
        w1, diameter, separation: the bracket of W1, the largest and the smallest distance between charged points; None
            without points.

    """

    tv: float
    excess: float
    common: float
    overlap: float
    kl: float
    reverse_kl: float
    jeffreys: float
    js: float
    squared_hellinger: float
    le_cam: float
    pearson: float
    log1p_pearson: float
    bhattacharyya: float
    chernoff: float
    renyi_half: float
    renyi_2: float
    renyi_inf: float
    hockey_stick_2: float
    least_q: float
    w1: tuple[float, float] | None = None
    diameter: float | None = None
    separation: float | None = None


def measures(p: np.ndarray, q: np.ndarray) -> Measures:
    """The numbers of two checked probability vectors."""
    pearson = float(entries.pearson(p, q))
    gains = [float(np.clip(d, 0, None).sum()) for d in (p - q, q - p)]
    half = float(bhattacharyya(p, q))
    return Measures(
        tv=float(entries.total_variation(p, q)),
        excess=max(gains),
        common=min(gains),
        overlap=float(np.minimum(p, q).sum()),
        kl=float(entries.kl(p, q)),
        reverse_kl=float(entries.reverse_kl(p, q)),
        jeffreys=float(entries.jeffreys(p, q)),
        js=float(entries.js(p, q)),
        squared_hellinger=float(entries.squared_hellinger(p, q)),
        le_cam=float(entries.le_cam(p, q)),
        pearson=pearson,
        log1p_pearson=math.log1p(pearson) if pearson < 1e300 else float(renyi(p, q, 2)),
        bhattacharyya=half,
        chernoff=float(chernoff(p, q)),
        renyi_half=2 * half,
        renyi_2=float(renyi(p, q, 2)),
        # Floats may sum to one only up to their last digit: at order ∞ that is felt where the ratios are all near one.
        renyi_inf=max(0.0, float(renyi(p, q, math.inf)) + math.log1p(math.fsum(q - p))),
        hockey_stick_2=float(hockey_stick(2.0)(p, q)),
        least_q=float(q[(p > 0) | (q > 0)].min()),
    )


def atanh_excess(v: float) -> float:
    """atanh(v) - v, by its series where the difference would cancel."""
    if v > 0.2:
        return math.atanh(v) - v if v < 1 else math.inf
    return sum(v ** (2 * k + 1) / (2 * k + 1) for k in range(12, 0, -1))


def capacity(v: float, overlap: float) -> float:
    """log 2 - h((1 - v)/2), h the binary entropy in nats: JS of (1+v, 1-v)/2 from its mirror image; 1 - v = overlap."""
    if v < 0.2:
        return sum(v ** (2 * k) / (2 * k * (2 * k - 1)) for k in range(12, 0, -1))
    return ((1 + v) * math.log1p(v) + (overlap * math.log(overlap) if overlap > 0 else 0.0)) / 2
