"""A comparison told in sections: the verdict first, then the evidence, then how it was made."""

from bisect import bisect
from html import escape
from itertools import accumulate
from typing import Any

from divergences._results import Estimate
from divergences.comparing import Comparison
from divergences.report import pictures
from divergences.report.document import Section, picture, table, text
from divergences.samples import ColumnComparison, JointComparison
from divergences.samples.joint import Joint
from divergences.wording import number, plain

LEVEL = pictures.LEVEL
TOLD = 320_000  # bytes of the table of columns, room for about a thousand: the page stays below a megabyte
TAGS = 10  # bytes around a cell
NAME = 40  # characters of a column's name in tables
NBSP = "\N{NO-BREAK SPACE}"  # keeps a number and its interval on one line


def verdict(comparison: Comparison) -> str:
    """Do the tables differ, in which columns most, and by how much: two or three sentences.

    Columns count as different at a false discovery rate of 5%, the tables also when the energy distance says so at 5%.

    >>> from divergences import compare
    >>> verdict(compare([[0.0], [1.0], [2.0]], [[0.0], [1.0], [2.0]], rng=0))
    'No difference was found between reference and current: ...'
    """
    columns = pictures.by_effect(comparison)
    differing = [column for column in columns if column.pvalue_adjusted <= LEVEL]
    energy, w2 = comparison.joint.get("energy_distance"), comparison.joint.get("w2")
    jointly = energy is not None and energy.pvalue <= LEVEL
    if not differing and not jointly:
        told = (
            f"No difference was found between reference and current: no column of {len(columns)} differs at a false "
            "discovery rate of 5%"
        )
        if energy is None:
            return told + "."
        return (
            told + ", and the energy distance between the tables is one that two samples of one law would often give "
            f"(p = {number(energy.pvalue, 2)})."
        )
    told = f"Reference and current differ: {len(differing)} of {len(columns)} columns at a false discovery rate of 5%"
    told += f", and jointly (energy distance, p = {number(energy.pvalue, 2)})." if energy and jointly else "."
    if differing:
        told += f" The largest difference is in {plain(differing[0].name)}: {_largest(differing[0])}."
    if w2 is None:
        return told
    return told + (
        f" The joint W₂ is {number(w2.value, 3)}; two samples of one law would stay below {number(w2.null_95, 3)} "
        "in 95% of cases."
    )


def _largest(column: ColumnComparison) -> str:
    """How far a column has moved, in words."""
    told = []
    if column.w1 is not None:
        unit = f" {column.unit}" if column.unit else ""
        told.append(f"W₁ = {number(column.w1, 3)}{unit}, which is {number(column.w1_sd, 3)} standard deviations")
    elif column.total_variation is not None:
        told.append(f"a share of {number(100 * float(column.total_variation), 3)}% of its rows is in other categories")
    shares = [f"{number(100 * share, 3)}%" for share in (column.missing_reference, column.missing_current)]
    if shares[0] != shares[1]:
        gaps = "{} of its cells are missing in the reference, {} in the current data".format(*shares)
        told.insert(0 if pictures.gaps_in_deviations(column) > (column.w1_sd or 0.0) else len(told), gaps)
    return "; ".join(told)


def comparison_report(comparison: Comparison) -> list[Section]:
    """The sections of a report: verdict, columns, joint distances, plan, and how it was computed.

    >>> from divergences import compare
    >>> [section.title for section in comparison_report(compare([0.0, 1.0, 2.0], [1.0, 2.0, 4.0], rng=0, joint=False))]
    ['In short', 'Column by column', 'How this was computed']
    """
    sections = [_short(comparison), _columns(comparison)]
    if comparison.together is not None:
        together = comparison.together
        sections += [_joint(comparison), _attribution(together), _plan(together)]
    return [*sections, _method(comparison)]


def _short(comparison: Comparison) -> Section:
    drawn = sum(c.w1_sd is not None for c in comparison.columns.values())
    shown = min(pictures.MOVED, drawn)
    blocks: list[Any] = [
        text(verdict(comparison)),
        picture(
            pictures.effects(comparison),
            alt=f"W1 of the {shown} columns that differ most, in standard deviations, beside the null range",
            caption=f"How far each column moved ({shown} of {len(comparison.columns)} columns; those that differ at a "
            "false discovery rate of 5% come first). A point inside its grey bar is what two samples of one law give; "
            "gaps are left out here.",
        ),
    ]
    return Section("In short", [*blocks, *(text(f"Note: {warning}.") for warning in comparison.warnings[:20])])


def _columns(comparison: Comparison) -> Section:
    columns = pictures.by_effect(comparison)
    shown = min(pictures.PANELS, len(columns))
    gaps = any(c.missing_reference or c.missing_current for c in columns)
    header = ["column", "kind", "W₁ ± se", "W₁ in sd", "95% null", "KS", "JS distance, 95%", "TV, 95%", "PSI (null)"]
    header += ["missing", "p"] if gaps else ["p"]
    rows = _fitting([_row(c, gaps) for c in columns])
    blocks: list[Any] = [
        picture(
            pictures.densities(comparison),
            alt=f"histograms of the {shown} columns that differ most, reference and current",
            caption=f"Share of rows per bin or category, for the {shown} columns that differ most. Each says its W₁ in "
            "standard deviations; the outermost 0.2% of numbers are not drawn.",
        ),
        table(
            header,
            rows,
            "Columns that differ at a false discovery rate of 5% first, then by W₁ in standard deviations, or by how "
            "far the share of gaps moved if that is more; any two categories are one step apart. W₁ with its standard "
            "error (se) and its null quantile are in the column's own unit, of dates in days. JS distance and total "
            "variation (TV), with their 95% intervals, are of the "
            "binned laws, in [0, 0.833] and [0, 1]; the population stability index (PSI) on ten bins is followed by "
            "the 95% quantile of what two samples of one law give. p-values are adjusted by Benjamini and Hochberg.",
        ),
    ]
    if left := len(columns) - len(rows):
        blocks.append(text(f"{left:,} columns that differ less are left out; --csv and --json have all."))
    unseen = [c for c in columns if c.unseen is not None and c.unseen.share > 0][:20]
    if unseen:
        rows = [
            [plain(c.name, NAME), c.unseen.share, ", ".join(c.unseen.names)] for c in unseen if c.unseen is not None
        ]
        told = "Share of current values that the reference lacks: outside its range, or in new categories."
        blocks.append(table(["column", "share", "new categories, commonest first"], rows, told))
    return Section("Column by column", blocks)


def _fitting(rows: list[list[Any]]) -> list[list[Any]]:
    """The first rows, as many as HTML spells with `TOLD` bytes: a quote in a name takes five."""
    sizes = [sum(len(escape(str(cell)).encode()) + TAGS for cell in row) for row in rows]
    return rows[: bisect(list(accumulate(sizes)), TOLD)]


def _row(c: ColumnComparison, gaps: bool) -> list[Any]:
    """What the table of columns says of one."""
    w1 = "–" if c.w1 is None else f"{number(c.w1)}{NBSP}±{NBSP}{number(c.standard_error, 2)}"
    psi = "–" if c.psi is None else f"{number(c.psi.value, 2)}{NBSP}({number(c.nulls['psi'].quantile_95, 2)})"
    binned = (_with_interval(e) for e in (c.js_distance, c.total_variation))
    missing = f"{number(100 * c.missing_reference, 2)}%{NBSP}→{NBSP}{number(100 * c.missing_current, 2)}%"
    return [
        plain(c.name, NAME),
        c.kind,
        w1,
        c.w1_sd,
        c.null_95,
        c.ks,
        *binned,
        psi,
        *([missing] if gaps else []),
        c.pvalue_adjusted,
    ]


def _with_interval(estimate: Estimate | None) -> str:
    """A value and its interval."""
    if estimate is None:
        return "–"
    low, high = estimate.confidence_interval or (None, None)
    return f"{number(estimate.value, 2)}{NBSP}[{number(low, 2)},{NBSP}{number(high, 2)}]"


def _joint(comparison: Comparison) -> Section:
    rows = []
    for entry in comparison.joint.values():
        bracket = "" if entry.cost is None else f"{entry.upper:.10g}, gap {gap(entry):.1e}"
        interval = entry.confidence_interval
        between = "" if interval is None else f"{number(interval.low, 3)} to {number(interval.high, 3)}"
        rows.append(
            [pictures.NAMES[entry.name], entry.value, between, entry.null_95, entry.pvalue, entry.permutations, bracket]
        )
    header = ["distance", "value", "95% interval", "95% null", "p", "permutations", "cost, certified"]
    return Section(
        "All columns together",
        [
            picture(
                pictures.joint_distances(comparison),
                alt="each joint distance as a multiple of its null quantile",
                caption="Each distance in units of what two samples of one law would give in 95% of cases; its value "
                "is written beside it.",
            ),
            table(
                header,
                rows,
                "Columns are centred and divided by the standard deviation of the pooled rows first. The "
                "optimal transport cost of these samples (for W₂ the square of the distance) is certified to lie "
                "between the cost shown and that less the gap. The interval and the null say what new samples might "
                "give.",
            ),
        ],
    )


def gap(entry: JointComparison) -> float:
    """Width of the certified bracket of a transport cost; 0 where there is none."""
    return 0.0 if entry.upper is None or entry.lower is None else entry.upper - entry.lower


def _attribution(together: Joint) -> Section:
    columns = list(together.attribution.columns.items())
    blocks: list[Any] = []
    if len(columns) > 1:
        rows = [[plain(name, NAME), s.share, s.null_95, s.cost, s.excess] for name, s in columns[:100]]
        blocks = [
            picture(
                pictures.sources(together),
                alt="each column's share of the cost of the optimal plan, beside what permutations give",
                caption="Which columns the joint distance comes from: the share of each in the cost of the optimal "
                "plan for W₂, largest excess first. In many columns most of the cost is the price of finite samples, "
                "which permutations show in grey.",
            ),
            table(
                ["column", "share of the cost", "95% null", "cost", "above the mean of permutations"],
                rows,
                "The cost of the plan is a sum over columns; costs are squared standard deviations.",
            ),
        ]
    for side in ("reference", "current"):
        told = [
            [w.row + 1, w.witness, w.cost, "; ".join(f"{plain(k, 24)} = {_cell(v)}" for k, v in w.values.items())]
            for w in getattr(together.attribution, f"{side}_rows")
        ]
        blocks.append(
            table(
                ["row", "witness", "cost", "its values in the columns that pay most"],
                told,
                f"The rows of the {side} that show the difference most: how much closer they lie to their own side "
                "than to the other (mean distances), and what they pay in the plan.",
            )
        )
    return Section("Where it comes from", blocks)


def _cell(value: Any) -> str:
    return "missing" if value is None else number(value) if isinstance(value, float) else plain(value, 24)


def _plan(together: Joint) -> Section:
    return Section(
        "Who goes where",
        [
            picture(
                pictures.transport_plan(together),
                alt="reference and current rows in two principal components, joined by the optimal transport plan",
                caption="The optimal plan for W₂: every reference row (blue) is joined to the current rows (orange) "
                f"that receive its mass; of more than {pictures.DRAWN} reference rows every second, third, ... is "
                "drawn. Planned in all columns, drawn in the two directions of largest variance.",
            )
        ],
    )


def _method(comparison: Comparison) -> Section:
    meta = comparison.meta
    rows: list[list[Any]] = [
        [role, meta[role]["source"], meta[role]["rows"], meta[role]["joint_rows"]] for role in ("reference", "current")
    ]
    methods = [[pictures.NAMES[e.name], e.method, e.unit, "; ".join(e.notes)] for e in comparison.joint.values()]
    counts = ", ".join(f"{name} {count}" for name, count in meta["permutations"].items()) or "none jointly"
    tests = list(dict.fromkeys(c.test for c in comparison.columns.values()))
    told = "; ".join(tests[:8]) + ("; ..." if len(tests) > 8 else "")
    return Section(
        "How this was computed",
        [
            table(["role", "source", "rows", "rows used jointly"], rows, "What was compared."),
            *([table(["distance", "how", "unit", "notes"], methods, "The joint distances.")] if methods else []),
            text(f"Tests of the columns: {told}."),
            text(f"Direction: {meta['direction']}."),
            text(
                f"Permutations: {counts}. Method: {meta['method']}. Seed: {meta['seed']}. Gaps: {meta['nan_policy']}."
            ),
            text(
                "Standard errors come from influence functions; they describe the spread of the estimate where the "
                "laws differ, and mean little near zero, where the null quantile is the yardstick."
            ),
        ],
    )
