"""Find out for every recipe, keep what was found, and write it down."""

import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from divergences._checks import choice
from divergences.errors import DataError, FileFormatError
from divergences.saving import write_atomically
from gan.bench.purposes import PURPOSES
from gan.bench.purposes.purpose import Finding, Plan, Purpose
from gan.bench.show import statistic

KEPT, PAGE = "purposes.json", "recipes.md"
WORDS = {"yes": "yes", "no": "no", "open": "not shown"}
HEADER = """# What recipes are for

Each recipe beside the plain GAN (`nonsaturating`) of the same batch, rates, steps and seeds, and of the same networks
where the recipe does not bring its own, on a small task that fits its purpose: mean [95 %, Student's t over seeds]
of one statistic per seed. "Yes" if the interval of the difference over the same seeds is on the better side of 0, "no"
if it is on the other, "not shown" otherwise.

Tasks and settings were chosen by one to four trials each, on these very seeds, so that the plain GAN has the trouble
that the recipe is to cure; the tests repeat ten of the rows on other seeds. A "yes" says that the recipe does what it
is for, not that it is the better one elsewhere. Two hidden layers of 32, batch 64 and rates 1e-3, unless the task says
otherwise; critic steps and optimisers are the recipe's own. Published constants that do not fit such tasks are replaced
where the task says so: penalty weights of 10; and clipping at 0.01 leaves a critic of two coordinates blind, so that
`mmd-gan` is shown on pictures.
"""


@dataclass(frozen=True, eq=False)
class Found:
    """A purpose and what was found."""

    purpose: Purpose
    finding: Finding


def find(
    plan: Plan, out: Path, recipes: Iterable[str] = (), show: Callable[[Found], Any] = lambda found: None
) -> list[Found]:
    """Every purpose, or those of these recipes; what `out` already holds under the same plan is not trained again.

    Raises DataError for an unknown recipe or a folder with other things in it, FileFormatError for a damaged file.
    """
    chosen = [choice(name, PURPOSES, "recipe") for name in recipes] or list(PURPOSES)
    kept = _kept(out, plan)
    for name in chosen:
        purpose = PURPOSES[name]
        if name not in kept:
            finding = purpose.finding(plan)
            kept[name] = {"ours": _listed(finding.ours), "plain": _listed(finding.plain)}
            content = {"seeds": list(plan.seeds), "share": plan.share, "found": kept}
            write_atomically(out / KEPT, json.dumps(content, indent=1, allow_nan=False) + "\n", force=True)
        show(Found(purpose, _finding(purpose, kept[name])))
    found = [Found(purpose, _finding(purpose, kept[name])) for name, purpose in PURPOSES.items() if name in kept]
    write_atomically(out / PAGE, page(found, plan), force=True)
    return found


def page(found: Sequence[Found], plan: Plan) -> str:
    """The table in Markdown, and the command that repeats it."""
    lines = [
        "| recipe | is there to | statistic, task | | recipe's | without | does it? |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        ours, plain, _ = one.finding.statistics
        purpose = one.purpose
        arrow = "↑" if purpose.better == "higher" else "↓"
        without = statistic(plain) + ("" if purpose.against == "the plain GAN" else f" ({purpose.against})")
        lines.append(
            f"| `{purpose.recipe}` | {purpose.purpose} | {purpose.statistic}; {purpose.task} | {arrow} "
            f"| {statistic(ours)} | {without} | {WORDS[one.finding.verdict]} |"
        )
    return "\n".join([HEADER, *lines, "", f"{len(tuple(plan.seeds))} seeds. `{command(plan)}`", ""])


def line(found: Found) -> str:
    """A finding as a line of a terminal."""
    ours, plain, _ = found.finding.statistics
    purpose = found.purpose
    return (
        f"{purpose.recipe:<26}{purpose.statistic[:60]:<62}{purpose.better:<8}"
        f"{statistic(ours):<26}{statistic(plain):<26}{WORDS[found.finding.verdict]}"
    )


def command(plan: Plan, out: Path | str = "OUT") -> str:
    """What repeats the numbers."""
    share = () if plan.share == 1 else ("--budget", f"{plan.share:g}")
    return shlex.join(
        ["gan", "bench", "--protocol", "purposes", "--seeds", str(len(tuple(plan.seeds))), *share, "--out", str(out)]
    )


def _listed(values: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def _finding(purpose: Purpose, kept: dict[str, list[float | None]]) -> Finding:
    ours, plain = (np.array(kept[which], dtype=float) for which in ("ours", "plain"))
    return Finding(ours, plain, 1 if purpose.better == "higher" else -1)


def _kept(out: Path, plan: Plan) -> dict[str, Any]:
    """What was found before under this plan."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / KEPT
    if not path.exists():
        foreign = sorted(x.name for x in out.iterdir())
        if foreign:
            raise DataError(f"{out} must be empty or hold {KEPT}; it holds {foreign[0]!r}. Choose another folder.")
        return {}
    try:
        content = json.loads(path.read_bytes())
        seeds, share, found = content["seeds"], content["share"], dict(content["found"])
        shapes = {np.array(found[name][which], dtype=float).shape for name in found for which in ("ours", "plain")}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileFormatError(f"{path} must be what this bench wrote; {error!r}. Remove it to start over.") from None
    if seeds != list(plan.seeds) or share != plan.share or shapes - {(len(seeds),)} or set(found) - set(PURPOSES):
        raise DataError(f"{out} holds findings for other seeds or another share of the steps. Choose another folder.")
    return found
