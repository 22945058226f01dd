"""Samples of the target that a whole run is measured against, and what a perfect generator gets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from divergences._checks import choice, count
from divergences.errors import DataError
from gan.data.rows import split
from gan.measures.catalogue import MEASURES, Measure, applicable, default_measures
from gan.measures.sample import Pair, Sample
from gan.random import Stream

SAMPLES = 1000
TRAINING = 20_000  # rows that generated points are compared with
LARGEST = 1e100  # a coordinate beyond it has diverged: squares and their sums would leave the floats


@dataclass(frozen=True)
class Judgement:
    """One seed's values by name, infinite ones among them, and for each that is missing the reason why."""

    values: dict[str, float]
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reference:
    """The target as each seed sees it.

    Attributes:
        real: `n` samples per seed.
        perfect: every measure of `n` other samples of the target, a list over seeds by name: what a perfect generator
            gets at this n, as `evaluate` would give it.

    """

    measures: tuple[Measure, ...]
    real: tuple[Sample, ...]
    perfect: dict[str, list[float | None]]

    @classmethod
    def of(cls, data: Any, seeds: Tensor, n: int = SAMPLES, measures: Iterable[str] | None = None) -> "Reference":
        """`n` samples of the target per seed; the measures named, or the usual ones.

        A finite set is measured on each of its held-out rows once at most, so that n may become smaller: repeated
        rows are no sample of anything.

        Raises DataError for an unknown measure, one that does not apply to the target, or n below 2.
        """
        chosen = tuple(MEASURES[name] for name in checked(data, measures))
        n = count(n, "n", minimum=2)
        n = n if data.size is None else min(n, data.held_out)
        # Replicas of one seed under several settings share its samples.
        unique, replica = seeds.unique(return_inverse=True)
        draw = lambda stream: _host(data.sample(unique, stream, 0, n))
        training = _training(data)
        once = cls(chosen, tuple(Sample(points, data, training) for points in draw(Stream.REFERENCE)), {})
        perfect = once.evaluate(draw(Stream.FLOOR))
        each = replica.tolist()
        return cls(
            chosen,
            tuple(once.real[k] for k in each),
            {name: [values[k] for k in each] for name, values in perfect.items()},
        )

    @property
    def samples(self) -> np.ndarray:
        """The target's samples: (S, n, d)."""
        return np.stack([sample.points for sample in self.real])

    def evaluate(self, samples: Any) -> dict[str, list[float | None]]:
        """Every measure of generated samples, NumPy or torch, (S, n, d): a list over seeds by name.

        Of more samples than the reference has only the first n are taken, because most measures depend on n.

        None stands for what is not finite or cannot be measured; `reasons` says why.

        >>> import torch
        >>> from gan.data import DATASETS
        >>> data, seeds = DATASETS["ring8"], torch.arange(2)
        >>> reference = Reference.of(data, seeds, 200, ("w1", "modes"))
        >>> point = torch.tensor([2.0, 0.0]).expand(2, 200, 2)
        >>> reference.evaluate(point)["modes"], reference.perfect["modes"]
        ([1.0, 1.0], [8.0, 8.0])
        """
        return self.values(self.judge(samples))

    def values(self, judged: Sequence[Judgement]) -> dict[str, list[float | None]]:
        """What `judge` found, by name a list over seeds; None for what is not finite."""
        names = [name for measure in self.measures for name in measure.names]
        return {name: [_finite(one.values.get(name)) for one in judged] for name in names}

    def reasons(self, judged: Sequence[Judgement]) -> dict[str, list[str | None]]:
        """Why `values` has None: by measure a list over seeds, of the measures that are missing somewhere."""
        found = {m.name: [_reason(one, m.name) for one in judged] for m in self.measures}
        return {name: reasons for name, reasons in found.items() if any(reasons)}

    def judge(self, samples: Any) -> list[Judgement]:
        """As `evaluate`, one `Judgement` per seed.

        >>> import torch
        >>> from gan.data import DATASETS
        >>> reference = Reference.of(DATASETS["ring8"], torch.arange(1), 100, ("kl",))
        >>> reference.judge(torch.zeros(1, 100, 2))[0]  # nothing but an atom
        Judgement(values={'kl': inf}, reasons={})
        """
        samples = _host(samples)
        seeds, n, d = self.samples.shape
        if samples.ndim != 3 or samples.shape[::2] != (seeds, d) or samples.shape[1] < n:
            raise DataError(f"samples must be {seeds} x {n} x {d}: seeds, points, coordinates; got {samples.shape}.")
        return [_judge(self.measures, real, points[:n]) for real, points in zip(self.real, samples, strict=True)]


def _judge(measures: tuple[Measure, ...], real: Sample, points: np.ndarray) -> Judgement:
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    if not (np.abs(points) <= LARGEST).all():
        return Judgement({}, {m.name: f"samples are NaN or beyond {LARGEST:g}: this seed diverged" for m in measures})
    pair = Pair(real, Sample(points, real.data, real.training))
    for measure in measures:
        try:
            found = measure(pair)
        # What one measure cannot digest must cost neither the others nor the run.
        except (ValueError, ArithmeticError, RuntimeError) as error:
            reasons[measure.name] = str(error)
            continue
        values.update({name: value for name, value in found.items() if not np.isnan(value)})
        if any(map(np.isnan, found.values())):
            reasons[measure.name] = "not a number: the samples are beyond what floats can measure"
    return Judgement(values, reasons)


def checked(data: Any, measures: Iterable[str] | None) -> tuple[str, ...]:
    """The measures named, or the usual ones; raises DataError for one that does not exist or apply to the target."""
    if measures is None:
        return default_measures(data)
    names = (measures,) if isinstance(measures, str) else tuple(dict.fromkeys(measures))
    fitting = applicable(data)
    for name in names:
        if choice(name, MEASURES, "measure") not in fitting:
            raise DataError(f"measure {name!r} does not apply to this target; these do: {', '.join(fitting)}.")
    return names


def _training(data: Any) -> np.ndarray | None:
    """The training rows of a finite set, `TRAINING` of them at most."""
    return None if data.size is None else data.load()[0][split(data.size)[None][:TRAINING]]


def _host(x: Any) -> np.ndarray:
    return x.detach().double().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x, dtype=np.float64)


def _reason(one: Judgement, name: str) -> str | None:
    infinite = "infinite" if np.isinf(one.values.get(name, 0.0)) else None
    return one.reasons.get(name, infinite)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
