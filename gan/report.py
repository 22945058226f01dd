"""What a run showed, as figures and as a section of a report."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from divergences.report import Report, Section, picture, table, text
from divergences.wording import number
from gan.data import Data, GaussianMixture
from gan.game import Game
from gan.measures import MEASURES
from gan.measures.modes import RADIUS, SHARE, ceiling
from gan.random import Stream
from gan.recipes import RECIPES
from gan.runs import Run
from gan.statistic import Statistic

TRUE, BELIEVED, FLOOR = "#2f6db3", "#d9641e", "#8a929b"
REAL, FAKE = "#c9cfd6", "#d9641e"
SHOWN = 4  # replicas whose samples are drawn
IMAGES = 8  # a side of the square of images that is drawn of each


def distance_figure(run: Run) -> Figure:
    """The true W1, with its bracket and floor, beside what the critic believes its quantity to be.

    One panel if the critic's quantity is W1 itself; otherwise two, since the units differ.
    """
    measures = RECIPES[run.config.recipe].measures
    together = measures == "W1"
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    panels = list(np.atleast_1d(figure.subplots(1, 1 if together else 2)))
    steps = run.column("step")
    left, right = panels[0], panels[-1]
    band(left, steps, run.column("w1"), TRUE, "true W₁ to the target (mean, range of seeds)")
    # The mean over replicas lies between the means of their bounds, which are closer than a line is wide.
    lower, upper = (_mean(run.column(name)) for name in ("w1_lower", "w1_upper"))
    width = float(np.nanmax(upper - lower, initial=0))
    left.fill_between(steps, lower, upper, color="black", linewidth=0.6, label=f"certified bracket, width {width:.0e}")
    left.axhline(run.attainable("w1"), color=FLOOR, ls=":", label="floor: a perfect generator's W₁")
    band(right, steps, run.column("estimate"), BELIEVED, f"critic's estimate of {measures} (mean, range of seeds)")
    left.set_ylabel("W₁, in units of the data")
    if not together:
        right.set_ylabel(measures)
    for axes in panels:
        finish(axes)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return figure


def samples_figure(run: Run) -> Figure:
    """Samples of several replicas: on samples of the target with its modes, or as pictures."""
    game = Game(run.config)
    replicas = run.config.replicas[:SHOWN]
    figure = Figure(figsize=(1.9 * len(replicas) + 0.5, 2.9), layout="constrained")
    panels = figure.subplots(1, len(replicas), squeeze=False, sharex=True, sharey=True)
    real = real_points(game.target, run.samples.shape[1])
    for axes, replica, fake in zip(panels[0], replicas, run.samples, strict=False):
        drawn(axes, game.target, real, fake)
        axes.set_title(str(replica), fontsize=9)
    handles, labels = panels[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8, markerscale=2)
    return figure


def real_points(target: Data, n: int) -> np.ndarray:
    """The target's sample that is drawn under those of generators: (n, d)."""
    return target.sample(torch.tensor([0]), Stream.REFERENCE, 0, n)[0].numpy()


def drawn(axes: Axes, target: Data, real: np.ndarray, fake: np.ndarray) -> None:
    """A generator's sample: on one of the target, or as pictures."""
    if len(target.shape) == 3:
        axes.imshow(mosaic(fake, target.shape), cmap="gray", vmin=-1, vmax=1)
        axes.set_axis_off()
    else:
        scatter(axes, target, real, fake)


def mosaic(samples: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The first images of a sample side by side, (h, w) or (h, w, 3) in [-1, 1] or, in colour, in [0, 1]."""
    channels, height, width = shape
    count = min(IMAGES * IMAGES, len(samples))
    tiles = np.full((IMAGES * IMAGES, channels, height + 1, width + 1), 1.0)
    tiles[:count, :, :-1, :-1] = samples[:count].reshape(count, channels, height, width)
    square = tiles.reshape(IMAGES, IMAGES, channels, height + 1, width + 1).transpose(0, 3, 1, 4, 2)
    square = square.reshape(IMAGES * (height + 1), IMAGES * (width + 1), channels)
    return (np.clip(square, -1, 1) + 1) / 2 if channels == 3 else square[..., 0]


def curves_figure(run: Run, names: tuple[str, ...], target: Data) -> Figure:
    """Quantities over training, a panel each, with what a perfect generator gets."""
    figure, panels = grid(len(names), 2, width=3.8, height=2.3)
    for axes, name in zip(panels, names, strict=True):
        band(axes, run.column("step"), run.column(name), TRUE if name in MEASURES else BELIEVED, name)
        if name in run.perfect:
            axes.axhline(run.attainable(name), color=FLOOR, ls=":", label="a perfect generator")
        if name == "modes":
            axes.set_ylim(0, 1.05 * getattr(target, "mode_count", 1))
        axes.set_title(name.replace("_", " "), fontsize=9)
        finish(axes)
    return figure


def grid(count: int, across: int, *, width: float, height: float, above: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels in rows of `across`, of inches each, with room above for a legend."""
    down = -(-count // across)
    figure = Figure(figsize=(width * across, above + height * down), layout="constrained")
    panels = np.ravel(figure.subplots(down, across, squeeze=False)).tolist()
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def section(run: Run) -> Section:
    """One run: what was trained, its last numbers replica by replica, and its figures."""
    config, recipe, target = run.config, RECIPES[run.config.recipe], Game(run.config).target
    last = run.records[-1]
    state = "complete" if run.done else f"{'failed' if run.failed else 'unfinished'}, of {config.steps}"
    others = tuple(name for name in run.perfect if name in MEASURES and name != "w1")
    inner = ("critic_gradient", "generator_gradient", "slope", "spectral_norm")
    lost = [f"{r} diverged at step {s:g}" for r, s in zip(config.replicas, last["diverged"], strict=True) if s]
    about = (
        f"{len(config.replicas)} replicas, {last['step']} steps ({state}), {last['seconds']:.1f} seconds. "
        f"Recipe: {recipe.source}. Data: {target.source}. {'; '.join(lost)}{run.failed}"
    )
    blocks = [
        text(about),
        table(*_numbers(run), caption=_rules(run, target)),
        picture(samples_figure(run), f"Samples of up to {SHOWN} replicas."),
        picture(
            curves_figure(run, inner, target), "Norms of both gradients, the critic's mean slope, its spectral norms."
        ),
    ]
    if others:
        blocks.insert(3, picture(curves_figure(run, others, target), "Measures; dotted, a perfect generator's."))
    if "w1" in last:
        blocks.insert(2, picture(distance_figure(run), f"True W1 and the critic's estimate of {recipe.measures}."))
    return Section(f"{config.recipe} on {config.data}", blocks)


def report(run: Run, name: str) -> Report:
    """The report of one run."""
    shown = next(name for name in run.perfect if name in MEASURES)
    got, perfect = number(Statistic.of(run.last(shown)).mean, 3), number(run.attainable(shown), 3)
    lost = sum(step > 0 for step in run.records[-1]["diverged"])
    lead = (
        f"After {run.records[-1]['step']} steps {shown.replace('_', ' ')} is {got} on average, where a perfect "
        f"generator would get {perfect}.{f' {lost} of {len(run.perfect[shown])} replicas diverged.' if lost else ''}"
    )
    return Report(f"GAN run {Path(name).name}", [section(run)], lead=f"The run failed. {lead}" if run.failed else lead)


def _rules(run: Run, target: Data) -> str:
    """What the numbers in the table are."""
    names = run.records[-1]
    replicas = len(run.config.replicas)
    said = [
        f"Every number is measured on {run.n} samples of the generator and of the target; beside it what a perfect one "
        "gets, by two samples of the target."
    ]
    said += [f"{sentence[0].upper()}{sentence[1:]}." for sentence in run.gaps]
    if replicas > SHOWN:
        said.append(f"The first {SHOWN} of {replicas} replicas; means are over all that have not diverged.")
    if "modes" in names:
        said.append("A mode counts if one sample of high quality is in it.")
    if "modes_1pct" in names:
        said.append(f"By the 1 % rule, if {SHARE:.0%} of all samples are.")
    if isinstance(target, GaussianMixture) and {"modes", "modes_1pct", "high_quality"} & set(names):
        said.append(
            f"High quality: within {RADIUS:g} sigma of a mode, as {ceiling(target.dimension):.1%} of a Gaussian's "
            "points are."
        )
    return " ".join(said)


def _numbers(run: Run) -> tuple[list[str], list[list[float | int | str]]]:
    """The last record, a row per quantity and a column per replica."""
    names = [name for name in run.records[-1] if name in run.perfect or name == "estimate"]
    rows: list[list[float | int | str]] = []
    for name in names:
        values = run.last(name)
        values = [*values[:SHOWN].tolist(), *([float(_mean(values[None])[0])] if len(values) > SHOWN else [])]
        perfect = number(run.attainable(name)) if name in run.perfect else ""
        title = f"critic: {RECIPES[run.config.recipe].measures}" if name == "estimate" else name.replace("_", " ")
        rows.append([title, *values, perfect])
    replicas = [str(replica) for replica in run.config.replicas]
    return ["", *replicas[:SHOWN], *(["mean"] if len(replicas) > SHOWN else []), "perfect"], rows


def scatter(axes: Axes, target: Data, real: np.ndarray, fake: np.ndarray) -> None:
    """Points of the target and of a generator: histograms on the line, else their first two coordinates."""
    if target.dimension == 1:
        margin = (real.max() - real.min() or 1) / 8
        edges = np.linspace(real.min() - margin, real.max() + margin, 60)
        axes.hist(real[:, 0], edges, color=REAL, label="target")
        # What lies beyond the frame is counted in the bins at its ends, and said.
        inside = np.clip(fake[:, 0], edges[0], edges[-1])
        axes.hist(inside, edges, color=FAKE, histtype="step", label="generator")
        beyond = int((inside != fake[:, 0]).sum())
        if beyond:
            said = f"{beyond} of {len(fake)} beyond"
            axes.text(0.5, 0.97, said, transform=axes.transAxes, fontsize=7, ha="center", va="top")
        return
    axes.scatter(*real.T[:2], s=3, c=REAL, linewidths=0, label="target", rasterized=True)
    axes.scatter(*fake.T[:2], s=3, c=FAKE, alpha=0.5, linewidths=0, label="generator", rasterized=True)
    means = getattr(target, "means", ())
    if len(means):
        axes.scatter(*np.array(means).T[:2], s=14, c="black", marker="+", linewidths=0.7, label="modes")
    axes.set_aspect("equal")


def band(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    """The mean over replicas that have a number, and from the least to the greatest."""
    kept = ~np.isnan(values).all(axis=1)
    steps, values = steps[kept], values[kept]
    axes.fill_between(steps, np.nanmin(values, 1), np.nanmax(values, 1), color=colour, alpha=0.15, linewidth=0)
    axes.plot(steps, np.nanmean(values, 1), color=colour, label=label, linewidth=1.5)


def finish(axes: Axes) -> None:
    """Label the steps, and leave out the frame's upper and right side."""
    axes.set_xlabel("steps of the generator", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over replicas that have a number; NaN where none has."""
    counted = np.maximum((~np.isnan(values)).sum(1), 1)
    return np.where(np.isnan(values).all(1), np.nan, np.nansum(values, axis=1) / counted)
