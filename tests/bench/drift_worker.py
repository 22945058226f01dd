"""One tool judges pairs of samples in a process of its own: `python drift_worker.py TASK TOOL JSON` prints JSON.

The peers live in an environment of their own, so this file imports nothing but what the tool itself brings, and
NumPy. It makes its data from seeds, or reads the Parquet files it is given.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

STATUS = Path("/proc/self/status")
WORDS = np.array(["red", "green", "blue", "white", "black"])

# A law draws n values; `strength` moves it away from what it is at 0, by about that many standard deviations.
LAWS: dict[str, Callable[[np.random.Generator, int, float], np.ndarray]] = {
    "normal, mean": lambda rng, n, strength: rng.normal(strength, 1, n),
    "normal, spread": lambda rng, n, strength: rng.normal(0, 1 + strength, n),
    "lognormal, scale": lambda rng, n, strength: np.exp(rng.normal(strength, 1, n)),
    "Student t(3), mean": lambda rng, n, strength: rng.standard_t(3, n) + strength * 3**0.5,
    "Poisson(3), mean": lambda rng, n, strength: rng.poisson(3 + strength * 3**0.5, n).astype(float),
    "five categories": lambda rng, n, strength: WORDS[
        rng.choice(5, n, p=np.array([0.4, 0.3, 0.15, 0.1, 0.05]) + strength / 4 * np.array([-1, 1, -0.5, 0.25, 0.25]))
    ],
}


def samples(law: str, n: int, strength: float, columns: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two tables of `columns` independent columns, the second one moved."""
    rng = np.random.default_rng([seed, n])
    names = [f"c{k}" for k in range(columns)]
    return {c: LAWS[law](rng, n, 0.0) for c in names}, {c: LAWS[law](rng, n, strength) for c in names}


# ------------------------------------------------------- which columns differ, each tool as its makers set it up


def ours(x: dict[str, Any], y: dict[str, Any]) -> list[bool]:
    """The p-value of each column at 5 %; the binned divergences, which have no part in it, take no time."""
    import pyarrow as pa

    import divergences as dv
    from divergences.samples.columns import categorical, numeric

    none = mock.Mock(return_value={"nulls": {}})
    with mock.patch.object(numeric, "binned", none), mock.patch.object(categorical, "binned", none):
        result = dv.compare(pa.table(x), pa.table(y), rng=0, joint=False)
    return [column.pvalue <= 0.05 for column in result.columns.values()]


def evidently(x: dict[str, Any], y: dict[str, Any]) -> list[bool]:
    """`DataDriftPreset()`: up to 1,000 rows KS or chi-square at 5 %, beyond distances above 0.1."""
    import pandas as pd
    from evidently import Report  # pyright: ignore[reportMissingImports]
    from evidently.presets import DataDriftPreset  # pyright: ignore[reportMissingImports]

    metrics = Report([DataDriftPreset()]).run(pd.DataFrame(y), pd.DataFrame(x)).dict()["metrics"][1:]
    return [
        m["value"] < m["config"]["threshold"]
        if "p_value" in m["config"]["method"]
        else m["value"] >= m["config"]["threshold"]
        for m in metrics
    ]


def frouros_psi(x: dict[str, Any], y: dict[str, Any]) -> list[bool]:
    """`PSI()`, ten bins, above the customary 0.1."""
    from frouros.detectors.data_drift.batch import PSI  # pyright: ignore[reportMissingImports]

    return [bool(_frouros(PSI(), a, b).distance > 0.1) for a, b in _numbers(x, y)]


def frouros_ks(x: dict[str, Any], y: dict[str, Any]) -> list[bool]:
    """`KSTest()` at 5 %."""
    from frouros.detectors.data_drift.batch import KSTest  # pyright: ignore[reportMissingImports]

    return [bool(_frouros(KSTest(), a, b).p_value <= 0.05) for a, b in _numbers(x, y)]


def scipy(x: dict[str, Any], y: dict[str, Any]) -> list[bool]:
    """`ks_2samp`, of categories `chi2_contingency`, at 5 %."""
    from scipy import stats

    found = []
    for a, b in zip(x.values(), y.values(), strict=True):
        if a.dtype.kind == "U":
            counts = np.array([[np.sum(side == word) for word in WORDS] for side in (a, b)])
            peer: Any = stats.chi2_contingency(counts[:, counts.sum(0) > 0])
        else:
            peer = stats.ks_2samp(a, b)
        found.append(bool(peer.pvalue <= 0.05))
    return found


def _frouros(detector: Any, a: np.ndarray, b: np.ndarray) -> Any:
    detector.fit(X=a)
    return detector.compare(X=b)[0]


def _numbers(x: dict[str, Any], y: dict[str, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    pairs = list(zip(x.values(), y.values(), strict=True))
    if pairs[0][0].dtype.kind == "U":
        raise NotImplementedError("numbers only")
    return pairs


TOOLS = {
    "divergences": ours,
    "Evidently": evidently,
    "SciPy KS": scipy,
    "frouros KS": frouros_ks,
    "frouros PSI": frouros_psi,
}


def decide(
    tool: str, law: str, n: int, strength: float, columns: int, first: int, most: int, limit: float
) -> dict[str, Any]:
    """Which pairs of samples are called different, in tables of `columns` repetitions with seeds from `first` on.

    Ends after `most` repetitions, or when the tool has taken `limit` seconds. `called` has a 0 or 1 for each pair: the
    pairs are the same for every tool.
    """
    called, seconds = "", 0.0
    if law != "five categories" or not tool.startswith("frouros"):
        TOOLS[tool](*samples(law, 50, 0.0, 1, 0))  # imports are not what is measured
    while len(called) < most and seconds < limit:
        x, y = samples(law, n, strength, columns, first + len(called))
        start = time.perf_counter()
        try:
            found = TOOLS[tool](x, y)
        except NotImplementedError:
            break
        seconds += time.perf_counter() - start
        called += "".join(str(int(different)) for different in found)
    return {"called": called, "seconds": seconds}


# ----------------------------------------------------------------------- two Parquet files, from disk to verdict


def files_ours(ref: str, cur: str) -> int:
    """Columns only."""
    import divergences as dv

    result = dv.compare(dv.read_table(ref), dv.read_table(cur), rng=0, joint=False)
    return sum(column.pvalue_adjusted <= 0.05 for column in result.columns.values())


def files_jointly(ref: str, cur: str) -> int:
    """With every joint distance."""
    import divergences as dv

    result = dv.compare(dv.read_table(ref), dv.read_table(cur), rng=0)
    return sum(column.pvalue_adjusted <= 0.05 for column in result.columns.values())


def files_evidently(ref: str, cur: str) -> int:
    """As above."""
    import pandas as pd

    frames = [pd.read_parquet(path) for path in (ref, cur)]
    return sum(evidently(*({c: frame[c].to_numpy() for c in frame} for frame in frames)))


def files_scipy(ref: str, cur: str) -> int:
    """KS and W1 of each column."""
    import pyarrow.parquet as parquet
    from scipy import stats

    found = 0
    for name in parquet.read_schema(ref).names:
        a, b = (parquet.read_table(path, columns=[name]).column(0).to_numpy() for path in (ref, cur))
        stats.wasserstein_distance(a, b)
        peer: Any = stats.ks_2samp(a, b)
        found += bool(peer.pvalue <= 0.05)
    return found


FILES = {
    "divergences, columns": files_ours,
    "divergences, columns and jointly": files_jointly,
    "SciPy KS and W1": files_scipy,
    "Evidently": files_evidently,
}


def judge(tool: str, ref: str, cur: str) -> dict[str, Any]:
    """Seconds and peak memory of the process, from reading to the number of columns that differ."""
    start = time.perf_counter()
    found = FILES[tool](ref, cur)
    seconds = time.perf_counter() - start
    peak = next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return {"found": int(found), "seconds": seconds, "megabytes": peak / 1024}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    task = {"decide": decide, "judge": judge}[sys.argv[1]]
    print(json.dumps(task(sys.argv[2], **json.loads(sys.argv[3]))))
