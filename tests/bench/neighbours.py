"""KL from samples by nearest neighbours: the estimator of Wang, Kulkarni & Verdú (k = 5) on both sides.

The peers are the code that NPEET and its kin consist of, with the trees of SciPy and scikit-learn, on all threads where
they can. The last case is ours with its correction, its interval and its notes, against the same bare estimate.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.spatial import cKDTree as _cKDTree  # pyright: ignore[reportAttributeAccessIssue]  (not in its stubs)

import divergences as dv
from divergences._parallel import thread_count
from divergences.samples.estimators import NearestNeighbour

Contestants = dict[str, Callable[[], Any]]
cKDTree: Any = _cKDTree
N, K = 100_000, 5


def data(d: int) -> tuple[np.ndarray, np.ndarray]:
    """N(0, I) and N(0.3, I)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, d)), rng.normal(0.3, 1, (N, d))


def kl(own: np.ndarray, other: np.ndarray, d: int) -> float:
    """The estimate from the distances to the k-th neighbours."""
    return float(d * np.mean(np.log(other / own)) + np.log(N / (N - 1)))


def by_scipy(x: np.ndarray, y: np.ndarray) -> float:
    """Two trees, two searches."""
    own = cKDTree(x).query(x, [K + 1], workers=thread_count())[0][:, 0]
    return kl(own, cKDTree(y).query(x, [K], workers=thread_count())[0][:, 0], x.shape[1])


def by_sklearn(x: np.ndarray, y: np.ndarray, algorithm: str) -> float:
    """The same with scikit-learn's front."""
    from sklearn.neighbors import NearestNeighbors

    search = lambda points, k: NearestNeighbors(n_neighbors=k, algorithm=algorithm, n_jobs=thread_count()).fit(points)  # type: ignore[arg-type]
    own, other = search(x, K + 1).kneighbors(x)[0][:, -1], search(y, K).kneighbors(x)[0][:, -1]
    return kl(own, other, x.shape[1])


def bare(d: int) -> Contestants:
    """Only the estimate; scikit-learn by what it does best there."""
    x, y = data(d)
    method = NearestNeighbour(k=K, corrected=False)
    peers: Contestants = {"SciPy cKDTree": lambda: by_scipy(x, y)}
    algorithm = "kd_tree" if d <= 3 else "brute"
    peers[f"scikit-learn, {algorithm}"] = lambda: by_sklearn(x, y, algorithm)
    return {f"dv.estimate, k = {K}, uncorrected": lambda: dv.estimate(x, y, "kl", method=method).value} | peers


def corrected(d: int) -> Contestants:
    """With what makes it an answer; the values differ by the peer's bias."""
    x, y = data(d)
    return {
        "dv.estimate": lambda: dv.estimate(x, y, "kl").value,
        "SciPy cKDTree, bare estimate": lambda: by_scipy(x, y),
    }


CASES = {
    "kNN KL, n = m = 100,000, d = 3": partial(bare, 3),
    "kNN KL, n = m = 100,000, d = 10": partial(bare, 10),
    "kNN KL, corrected, with interval, d = 3": partial(corrected, 3),
}
