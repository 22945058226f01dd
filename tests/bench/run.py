"""`make bench`: speed as a ratio to a peer that is timed in the same run, and the agreement of the answers.

    python tests/bench/run.py docs/benchmarks.md

A case is one line in `cases()`: a name, ours, the peer's name, the peer. Each is run once to warm up, then the
fastest of five runs counts.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("POT_BACKEND_DISABLE_PYTORCH", "1")

import numpy as np
import ot as _ot
import scipy.spatial.distance
import scipy.special
import scipy.stats
from rich.console import Console

import divergences as dv

Case = tuple[str, Callable[[], Any], str, Callable[[], Any]]
POT: Any = _ot  # untyped, and its stubs of return types cannot be told apart
jensenshannon: Any = scipy.spatial.distance.jensenshannon  # its stubs lack `axis`


def cases() -> Iterator[Case]:
    """The problems, each with ours and a peer's answer as a number."""
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(1000), (2, 1000))
    yield (
        "KL of 1,000 vectors of 1,000",
        lambda: dv.kl(p, q).sum(),
        "scipy.special.rel_entr",
        lambda: scipy.special.rel_entr(p, q).sum(),
    )
    yield (
        "JS of 1,000 vectors of 1,000",
        lambda: dv.js(p, q).sum(),
        "scipy jensenshannon",
        lambda: (jensenshannon(p, q, axis=-1) ** 2).sum(),
    )
    u, v = rng.normal(size=1_000_000), rng.normal(0.1, 1.2, 1_000_000)
    yield (
        "W1 in 1-D, n = 1e6, with bracket",
        lambda: dv.wasserstein(u, v).cost,
        "scipy wasserstein_distance",
        lambda: scipy.stats.wasserstein_distance(u, v),
    )
    for n in (300, 2000):
        x, y = rng.normal(size=(n, 2)), 1.3 * rng.normal(size=(n, 2)) + 0.5
        yield (
            f"W2 in 2-D, n = {n}, with bracket",
            lambda x=x, y=y: dv.wasserstein(x, y, p=2).cost,
            "POT dist + emd2",
            lambda x=x, y=y: POT.emd2([], [], POT.dist(x, y), numItermax=10**7),
        )
    x, y = rng.normal(size=(500, 2)), 1.3 * rng.normal(size=(500, 2)) + 0.5
    cost = POT.dist(x, y)
    epsilon = 0.05 * cost.mean()
    uniform = np.full(500, 1 / 500)
    yield (
        "Sinkhorn, n = 500, ε = 0.05 mean cost, with bracket",
        lambda: sinkhorn_value(cost, epsilon),
        "POT sinkhorn_log",
        lambda: entropic(POT.sinkhorn(uniform, uniform, cost, epsilon, "sinkhorn_log", stopThr=1e-8), cost, epsilon),
    )


def sinkhorn_value(cost: np.ndarray, epsilon: float) -> float:
    """Our entropic value, bracket and all."""
    result: Any = dv.transport(cost, solver=dv.Sinkhorn(epsilon=epsilon, tolerance=1e-8))
    return result.regularized


def entropic(plan: np.ndarray, cost: np.ndarray, epsilon: float) -> float:
    """<P, C> + ε KL(P | a x b) of a plan, in our convention."""
    a, b = plan.sum(1), plan.sum(0)
    return float((plan * cost).sum() + epsilon * scipy.special.rel_entr(plan, np.outer(a, b)).sum())


def fastest(call: Callable[[], Any]) -> tuple[float, float]:
    """(seconds, value): the fastest of five runs after a warm-up."""
    value, seconds = float(call()), []
    for _ in range(5):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), value


def main(path: str) -> None:
    """Time every case and write the table."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "POT"))
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {os.cpu_count()} cores, Python {platform.python_version()}, {packages}. "
        "The fastest of five runs; both sides run here, one after the other. Above 1 we are faster.",
        "",
        "| problem | ours | peer | peer's time | ratio | relative difference |",
        "|---|---|---|---|---|---|",
    ]
    console = Console(stderr=True)
    for name, ours, peer, theirs in cases():
        with console.status(name):
            (t, value), (s, reference) = fastest(ours), fastest(theirs)
        difference = abs(value - reference) / abs(reference)
        lines.append(f"| {name} | {t:.3g} s | {peer} | {s:.3g} s | {s / t:.2g} | {difference:.1g} |")
        print(lines[-1], flush=True)
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main(sys.argv[1])
