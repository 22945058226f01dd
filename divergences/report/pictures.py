"""Pictures of a comparison: reference in blue, current in orange, what one law would give in grey."""

import math
from functools import cache
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Patch

from divergences.comparing import Comparison
from divergences.files import aligned_columns
from divergences.report.bars import bars, thinned
from divergences.samples import ColumnComparison
from divergences.samples.joint import Embedding, Joint
from divergences.samples.joint.attribution import LATEST
from divergences.wording import plain

REFERENCE, CURRENT, NULL, FAINT = "#2f6db3", "#d9641e", "#c9cfd6", "#4a525c"
LEVEL = 0.05  # of false discoveries
MOVED = 20  # columns whose W1 is drawn
PANELS = 12  # densities shown; the table has the rest
LEAST = 0.1  # where ratios are cut off on a logarithmic axis: MMD² may be negative
DRAWN = 250  # reference rows of a plan: each takes 500 bytes with its line and its partner
NAMES = {
    "w1": "W₁",
    "w2": "W₂",
    "sinkhorn_divergence": "Sinkhorn divergence",
    "sliced_w2": "sliced W₂",
    "max_sliced_w2": "max-sliced W₂",
    "energy_distance": "energy distance",
    "mmd": "MMD²",
    "classifier_auc": "classifier AUC",
}


def label(value: Any, limit: int = 28) -> str:
    """A name as the font can draw it: one line, no markup, and a box for what has no glyph."""
    known = _glyphs()
    return "".join(c if ord(c) in known else "□" for c in plain(value, limit))


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def by_effect(comparison: Comparison) -> list[ColumnComparison]:
    """The columns, what matters first: those that differ at a false discovery rate of 5%, then by size of effect.

    The size is the larger of w1_sd and `gaps_in_deviations`.
    """
    size = lambda c: max(c.w1_sd or 0.0, gaps_in_deviations(c))
    return sorted(comparison.columns.values(), key=lambda c: (c.pvalue_adjusted > LEVEL, -size(c)))


def gaps_in_deviations(column: ColumnComparison) -> float:
    """How far the share of gaps moved, in standard deviations of having one (of both tables, weighed equally)."""
    pooled = (column.missing_reference + column.missing_current) / 2
    moved = abs(column.missing_current - column.missing_reference)
    return moved / math.sqrt(pooled * (1 - pooled)) if moved else 0.0


def effects(comparison: Comparison) -> Figure:
    """W₁ of each column in standard deviations, beside what two samples of one law would reach."""
    shown = [column for column in by_effect(comparison) if column.w1_sd is not None][:MOVED]
    figure = Figure(figsize=(7.6, 0.9 + 0.27 * max(1, len(shown))), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(shown))
    values = np.array([column.w1_sd or 0.0 for column in shown])
    null, errors = (np.array([_in_deviations(column, name) for column in shown]) for name in ("null_95", "error"))
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


def _in_deviations(column: ColumnComparison, name: str) -> float:
    """The null quantile or the standard error of w1_sd: of a category those of its total variation, rescaled."""
    if column.w1 is not None:
        value = column.null_95 if name == "null_95" else column.standard_error
        deviation = column.w1 / column.w1_sd if column.w1_sd else 0.0  # its reciprocal may be beyond the floats
        return (value or 0.0) / deviation if deviation > 0 else 0.0
    else:
        null = column.nulls.get("total_variation")
        if null is None or column.total_variation is None:
            return 0.0
        value = null.quantile_95 if name == "null_95" else column.total_variation.standard_error
        scale = (column.w1_sd or 0.0) / null.observed if null.observed > 0 else 0.0
    return (value or 0.0) * scale


def densities(comparison: Comparison) -> Figure:
    """Shares of rows in the columns that differ most, reference and current on one axis."""
    shown = by_effect(comparison)[:PANELS]
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure = Figure(figsize=(2.6 * across + 0.4, 1.75 * down + 0.5), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for axes, column in zip(grid.flat, shown, strict=False):
        _density(axes, comparison, column)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    figure.legend(
        handles=[Patch(color=REFERENCE, alpha=0.45), Patch(edgecolor=CURRENT, fill=False, linewidth=1.4)],
        labels=["reference", "current"],
        loc="outside upper left",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return figure


def _density(axes: Any, comparison: Comparison, column: ColumnComparison) -> None:
    tables = comparison.reference, comparison.current
    x, y = (thinned(table, column.name) for table in tables)
    found = bars(*aligned_columns(x, y))
    for heights, colour, filled in ((found.reference, REFERENCE, True), (found.current, CURRENT, False)):
        style: dict[str, Any] = {"fill": filled, "alpha": 0.45 if filled else 1, "linewidth": 1.4}
        if found.edges is None:
            axes.bar(np.arange(len(heights)), heights, width=0.8, facecolor=colour, edgecolor=colour, **style)
        else:
            axes.stairs(heights, found.edges, color=colour, **style)
    axes.set_title(label(column.name), fontsize=9, loc="left", parse_math=False)
    if column.w1_sd is not None:
        place = {"transform": axes.transAxes, "ha": "right", "va": "top", "fontsize": 8, "color": FAINT}
        axes.text(0.98, 0.95, f"{column.w1_sd:.2f} sd", **place)
    axes.set_yticks([])
    axes.tick_params(labelsize=7)
    if found.edges is None:
        ticks = [label(name, 9) for name in found.labels]
        axes.set_xticks(range(len(ticks)), ticks, parse_math=False, rotation=30 if len(ticks) > 3 else 0)
    elif column.kind == "date":
        _date_ticks(axes, found.edges)
    else:
        axes.locator_params(axis="x", nbins=4)
    _tidy(axes, left=False)


def _date_ticks(axes: Any, edges: np.ndarray) -> None:
    """Two dates along an axis of seconds since 1970; far beyond the calendar none."""
    ticks = edges[0] + (edges[-1] - edges[0]) * np.array([0.2, 0.8])
    if np.abs(ticks).max() < LATEST:
        unit = "D" if edges[-1] - edges[0] > 3 * 86_400 else "m"
        axes.set_xticks(
            ticks, [str(np.datetime64(round(t), "s").astype(f"datetime64[{unit}]")) for t in ticks.tolist()]
        )


def transport_plan(together: Joint) -> Figure:
    """The optimal plan for W₂ seen in the first two principal components of the pooled, standardised rows.

    Of many reference rows every k-th, with the current rows that receive its mass.
    """
    (x, y), shares, names = _projected(together.points)
    plan = together.plan.tocoo()
    every = -(-len(x) // DRAWN)
    drawn = plan.row % every == 0
    rows, columns = plan.row[drawn], plan.col[drawn]
    weight = plan.data[drawn] / plan.data.max()
    figure = Figure(figsize=(7.6, 5.2), layout="constrained")
    axes = figure.subplots()
    segments = list(np.stack([x[rows], y[columns]], axis=1))
    colours = [(0.35, 0.38, 0.42, 0.06 + 0.3 * float(w)) for w in weight]
    axes.add_collection(LineCollection(segments, colors=colours, linewidths=0.3 + 0.7 * weight, zorder=1))
    sides = (x[np.unique(rows)], REFERENCE, "reference", "o"), (y[np.unique(columns)], CURRENT, "current", "^")
    for points, colour, name, marker in sides:
        axes.scatter(*points.T, s=13, c=colour, marker=marker, alpha=0.75, linewidths=0, label=name, zorder=2)
    axes.set_xlabel(f"{names[0]} ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"{names[1]} ({shares[1]:.0%})")
    axes.legend(frameon=False, loc="best", markerscale=1.6)
    _tidy(axes)
    return figure


def _projected(points: Embedding) -> tuple[list[np.ndarray], np.ndarray, tuple[str, str]]:
    """The joint rows of both tables in two principal components, and the share of variance of each."""
    pooled = points.points - points.points.mean(axis=0)
    if not pooled.shape[1]:  # nothing but constants
        pooled = np.zeros((len(pooled), 1))
    _, singular, directions = np.linalg.svd(pooled, full_matrices=False)
    flat = np.zeros((len(pooled), 2))
    k = min(2, len(directions))
    # A component has no sign of its own: its largest loading is made positive.
    signs = np.sign(directions[np.arange(k), np.abs(directions[:k]).argmax(axis=1)])
    flat[:, :k] = pooled @ (directions[:k] * signs[:, None]).T
    shares = np.zeros(2)
    total = float((singular**2).sum())
    shares[:k] = singular[:k] ** 2 / total if total > 0 else 0.0
    return np.split(flat, [points.n]), shares, ("first principal component", "second")


def sources(together: Joint) -> Figure:
    """Each column's share in the cost of the plan for W₂, beside what permutations give."""
    shown = list(together.attribution.columns.items())[:20]
    figure = Figure(figsize=(7.6, 0.9 + 0.27 * max(1, len(shown))), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(shown))
    axes.barh(rows, [s.null_95 for _, s in shown], height=0.72, color=NULL, label="as two samples of one law (95%)")
    axes.plot([s.share for _, s in shown], rows, "o", color=CURRENT, markersize=5, label="share of the cost")
    axes.set_yticks(rows, [label(name) for name, _ in shown], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    _tidy(axes)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


def joint_distances(comparison: Comparison) -> Figure:
    """Each joint distance as a multiple of the 95% quantile that two samples of one law would give."""
    entries = [e for e in comparison.joint.values() if e.null_95 > (0.5 if e.name == "classifier_auc" else 0.0)]
    figure = Figure(figsize=(7.6, 0.9 + 0.36 * max(1, len(entries))), layout="constrained")
    axes = figure.subplots()
    base = [0.5 if entry.name == "classifier_auc" else 0.0 for entry in entries]  # what no difference gives
    ratios = [max((e.value - b) / (e.null_95 - b), LEAST) for e, b in zip(entries, base, strict=True)]
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
