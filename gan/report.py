"""What a run showed, as figures and as a section of a report."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from divergences.report import Report, Section, picture, table, text
from gan.data import DATASETS
from gan.evaluate import RADIUS, SHARE, ceiling
from gan.random import Stream
from gan.recipes import RECIPES
from gan.runs import Run

TRUE, BELIEVED, FLOOR = "#2f6db3", "#d9641e", "#8a929b"
REAL, FAKE = "#c9cfd6", "#d9641e"
SHOWN = 4  # seeds whose samples are drawn


def distance_figure(run: Run) -> Figure:
    """The true W1, with its bracket and floor, beside what the critic believes its quantity to be.

    One panel if the critic's quantity is W1 itself; otherwise two, since the units differ.
    """
    measures = RECIPES[run.config.recipe].measures
    together = measures == "W1"
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    panels = list(np.atleast_1d(figure.subplots(1, 1 if together else 2)))
    steps = _column(run, "step")
    left, right = panels[0], panels[-1]
    _band(left, steps, _column(run, "w1"), TRUE, "true W₁ to the target")
    # The mean over seeds lies between the means of the seeds' bounds, which are closer than a line is wide.
    lower, upper = (_column(run, name).mean(1) for name in ("w1_lower", "w1_upper"))
    width = float((upper - lower).max())
    left.fill_between(steps, lower, upper, color="black", linewidth=0.6, label=f"certified bracket, width {width:.0e}")
    left.axhline(_column(run, "floor").mean(), color=FLOOR, linestyle=":", label="floor: a perfect generator's W₁")
    _band(right, steps, _column(run, "estimate"), BELIEVED, f"critic's estimate of {measures}")
    left.set_ylabel("W₁, in units of the data")
    if not together:
        right.set_ylabel(f"{measures}, in nats" if "W1" not in measures else measures)
    for axes in panels:
        _finish(axes)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return figure


def samples_figure(run: Run) -> Figure:
    """Samples of several seeds on samples of the target, its modes marked."""
    data = DATASETS[run.config.data]
    seeds = tuple(run.config.seeds)[:SHOWN]
    count = run.samples.shape[1]
    real = data.sample(torch.tensor([0]), Stream.REFERENCE, 0, count)[0].numpy()
    figure = Figure(figsize=(1.9 * len(seeds) + 0.5, 2.9), layout="constrained")
    grid = figure.subplots(1, len(seeds), squeeze=False, sharex=True, sharey=True)
    for axes, seed, fake in zip(grid[0], seeds, run.samples, strict=False):
        if data.dimension == 1:
            edges = np.linspace(real.min() - 1, real.max() + 1, 60)
            axes.hist(real[:, 0], edges, color=REAL, label="target")
            axes.hist(fake[:, 0], edges, color=FAKE, histtype="step", label="generator")
        else:
            axes.scatter(*real.T[:2], s=3, c=REAL, linewidths=0, label="target", rasterized=True)
            axes.scatter(*fake.T[:2], s=3, c=FAKE, alpha=0.5, linewidths=0, label="generator", rasterized=True)
            axes.scatter(*np.array(data.means).T[:2], s=14, c="black", marker="+", linewidths=0.7, label="modes")
            axes.set_aspect("equal")
        axes.set_title(f"seed {seed}", fontsize=9)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8, markerscale=2)
    return figure


def modes_figure(run: Run) -> Figure:
    """Modes covered over training, a line per seed and their mean."""
    figure = Figure(figsize=(7.6, 2.6), layout="constrained")
    axes = figure.subplots()
    steps, modes = _column(run, "step"), _column(run, "modes")
    # The band is drawn by hand: a seed more or less is a step, and steps overlap.
    axes.plot(steps, modes, color=TRUE, alpha=0.3, linewidth=1)
    axes.plot(steps, modes.mean(1), color=TRUE, linewidth=2, label=f"mean of {modes.shape[1]} seeds")
    total = len(DATASETS[run.config.data].means)
    axes.axhline(total, color=FLOOR, linestyle=":", label=f"all {total}")
    axes.set_ylim(0, 1.05 * total)
    axes.set_ylabel("modes covered")
    _finish(axes)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def section(run: Run) -> Section:
    """One run: what was trained, its last numbers seed by seed, and the three figures."""
    config, recipe, data = run.config, RECIPES[run.config.recipe], DATASETS[run.config.data]
    last = run.records[-1]
    state = "complete" if run.done else f"unfinished, of {config.steps}"
    return Section(
        f"{config.recipe} on {config.data}",
        [
            text(
                f"{len(tuple(config.seeds))} seeds, {last['step']} steps ({state}), {last['seconds']:.1f} seconds. "
                f"Recipe: {recipe.source}. Data: {data.source}."
            ),
            table(*_numbers(run), caption=_RULES.format(ceiling=ceiling(data.dimension), share=SHARE, radius=RADIUS)),
            picture(distance_figure(run), f"True W1 and the critic's estimate of {recipe.measures} over training."),
            picture(samples_figure(run), f"Samples of up to {SHOWN} seeds on the target."),
            picture(modes_figure(run), "Modes covered over training."),
        ],
    )


def report(run: Run, name: str) -> Report:
    """The report of one run."""
    modes = _column(run, "modes")[-1].mean()
    w1, floor = (_column(run, key)[-1].mean() for key in ("w1", "floor"))
    lead = (
        f"After {run.records[-1]['step']} steps the true W1 to the target is {w1:.3g} on average, where a perfect "
        f"generator would get {floor:.3g}; {modes:.3g} of {len(DATASETS[run.config.data].means)} modes are covered."
    )
    return Report(f"GAN run {Path(name).name}", [section(run)], lead=lead)


_RULES = (
    "W1 between 1,000 samples of the generator and of the target. Floor: the same between two samples of the target. "
    "A mode is covered by at least {share:.0%} of the samples within {radius:g} sigma of it. High quality: the share "
    "within {radius:g} sigma of any mode; a perfect generator gets {ceiling:.1%}."
)


def _numbers(run: Run) -> tuple[list[str], list[list[float | int]]]:
    """The last record, a row per seed."""
    names = ["w1", "w1_lower", "w1_upper", "floor", "estimate", "modes", "high_quality"]
    last = run.records[-1]
    rows = [[seed, *(last[name][k] for name in names)] for k, seed in enumerate(run.config.seeds)]
    titles = [
        "W1",
        "lower",
        "upper",
        "floor",
        f"critic: {RECIPES[run.config.recipe].measures}",
        "modes",
        "high quality",
    ]
    return ["seed", *titles], rows


def _column(run: Run, name: str) -> np.ndarray:
    """One quantity over training: (snapshots,) or (snapshots, S)."""
    return np.array([record[name] for record in run.records], dtype=float)


def _band(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    """The mean over seeds, and from the least to the greatest seed."""
    axes.fill_between(steps, values.min(1), values.max(1), color=colour, alpha=0.18, linewidth=0)
    axes.plot(steps, values.mean(1), color=colour, label=f"{label} (mean, range of seeds)", linewidth=1.6)


def _finish(axes: Axes) -> None:
    axes.set_xlabel("steps of the generator")
    axes.spines[["top", "right"]].set_visible(False)
