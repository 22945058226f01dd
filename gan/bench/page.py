"""The report of a bench: a leaderboard per target, curves with floors, samples, gradient norms, faults in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from divergences.report import Report, Section, picture, table, text
from divergences.wording import number, plain
from gan.bench.protocol import Protocol
from gan.bench.show import attainable, cells, published
from gan.bench.table import Result, Row, badness, names_of
from gan.game import Game
from gan.report import FLOOR, band, drawn, finish, grid, real_points

DRAWN = 8  # rows of a target that figures show; tables have all of them
NORMS = ("critic_gradient", "generator_gradient", "slope", "spectral_norm")

Drawn = list[tuple[Result, Row, list[int]]]  # places of the row's seeds among the run's replicas


def report(protocol: Protocol, results: Sequence[Result], content: dict[str, Any]) -> Report:
    """The page of what is finished."""
    summary = content["summary"]
    sections = [Section(summary["title"], [table(summary["header"], summary["rows"])])] if summary else []
    for data in dict.fromkeys(result.cell.data for result in results):
        rows = [(result, row, at) for result in results for row, at in result.rows if row.data == data]
        sections.append(_section(protocol, data, rows, content))
    share = "" if protocol.budget == 1 else f" {protocol.budget:.3g} of the published steps were run."
    missing = f" Not finished: {len(content['missing'])} of {len(protocol.cells)} cells." if content["missing"] else ""
    lead = f"{protocol.description}{share}{missing}"
    return Report(f"GAN bench {protocol.name}", [*sections, _reading(protocol, content)], lead=lead)


def _section(protocol: Protocol, data: str, rows: Drawn, content: dict[str, Any]) -> Section:
    names = [c for c in protocol.columns if isinstance(c, str) and any(c in r.run.records[-1] for r, _, _ in rows)]
    shown = rows[:DRAWN]
    note = "" if len(shown) == len(rows) else f" The first {DRAWN} of {len(rows)} rows are drawn."
    game = Game(rows[0][0].run.config)
    rules = "; ".join(dict.fromkeys(" and ".join(row.rules) for _, row, _ in rows if row.rules))
    blocks = [
        text(f"Target: {game.target.source}.{f' Success: {rules}.' if rules else ''}"),
        table(*_leaderboard(protocol, data, [row for _, row, _ in rows], content), caption=_RULES),
        picture(
            _curves(shown, tuple(names[:6])),
            "Measures over training, and what a perfect generator gets.",
            f"Mean over seeds; the band is from the least to the greatest. Dotted: a perfect generator.{note}",
        ),
        picture(_samples(shown), "Samples of the first seed of each row.", "The first seed of each row, at the end."),
        picture(
            _curves(shown, NORMS),
            "Norms of both players' gradients, the critic's mean slope, the product of its spectral norms.",
            "Norms of both players' gradients, the critic's mean slope, the product of its spectral norms.",
        ),
    ]
    return Section(data, blocks)


def _leaderboard(
    protocol: Protocol, data: str, rows: list[Row], content: dict[str, Any]
) -> tuple[list[str], list[list[Any]]]:
    """The rows, best mean of the first column first; then what is published and what is attainable."""
    names, first = names_of(protocol), protocol.columns[0]
    worth = lambda row: np.inf if (m := row.columns[names[0]].mean) is None else badness(first, m)
    body: list[list[Any]] = []
    for rank, row in enumerate(sorted(rows, key=worth), 1):
        *most, matched = cells(row, names)
        body.append([f"{rank}. {row.name}", *most, f"{row.samples:,}", matched])
    blank = [""] * 6
    for row in rows:
        if row.exact:
            exact = [number(row.exact[name]) if name in row.exact else "" for name in names]
            body.append([f"{row.name}: optimum", *exact, *blank])
    for entry in content["published"]:
        if entry["data"] == data:
            values = [published(entry["values"].get(name)) for name in names]
            body.append([f"{entry['name']}: published by {entry['source'].split(',')[0]}", *values, *blank])
    perfect = [attainable(rows[0], name) for name in names]
    body.append([f"a perfect generator, n = {rows[0].n:,}", *perfect, *blank])
    titles = [name.replace("_", " ") for name in names]
    costs = ["success", "diverged", "seconds per seed", "steps per second", "samples seen"]
    return ["", *titles, *costs, f"{titles[0]} at equal seconds"], body


def _curves(rows: Drawn, names: Sequence[str]) -> Figure:
    """A panel per quantity, a line per row."""
    figure, panels = grid(len(names), 2, width=3.8, height=2.2, above=0.5)
    for axes, name in zip(panels, names, strict=True):
        for k, (result, row, at) in enumerate(rows):
            if name in result.run.records[-1]:
                lost = result.run.column("diverged")[:, at] > 0
                values = np.where(lost, np.nan, result.run.column(name)[:, at])
                band(axes, result.run.column("step"), values, f"C{k}", plain(row.name, 30).replace("$", ""))
        floor = rows[0][1].perfect.get(name)
        if floor is not None:
            axes.axhline(floor, color=FLOOR, ls=":")
        # Gradients of unregularised critics span many powers of ten.
        low, high = axes.get_ylim()
        axes.set_yscale("symlog" if name in NORMS and high > 100 * max(low, 1e-3) else "linear")
        axes.set_title(name.replace("_", " "), fontsize=9)
        finish(axes)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False, fontsize=8)
    return figure


def _samples(rows: Drawn) -> Figure:
    """A panel per row: points on those of the target, or pictures."""
    panels = [(row.name, result.run.samples[at[0]]) for result, row, at in rows]
    figure, places = grid(len(panels), min(4, len(panels)), width=2.05, height=2.1, above=0.5)
    target = Game(rows[0][0].run.config).target
    real = real_points(target, rows[0][0].run.samples.shape[1])
    for axes, (name, fake) in zip(places, panels, strict=True):
        drawn(axes, target, real, fake)
        axes.set_title(plain(name, 26), fontsize=8, parse_math=False)
    return figure


def _reading(protocol: Protocol, content: dict[str, Any]) -> Section:
    """The command that repeats the numbers, what is wrong with the protocol, and whose numbers are beside ours."""
    sources = dict.fromkeys(f"{p.source}; after ±: {p.error}." for p in protocol.published)
    sentences = [
        f"These numbers are repeated by: {content['command']}",
        f"Intervals: {content['interval']}. A diverged seed is a failure, and is left out of the means.",
        *(f"Note: {sentence}" for sentence in content["notes"]),
        *(f"Fault: {sentence}" for sentence in protocol.faults),
        *(f"Not as published: {sentence}" for sentence in protocol.differences),
        *(f"Published numbers: {source}" for source in sources),
    ]
    meanings = [f"{c.name}: {c.meaning}" for c in protocol.columns if not isinstance(c, str) and c.meaning]
    return Section("How to read and repeat this", [text(sentence) for sentence in (*sentences, *meanings)])


_RULES = (
    "Best first. Mean over seeds and its interval; success: seeds that met the rules; diverged: seeds that left the "
    "finite numbers. At equal seconds: the mean at the last snapshot within what the quickest row took, if any is."
)
