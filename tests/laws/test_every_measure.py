"""Every measure of generators: perfect ones get `perfect`, spoilt ones less, and seeds do not see each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import wilcoxon

from gan.data import DATASETS, Data, GaussianMixture, Rows
from gan.measures import MEASURES, Measure, Reference, applicable, default_measures
from gan.random import Stream, normal, uniform

SEEDS, N = torch.arange(20), 200
CHANCE = 1e-3  # per measure; the seeds are fixed, so that a law holds always or never


CENTRES = {"mixture": ((2.0, 0.0), (-1.0, 1.7), (-1.0, -1.7)), "rows": ((4.0, 0, 0), (0, 4.0, 0), (0, 0, 4.0))}
SIGMA = {"mixture": 0.4, "rows": 1.0}


def rows() -> Rows:
    """Labelled rows of three clusters, so many that seeds hardly share any that are held out."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 20_000)
    return Rows.of(rng.normal(size=(20_000, 3)) + np.array(CENTRES["rows"])[labels], labels, source="three clusters")


TARGETS: dict[str, Data] = {
    "mixture": GaussianMixture(CENTRES["mixture"], (1 / 3,) * 3, (SIGMA["mixture"],) * 3, "three modes"),
    "rows": rows(),
}
CASES = [(target, name) for target, data in TARGETS.items() for name in applicable(data)]


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    return {target: Reference.of(data, SEEDS, N, applicable(data)) for target, data in TARGETS.items()}


def fresh(target: str) -> torch.Tensor:
    """What a perfect generator gives: samples of the mixture, or of the law behind the rows."""
    return drawn(target, (3 * uniform(SEEDS, Stream.SAMPLE, 0, (N,))).long())


def collapsed(target: str) -> torch.Tensor:
    """Samples of one mode only."""
    return drawn(target, torch.zeros(len(SEEDS), N, dtype=torch.int64))


def shifted(target: str) -> torch.Tensor:
    """All samples moved by two standard deviations of a mode."""
    x = fresh(target)
    return x + 2 * SIGMA[target] * torch.eye(x.shape[-1])[1]


def drawn(target: str, mode: torch.Tensor) -> torch.Tensor:
    """A normal point of each mode: (S, n) -> (S, n, d)."""
    centres = torch.tensor(CENTRES[target], dtype=torch.float64)
    return centres[mode] + SIGMA[target] * normal(SEEDS, Stream.SAMPLE, 0, (N, centres.shape[1]))


SPOILT = {"collapse": collapsed, "shift": shifted}


@pytest.fixture(scope="module")
def results(references) -> dict[tuple[str, str], dict[str, list]]:
    makers = {"fresh": fresh, **SPOILT}
    return {
        (target, kind): reference.evaluate(make(target))
        for target, reference in references.items()
        for kind, make in makers.items()
    }


def worse(measure: Measure, values: list, perfect: list) -> float:
    """The p-value of `values` being no worse than `perfect`, seed by seed; what cannot be measured is worst."""
    ours, best = ([1e300 if v is None else measure.badness(v) for v in side] for side in (values, perfect))
    return rank_test(np.subtract(ours, best), "greater")


def apart(values: list, perfect: list) -> float:
    """The p-value of `values` and `perfect` having one law, seed by seed."""
    return rank_test(np.subtract(values, perfect), "two-sided")


def rank_test(gaps: np.ndarray, alternative: str) -> float:
    return 1.0 if not gaps.any() else float(np.asarray(wilcoxon(gaps, alternative=alternative))[1])


def order_gap(reference: Reference, x: torch.Tensor) -> float:
    """The largest relative change of any number when samples are permuted."""
    permuted = x[:, torch.randperm(N, generator=torch.Generator().manual_seed(0))]
    first, again = reference.evaluate(x), reference.evaluate(permuted)
    a, b = (np.array([found[name] for name in first], dtype=float) for found in (first, again))
    return float((abs(a - b) / (1e-3 + abs(a))).max())


def seed_gap(reference: Reference, others: Reference, x: torch.Tensor) -> float:
    """How far the numbers of seeds (0, 1) are from those of seeds (1, 0), in another reference."""
    first, back = reference.evaluate(x), others.evaluate(x[[1, 0]])
    a, b = (np.array([found[name] for name in first], dtype=float) for found in (first, back))
    return float(abs(a - b[:, ::-1]).max())


@pytest.mark.parametrize(("target", "name"), CASES)
def test_a_perfect_generator_gets_perfect(references, results, target, name):
    """Fresh samples of the target are indistinguishable from `perfect`, in every number that a measure gives."""
    for key in MEASURES[name].names:
        assert apart(results[target, "fresh"][key], references[target].perfect[key]) > CHANCE


@pytest.mark.parametrize(("target", "name"), CASES)
@pytest.mark.parametrize("kind", SPOILT)
def test_a_spoilt_generator_is_worse(references, results, target, name, kind):
    """Collapse and shift are worse in the direction that `better` states, unless the measure says it is blind."""
    measure = MEASURES[name]
    p = worse(measure, results[target, kind][name], references[target].perfect[name])
    if kind not in measure.blind:
        assert p < CHANCE


@pytest.mark.parametrize("name", [name for name in applicable(TARGETS["mixture"]) if MEASURES[name].blind])
def test_blindness_is_true(references, results, name):
    """A measure that says it is blind is: else it could excuse itself from the law above."""
    measure, perfect = MEASURES[name], references["mixture"].perfect[name]
    for kind in measure.blind:
        assert np.mean([v is not None for v in results["mixture", kind][name]]) == 1
        ours = np.mean([measure.badness(v) for v in results["mixture", kind][name]])
        assert ours - np.mean([measure.badness(v) for v in perfect]) < 0.1 * (1 + abs(np.mean(perfect)))


@pytest.mark.parametrize("target", TARGETS)
def test_order_and_neighbours_do_not_matter(references, target):
    """Permuted samples give the same numbers; so do seeds measured alone, and in another order, to the bit."""
    data, x = TARGETS[target], shifted(target)[:2]
    names = applicable(data)
    first, back = (Reference.of(data, seeds, N, names) for seeds in (SEEDS[:2], SEEDS[[1, 0]]))
    assert order_gap(first, x) < 1e-6
    assert seed_gap(first, back, x) == 0
    for name, values in references[target].perfect.items():
        assert first.perfect[name] == values[:2] == back.perfect[name][::-1], name


def test_order_and_neighbours_bite(references):
    """A measure of the first half of the samples, and a target shared by all seeds, are rejected."""
    mixture, x = references["mixture"], shifted("mixture")[:2]
    half = replace(MEASURES["frechet"], function=lambda pair: pair.fake.points[: N // 2].mean())
    assert order_gap(Reference((half,), mixture.real[:2], {}), x) > 1e-3
    w1 = (MEASURES["w1"],)
    own, shared = Reference(w1, mixture.real[:2], {}), Reference(w1, (mixture.real[0],) * 2, {})
    assert seed_gap(own, shared, x) > 1e-3


@pytest.mark.parametrize("target", TARGETS)
def test_a_lost_seed_costs_nobody_else(references, target):
    """NaN, infinity, numbers at the end of the floats and a single point: None or a number, and the others' bits."""
    data = TARGETS[target]
    x = fresh(target)[:7].clone()
    reference = Reference.of(data, SEEDS[:7], N, applicable(data))
    whole = reference.evaluate(x)
    x[1, 3, 0], x[2, 0, 1] = torch.nan, torch.inf
    x[3], x[4], x[5] = x[3].clip(-1, 1) * 1e308, 0.25, x[5] * 5e-324
    judged, spoilt = reference.judge(x), reference.evaluate(x)
    for name, values in spoilt.items():
        assert (values[0], values[6]) == (whole[name][0], whole[name][6])
        assert values[1] is values[2] is values[3] is None
    assert "diverged" in judged[1].reasons["w1"]
    for measure in reference.measures:
        for one in judged:
            given = [one.values.get(name) for name in measure.names]
            assert (None in given) == (measure.name in one.reasons)
            assert not any(np.isnan(v) for v in given if v is not None)
    assert not judged[0].reasons


def test_laws_bite(references, results):
    """A measure of too few samples, one that compares the target with itself, and a reversed direction are rejected."""
    mixture, perfect = references["mixture"], references["mixture"].perfect
    few = Reference.of(TARGETS["mixture"], SEEDS, N // 5, ("w1", "recall", "coverage")).perfect
    assert apart(few["w1"], perfect["w1"]) < CHANCE
    itself = mixture.evaluate(mixture.samples)
    for name in ("w1", "w2", "sliced_w1", "sinkhorn_divergence", "frechet", "mmd", "energy", "one_nearest_neighbour"):
        assert apart(itself[name], perfect[name]) < CHANCE, name
    for name, flipped in (("w1", "higher"), ("recall", "lower"), ("one_nearest_neighbour", "lower")):
        wrong = replace(MEASURES[name], better=flipped)
        spoilt = [1 - v for v in results["mixture", "collapse"][name]] if flipped == "lower" else None
        assert worse(wrong, spoilt or results["mixture", "collapse"][name], perfect[name]) > CHANCE, name


def test_defaults_apply_and_are_cheap_ones():
    """Every default applies; dear measures are on request; unknown and unfitting names are errors of ours."""
    for data in DATASETS.values():
        assert set(default_measures(data)) <= set(applicable(data))
        assert not {"w2", "sinkhorn_divergence", "mmd"} & set(default_measures(data))
        assert "w1" in default_measures(data)
