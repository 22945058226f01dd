"""A comparison told in sections: the verdict first, then the evidence, then how it was made."""

from typing import Any

from divergences._results import Estimate
from divergences.report import pictures
from divergences.report.document import Section, picture, table, text
from divergences.samples import Comparison, JointComparison
from divergences.wording import number, plain

LEVEL = 0.05
NBSP = "\N{NO-BREAK SPACE}"  # keeps a number and its interval on one line


def verdict(comparison: Comparison) -> str:
    """Do the tables differ, in which columns most, and by how much: two or three sentences.

    Columns count as different at a false discovery rate of 5%, the tables also when the energy distance says so at 5%.

    >>> from divergences.samples import compare
    >>> verdict(compare([[0.0], [1.0], [2.0]], [[0.0], [1.0], [2.0]], rng=0))
    'No difference was found between reference and current: ...'
    """
    columns = pictures.by_effect(comparison)
    differing = [column for column in columns if column.pvalue_adjusted <= LEVEL]
    energy, w2 = comparison.joint["energy_distance"], comparison.joint["w2"]
    if not differing and energy.pvalue > LEVEL:
        return (
            f"No difference was found between reference and current: no column of {len(columns)} differs at a false "
            f"discovery rate of 5%, and the energy distance between the tables is one that two samples of one law "
            f"would often give (p = {number(energy.pvalue, 2)})."
        )
    told = f"Reference and current differ: {len(differing)} of {len(columns)} columns at a false discovery rate of 5%"
    told += f", and jointly (energy distance, p = {number(energy.pvalue, 2)})." if energy.pvalue <= LEVEL else "."
    if differing:
        top = differing[0]
        told += (
            f" The largest difference is in {plain(top.name)}: W₁ = {number(top.w1, 3)}, which is "
            f"{number(top.w1_sd, 3)} standard deviations."
        )
    return told + (
        f" The joint W₂ is {number(w2.value, 3)}; two samples of one law would stay below {number(w2.null_95, 3)} "
        "in 95% of cases."
    )


def comparison_report(comparison: Comparison) -> list[Section]:
    """The sections of a report: verdict, columns, joint distances, plan, and how it was computed.

    >>> from divergences.samples import compare
    >>> [section.title for section in comparison_report(compare([0.0, 1.0, 2.0], [1.0, 2.0, 4.0], rng=0))]
    ['In short', 'Column by column', 'All columns together', 'Who goes where', 'How this was computed']
    """
    return [_short(comparison), _columns(comparison), _joint(comparison), _plan(comparison), _method(comparison)]


def _short(comparison: Comparison) -> Section:
    shown = min(20, len(comparison.columns))
    blocks: list[Any] = [
        text(verdict(comparison)),
        picture(
            pictures.effects(comparison),
            alt=f"W1 of the {shown} columns that differ most, in standard deviations, beside the null range",
            caption=f"How far each column moved ({shown} of {len(comparison.columns)} columns, largest first). A point "
            "inside its grey bar is what two samples of one law would give.",
        ),
    ]
    return Section("In short", [*blocks, *(text(f"Note: {warning}.") for warning in comparison.warnings[:20])])


def _columns(comparison: Comparison) -> Section:
    header = ["column", "W₁ ± se", "W₁ in sd", "95% null", "KS", "JS distance, 95%", "TV, 95%", "p"]
    rows = []
    for c in pictures.by_effect(comparison):
        w1 = f"{number(c.w1)}{NBSP}±{NBSP}{number(c.standard_error, 2)}"
        binned = (f"{number(e.value, 2)}{NBSP}{_between(e)}" for e in (c.js_distance, c.total_variation))
        rows.append([c.name, w1, c.w1_sd, c.null_95, c.ks, *binned, c.pvalue_adjusted])
    shown = min(pictures.PANELS, len(rows))
    return Section(
        "Column by column",
        [
            picture(
                pictures.densities(comparison),
                alt=f"histograms of the {shown} columns that differ most, reference and current",
                caption=f"Share of rows per bin, for the {shown} columns that differ most. Each says its W₁ in "
                "standard deviations; the outermost 0.2% of values are not drawn.",
            ),
            table(
                header,
                rows,
                "Largest W₁ in standard deviations first. W₁ with its standard error (se) and its null quantile are in "
                "the column's own unit; JS distance and total variation (TV), with their 95% intervals, are of the "
                "binned laws, in [0, 0.833] and [0, 1]; p-values are by permutation of W₁, adjusted by Benjamini and "
                "Hochberg.",
            ),
        ],
    )


def _between(estimate: Estimate) -> str:
    """The interval of an estimate."""
    low, high = estimate.confidence_interval or (None, None)
    return f"[{number(low, 2)},{NBSP}{number(high, 2)}]"


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


def _plan(comparison: Comparison) -> Section:
    return Section(
        "Who goes where",
        [
            picture(
                pictures.transport_plan(comparison),
                alt="reference and current rows in two principal components, joined by the optimal transport plan",
                caption="The optimal plan for W₂: every reference row (blue) is joined to the current rows (orange) "
                "that receive its mass. Planned in all columns, drawn in the two directions of largest variance.",
            )
        ],
    )


def _method(comparison: Comparison) -> Section:
    meta = comparison.meta
    rows: list[list[Any]] = [
        [role, meta[role]["source"], meta[role]["rows"], meta[role]["joint_rows"]] for role in ("reference", "current")
    ]
    methods = [[pictures.NAMES[e.name], e.method, e.unit, "; ".join(e.notes)] for e in comparison.joint.values()]
    counts = ", ".join(f"{name} {count}" for name, count in meta["permutations"].items())
    return Section(
        "How this was computed",
        [
            table(["role", "source", "rows", "rows used jointly"], rows, "What was compared."),
            table(["distance", "how", "unit", "notes"], methods, "How each joint distance was computed."),
            text(f"Direction: {meta['direction']}."),
            text(f"Permutations: {counts}. Seed: {meta['seed']}. Gaps: {meta['nan_policy']}."),
            text(
                "Standard errors come from influence functions; they describe the spread of the estimate where the "
                "laws differ, and mean little near zero, where the null quantile is the yardstick."
            ),
        ],
    )
