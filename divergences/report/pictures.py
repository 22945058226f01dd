"""Pictures of a comparison: reference in blue, current in orange, what one law would give in grey."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from divergences.samples import ColumnComparison, Comparison
from divergences.wording import plain

REFERENCE, CURRENT, NULL, FAINT = "#2f6db3", "#d9641e", "#c9cfd6", "#4a525c"
PANELS = 12  # densities shown; the table has the rest
LEAST = 0.1  # where ratios are cut off on a logarithmic axis: MMD² may be negative
LINES = 4000  # of a plan, beyond which it is drawn as pixels
NAMES = {
    "w1": "W₁",
    "w2": "W₂",
    "sinkhorn_divergence": "Sinkhorn divergence",
    "sliced_w2": "sliced W₂",
    "energy_distance": "energy distance",
    "mmd": "MMD²",
}


def label(value: Any, limit: int = 28) -> str:
    """A name as the font can draw it: one line, no markup, and a box for what has no glyph."""
    known = _glyphs()
    return "".join(c if ord(c) in known else "□" for c in plain(value, limit))


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def by_effect(comparison: Comparison) -> list[ColumnComparison]:
    """The columns, largest W₁ in standard deviations first."""
    return sorted(comparison.columns.values(), key=lambda column: -(column.w1_sd or 0.0))


def effects(comparison: Comparison) -> Figure:
    """W₁ of each column in standard deviations, beside what two samples of one law would reach."""
    shown = by_effect(comparison)[:20]
    figure = Figure(figsize=(7.6, 0.9 + 0.27 * len(shown)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(shown))
    scale = np.array([(column.w1_sd or 0.0) / column.w1 if column.w1 else 0.0 for column in shown])
    values, errors = (np.array([getattr(c, k) for c in shown]) * scale for k in ("w1", "standard_error"))
    null = np.array([column.null_95 for column in shown]) * scale
    axes.barh(rows, null, height=0.72, color=NULL, label="as two samples of one law (95%)")
    axes.errorbar(
        values, rows, xerr=1.96 * errors, fmt="o", color=CURRENT, markersize=5, capsize=2, label="W₁, 95% interval"
    )
    axes.set_yticks(rows, [label(column.name) for column in shown], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("W₁ in standard deviations of the pooled column")
    _tidy(axes)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


def densities(comparison: Comparison) -> Figure:
    """Histograms of the columns that differ most, reference and current on one axis."""
    shown = by_effect(comparison)[:PANELS]
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure = Figure(figsize=(2.6 * across + 0.4, 1.75 * down + 0.5), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for axes, column in zip(grid.flat, shown, strict=False):
        _density(axes, comparison, column)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    handles, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


def _density(axes: Any, comparison: Comparison, column: ColumnComparison) -> None:
    tables = (comparison.reference, comparison.current)
    x, y = (table.values[:, table.names.index(column.name)] for table in tables)
    x, y = x[~np.isnan(x)], y[~np.isnan(y)]
    pooled = np.concatenate([x, y])
    low, high = np.quantile(pooled, [0.002, 0.998])
    if low == high:
        low, high = pooled.min(), pooled.max()
    room = (high - low) * 0.02 if high > low else max(1.0, abs(high) * 1e-3)
    edges = np.linspace(low - room, high + room, 1 + min(36, max(8, int(2 * len(pooled) ** (1 / 3)))))
    for values, colour, name, filled in ((x, REFERENCE, "reference", True), (y, CURRENT, "current", False)):
        heights = np.histogram(values, edges)[0] / len(values)
        axes.stairs(heights, edges, color=colour, fill=filled, alpha=0.45 if filled else 1, label=name, linewidth=1.4)
    axes.set_title(label(column.name), fontsize=9, loc="left", parse_math=False)
    axes.text(
        0.98,
        0.95,
        f"{column.w1_sd:.2f} sd",
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=8,
        color=FAINT,
    )
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(labelsize=7)
    _tidy(axes, left=False)


def transport_plan(comparison: Comparison) -> Figure:
    """The optimal plan for W₂ seen in the first two principal components of the pooled, standardised rows."""
    (x, y), shares, names = _projected(comparison)
    plan = comparison.plan.tocoo()
    weight = plan.data / plan.data.max()
    figure = Figure(figsize=(7.6, 5.2), layout="constrained")
    axes = figure.subplots()
    segments = list(np.stack([x[plan.row], y[plan.col]], axis=1))
    colours = [(0.35, 0.38, 0.42, 0.06 + 0.3 * float(w)) for w in weight]
    lines = LineCollection(
        segments, colors=colours, linewidths=0.3 + 0.7 * weight, rasterized=len(weight) > LINES, zorder=1
    )
    axes.add_collection(lines)
    for points, colour, name, marker in ((x, REFERENCE, "reference", "o"), (y, CURRENT, "current", "^")):
        axes.scatter(*points.T, s=13, c=colour, marker=marker, alpha=0.75, linewidths=0, label=name, zorder=2)
    axes.set_xlabel(f"{names[0]} ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"{names[1]} ({shares[1]:.0%})")
    axes.legend(frameon=False, loc="best", markerscale=1.6)
    _tidy(axes)
    return figure


def _projected(comparison: Comparison) -> tuple[list[np.ndarray], np.ndarray, tuple[str, str]]:
    """The joint rows of both tables in two principal components, and the share of variance of each."""
    tables = (comparison.reference, comparison.current)
    rows = [table.values[r] for table, r in zip(tables, comparison.plan_rows, strict=True)]
    pooled = np.concatenate(rows)
    pooled = pooled - pooled.mean(axis=0)
    spread = pooled.std(axis=0)
    pooled = pooled / np.where(spread > 0, spread, 1.0)
    _, singular, directions = np.linalg.svd(pooled, full_matrices=False)
    flat = np.zeros((len(pooled), 2))
    k = min(2, len(directions))
    # A component has no sign of its own: its largest loading is made positive.
    signs = np.sign(directions[np.arange(k), np.abs(directions[:k]).argmax(axis=1)])
    flat[:, :k] = pooled @ (directions[:k] * signs[:, None]).T
    shares = np.zeros(2)
    total = float((singular**2).sum())
    shares[:k] = singular[:k] ** 2 / total if total > 0 else 0.0
    return np.split(flat, [len(rows[0])]), shares, ("first principal component", "second")


def joint_distances(comparison: Comparison) -> Figure:
    """Each joint distance as a multiple of the 95% quantile that two samples of one law would give."""
    entries = [entry for entry in comparison.joint.values() if entry.null_95 > 0]
    figure = Figure(figsize=(7.6, 0.9 + 0.36 * max(1, len(entries))), layout="constrained")
    axes = figure.subplots()
    ratios = [max(entry.value / entry.null_95, LEAST) for entry in entries]
    axes.axvspan(LEAST / 2, 1, color=NULL, alpha=0.6, label="as two samples of one law (95%)", linewidth=0)
    axes.plot(ratios, np.arange(len(entries)), "o", color=CURRENT, markersize=6, label="this comparison")
    for k, (entry, ratio) in enumerate(zip(entries, ratios, strict=True)):
        place = {"xytext": (7, 0), "textcoords": "offset points", "va": "center", "fontsize": 8, "color": FAINT}
        axes.annotate(f"{entry.value:.3g}", (ratio, k), **place)
    axes.set_yticks(range(len(entries)), [NAMES[entry.name] for entry in entries])
    axes.set_ylim(max(1, len(entries)) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(LEAST / 2, 2 * max([*ratios, 1.0]))
    axes.set_xlabel("times the 95% quantile of permutations (logarithmic)")
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    _tidy(axes)
    return figure


def _tidy(axes: Any, *, left: bool = True) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["left"].set_visible(left)
