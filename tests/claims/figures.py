"""The pictures that the lectures draw, of what the claims computed: data in blue, models in orange."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from divergences.report.pictures import CURRENT, FAINT, NULL, REFERENCE

THIRD = "#5b8c3e"
COLOURS = (REFERENCE, CURRENT, THIRD, "#8b5fa8", FAINT)


def panels(
    across: int, *, width: float = 7.6, height: float = 2.6, down: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes in a row (or rows), without frames."""
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, **options)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return figure, grid[0] if down == 1 else grid


def titled(axes: Any, title: str) -> None:
    """A small title on the left."""
    axes.set_title(title, fontsize=9, loc="left")


def legend(axes: Any, **options: Any) -> None:
    """A small legend without a frame."""
    axes.legend(frameon=False, fontsize=8, **options)


def modes(x: Any, target: Any, fits: Mapping[str, list[tuple[float, float, float]]], law: Any) -> Figure:
    """The target and, for each divergence, every Gaussian at a local minimum: the best one in full."""
    figure, grid = panels(len(fits), sharex=True, sharey=True)
    cell, near = x[1] - x[0], np.abs(x) < 8
    near &= np.arange(len(x)) % 2 == 0
    every, x, target = x, x[near], target[near]
    for axes, (name, found) in zip(grid, fits.items(), strict=True):
        axes.fill_between(x, target / cell, color=REFERENCE, alpha=0.3, linewidth=0)
        least = min(value for *_, value in found)
        for mean, sd, value in found:
            best = value < least + 1e-6
            axes.plot(
                x, law(every, mean, sd)[near] / cell, color=CURRENT, linestyle="-" if best else ":", linewidth=1.6
            )
        titled(axes, f"{name}: {least:.4f}")
        axes.set_xlim(-8, 8)
        axes.locator_params(nbins=5)
    grid[0].set_ylabel("density", fontsize=8)
    return figure


def lines_apart(theta: Any, values: Mapping[str, Any]) -> Figure:
    """KL, JSD and W of parallel lines over their distance; an infinite value is drawn at the top, as what it is."""
    figure, grid = panels(len(values), sharex=True)
    for axes, (name, found) in zip(grid, values.items(), strict=True):
        found = np.asarray(found)
        finite = np.isfinite(found)
        top = 1.25 * max(found[finite].max(), 0.7)
        for part in np.split(np.arange(len(theta)), np.flatnonzero(np.abs(np.diff(np.minimum(found, top))) > 0.3) + 1):
            high = ~finite[part]
            style = {"color": CURRENT if high.any() else REFERENCE, "linestyle": "--" if high.any() else "-"}
            marker = "o" if len(part) == 1 else ""
            axes.plot(np.asarray(theta)[part], np.where(high, top, found[part]), marker=marker, markersize=4, **style)
        if not finite.all():
            axes.text(theta[0], 0.97 * top, "∞", color=CURRENT, va="top", fontsize=14)
        titled(axes, name)
        axes.set_xlabel("θ", fontsize=8)
        axes.set_ylim(-0.04 * top, 1.04 * top)
    return figure


def piles(positions: Any, p: Any, q: Any, moves: Iterable[tuple[int, int, int]]) -> Figure:
    """The piles before and after, the moves between them, and what is carried across each cut."""
    figure, (before, after, cuts) = panels(3, height=2.7)
    p, q = np.asarray(p), np.asarray(q)
    common = np.minimum(p, q)
    for axes, height, colour, name in ((before, p, REFERENCE, "P"), (after, q, CURRENT, "Q")):
        axes.bar(positions, height, color=NULL, width=0.7)
        axes.bar(positions, height - common, bottom=common, color=colour, width=0.7)
        titled(axes, f"{name}: grey stays as it is")
        axes.set_ylim(0, 5.6)
        axes.set_xticks(positions)
    for start, end, amount in moves:
        low, high = 4.35 + 0.2 * (start % 2), 4.35 + 0.2 * (start % 2)
        ends = {"xy": (positions[end], high), "xytext": (positions[start], low)}
        before.annotate("", **ends, arrowprops={"arrowstyle": "->", "color": FAINT})
        before.text(
            (positions[start] + positions[end]) / 2, low + 0.1, str(amount), ha="center", fontsize=8, color=FAINT
        )
    delta = np.cumsum(p - q)[:-1]
    between = np.asarray(positions)[:-1] + 0.5
    cuts.bar(between, delta, color=REFERENCE, width=0.5)
    cuts.axhline(0, color=FAINT, linewidth=0.8)
    cuts.set_xticks(positions)
    for where, value in zip(between, delta, strict=True):
        cuts.text(
            where,
            value + np.sign(value) * 0.08,
            f"{value:g}".replace("-", "−"),
            ha="center",
            va="bottom" if value > 0 else "top",
            fontsize=8,
        )
    cuts.set_xlim(0.6, 4.4)
    cuts.set_ylim(-1.7, 2.6)
    titled(cuts, f"carried across each cut: Σ|δ| = {np.abs(delta).sum():g}")
    return figure


def curves(x: Any, named: Mapping[str, Any], *, xlabel: str, ylabel: str = "", **options: Any) -> Figure:
    """Several curves over one axis."""
    figure, (axes,) = panels(1, width=5.2, height=2.8)
    for colour, (name, y) in zip(COLOURS, named.items(), strict=False):
        axes.plot(x, y, options.get("style", "-"), color=colour, label=name, markersize=4)
    axes.set_xscale(options.get("xscale", "linear"))
    axes.set_yscale(options.get("yscale", "linear"))
    axes.set_xlabel(xlabel, fontsize=9)
    axes.set_ylabel(ylabel, fontsize=9)
    legend(axes)
    return figure


def critic_and_pairs(critic: Any, x: Any, partner: Any, arrows: Mapping[str, Any]) -> Figure:
    """Level lines of a critic, each x joined to the y that its mass goes to, and unit vectors half-way."""
    figure, (axes,) = panels(1, width=5.6, height=4.6)
    ends = np.concatenate([x, partner])
    (left, low), (right, high) = ends.min(0) - 0.3, ends.max(0) + 0.3
    u, v = np.meshgrid(np.linspace(left, right, 90), np.linspace(low, high, 70))
    level = critic(np.column_stack([u.ravel(), v.ravel()])).reshape(u.shape)
    axes.contour(u, v, level, levels=14, colors=NULL, linewidths=0.8)
    for a, b in zip(x, partner, strict=True):
        axes.plot(*np.transpose([a, b]), color=FAINT, linewidth=0.6, alpha=0.6)
    axes.scatter(*x.T, s=14, color=REFERENCE, label="x, data", zorder=3, linewidths=0)
    axes.scatter(*partner.T, s=14, color=CURRENT, marker="^", label="y, generated", zorder=3, linewidths=0)
    middle = (x + partner) / 2
    for colour, (name, direction) in zip((REFERENCE, CURRENT), arrows.items(), strict=False):
        axes.quiver(*middle.T, *direction.T, color=colour, label=name, angles="xy", scale=22, width=0.004, zorder=4)
    axes.set_aspect("equal")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def orbits(paths: Mapping[str, Any]) -> Figure:
    """Where the two players of xy go from one start, panel by panel."""
    figure, grid = panels(len(paths), height=2.3)
    for axes, (name, path) in zip(grid, paths.items(), strict=True):
        path = np.asarray(path)
        axes.axhline(0, color=NULL, linewidth=0.7)
        axes.axvline(0, color=NULL, linewidth=0.7)
        axes.plot(path[:, 0], path[:, 1], color=REFERENCE, linewidth=0.9, marker=".", markersize=3, markevery=2)
        axes.plot(*path[0, :2], "o", color=CURRENT, markersize=4)
        titled(axes, name)
        edge = 1.1 * np.abs(path[:, :2]).max()
        axes.set_xlim(-edge, edge)
        axes.set_ylim(-edge, edge)
        axes.set_aspect("equal")
        axes.tick_params(labelsize=7)
        axes.locator_params(nbins=3)
    return figure


def fitted_critics(x: Any, fits: Mapping[str, tuple[Any, Any, float, float]]) -> Figure:
    """For each divergence its optimal critic, a trained one, and the value beside the bound that the latter reaches."""
    down = -(-len(fits) // 5)
    figure, grid = panels(5, width=8.6, height=1.8 * down, down=down)
    for axes, (name, (best, trained, truth, bound)) in zip(grid.flat, fits.items(), strict=False):
        axes.plot(x, best, color=REFERENCE, linewidth=2.2, alpha=0.5)
        axes.plot(x, trained, color=CURRENT, linewidth=1.1, linestyle="--")
        titled(axes, f"{name.replace('_', ' ')}\n{bound:.4f} ≤ {truth:.4f}".replace("-", "−"))
        axes.locator_params(nbins=3)
        axes.tick_params(labelsize=7)
    for axes in grid.flat[len(fits) :]:
        axes.set_axis_off()
    return figure


def gradients_by_layer(norms: Mapping[str, Any]) -> Figure:
    """The norm of the gradient at the input of each layer, for several critics, over that at the last."""
    figure, (axes,) = panels(1, width=6.6, height=3.6)
    for k, (name, values) in enumerate(norms.items()):
        colour = COLOURS[k % len(COLOURS)]
        axes.semilogy(np.arange(1, len(values) + 1), values, color=colour, linewidth=1.4)
        axes.text(0.8, values[0], name, color=colour, ha="right", va="center", fontsize=8)
    axes.set_xlabel("layer, from the input", fontsize=9)
    axes.set_ylabel("gradient over that at the last layer", fontsize=9)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(left=-4.2)
    axes.set_xticks(range(1, 12, 2))
    return figure


def clouds(named: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Sets of points in the plane, panel by panel: the first of each is blue, the second orange."""
    figure, grid = panels(len(named), height=2.9)
    for axes, (title, sets) in zip(grid, named.items(), strict=True):
        for colour, (name, points) in zip(COLOURS, sets.items(), strict=False):
            axes.scatter(*np.asarray(points).T, s=5, color=colour, alpha=0.7, linewidths=0, label=name, rasterized=True)
        titled(axes, title)
        axes.set_aspect("equal", adjustable="datalim")
        legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.1), markerscale=2, ncols=2)
    return figure


def counted_pairs(tables: Mapping[str, tuple[Any, Mapping[str, Any]]]) -> Figure:
    """How many pairs of architectures reach each bar with the GAN only, with WGAN-GP only, with both, with neither."""
    figure, grid = panels(len(tables), height=2.9)
    colours = dict(zip(("only GAN", "only WGAN-GP", "both", "neither"), (REFERENCE, CURRENT, THIRD, NULL), strict=True))
    for axes, (title, (bars, counts)) in zip(grid, tables.items(), strict=True):
        bottom = np.zeros(len(bars))
        for name, colour in colours.items():
            axes.bar(np.arange(len(bars)), counts[name], bottom=bottom, color=colour, label=name, width=0.75)
            bottom = bottom + counts[name]
        axes.set_xticks(np.arange(len(bars)), [str(b) for b in bars])
        titled(axes, title)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def pictures(rows: Mapping[str, Any], side: int) -> Figure:
    """Rows of square pictures in [-1, 1], (n, side * side) each, light on dark, their title on the left."""
    figure, (axes,) = panels(1, width=7.6, height=0.2 + 0.55 * len(rows))
    strip = lambda x: np.pad(np.reshape(x, (-1, side, side)), ((0, 0), (1, 1), (1, 1)), constant_values=1.0)
    axes.imshow(np.vstack([np.hstack([*strip(x)]) for x in rows.values()]), cmap="gray", vmin=-1, vmax=1)
    axes.set_yticks((np.arange(len(rows)) + 0.5) * (side + 2), list(rows))
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def surfaces(fits: Mapping[str, tuple[Any, Any]]) -> Figure:
    """Points of the data, and level lines of a critic around them, panel by panel in two rows."""
    across = -(-len(fits) // 2)
    figure, grid = panels(across, height=4.8, down=2)
    for axes, (name, (points, critic)) in zip(grid.T.flat, fits.items(), strict=False):
        edge = 1.3 * np.abs(points).max()
        u, v = np.meshgrid(*[np.linspace(-edge, edge, 80)] * 2)
        level = critic(np.column_stack([u.ravel(), v.ravel()])).reshape(u.shape)
        axes.contour(u, v, level, levels=12, colors=CURRENT, linewidths=0.7)
        axes.scatter(*points.T, s=3, color=REFERENCE, linewidths=0, rasterized=True)
        titled(axes, name)
        axes.set_aspect("equal")
    return figure


def table(columns: Mapping[str, list[int]], rows: list[str], *, most: int) -> Figure:
    """Counts by row and column, the darker the more."""
    figure, (axes,) = panels(1, width=5.2, height=0.5 + 0.3 * len(rows))
    counts = np.transpose(list(columns.values()))
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=1.6 * most, aspect="auto")
    for (row, column), value in np.ndenumerate(counts):
        axes.text(column, row, str(value), ha="center", va="center", fontsize=9)
    axes.set_xticks(range(len(columns)), list(columns))
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
