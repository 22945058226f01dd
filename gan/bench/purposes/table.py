"""`gan bench --protocol purposes`: find out for every recipe, keep what was found, print it and write it down."""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from divergences._checks import choice, count, positive
from divergences.console import UsageError, say
from divergences.errors import DataError, FileFormatError
from divergences.saving import write_atomically
from gan.bench.purposes import PURPOSES
from gan.bench.purposes.purpose import SEEDS, Finding, Plan, Purpose
from gan.bench.show import statistic
from gan.folder import replace_json

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


def bench(out: Path, given: dict[str, Any], *, budget: float | None, seeds: int | None) -> None:
    """Find out for the recipes named, or all, with one thread; `budget` is a share of the steps.

    Raises UsageError for an option that this protocol fixes.
    """
    recipes = given.pop("recipe", ())
    if given:
        raise UsageError(f"--protocol fixes --{sorted(given)[0].replace('_', '-')}: leave one of the two out")
    number = count(SEEDS if seeds is None else seeds, "seeds", minimum=2)
    plan = Plan(range(number), positive(1.0 if budget is None else budget, "budget"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        find(plan, out, recipes, lambda *found: print(line(*found), flush=True))
    finally:
        torch.set_num_threads(before)
    print(command(plan, out))
    say(f"wrote {out / PAGE}")


def find(
    plan: Plan,
    out: Path,
    recipes: Iterable[str] = (),
    show: Callable[[Purpose, Finding], Any] = lambda purpose, finding: None,
) -> dict[str, Finding]:
    """Every purpose, or those of these recipes; what `out` already holds under the same plan is not trained again.

    Raises DataError for an unknown recipe or a folder with other things in it, FileFormatError for a damaged file.
    """
    chosen = [choice(name, PURPOSES, "recipe") for name in recipes] or list(PURPOSES)
    found = _kept(out, plan)
    for name in chosen:
        if name not in found:
            found[name] = PURPOSES[name].finding(plan)
            kept = {key: {"ours": _listed(one.ours), "plain": _listed(one.plain)} for key, one in found.items()}
            content = {"seeds": list(plan.seeds), "share": plan.share, "found": kept}
            replace_json(out / KEPT, content)
        show(PURPOSES[name], found[name])
    found = {name: found[name] for name in PURPOSES if name in found}
    write_atomically(out / PAGE, page(found, plan), force=True)
    return found


def page(found: Mapping[str, Finding], plan: Plan) -> str:
    """The table in Markdown, and the command that repeats it."""
    lines = [
        "| recipe | is there to | statistic, task | | recipe's | without | does it? |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, finding in found.items():
        purpose, (ours, plain, _) = PURPOSES[name], finding.statistics
        arrow = "↑" if purpose.better == "higher" else "↓"
        without = statistic(plain) + ("" if purpose.against == "the plain GAN" else f" ({purpose.against})")
        lines.append(
            f"| `{name}` | {purpose.purpose} | {purpose.statistic}; {purpose.task} | {arrow} "
            f"| {statistic(ours)} | {without} | {WORDS[finding.verdict]} |"
        )
    return "\n".join([HEADER, *lines, "", f"{len(tuple(plan.seeds))} seeds. `{command(plan)}`", ""])


def line(purpose: Purpose, finding: Finding) -> str:
    """A finding as a line of a terminal."""
    ours, plain, _ = finding.statistics
    return (
        f"{purpose.recipe:<26}{purpose.statistic[:60]:<62}{purpose.better:<8}"
        f"{statistic(ours):<26}{statistic(plain):<26}{WORDS[finding.verdict]}"
    )


def command(plan: Plan, out: Path | str = "OUT") -> str:
    """What repeats the numbers."""
    share = () if plan.share == 1 else ("--budget", f"{plan.share:g}")
    return shlex.join(
        ["gan", "bench", "--protocol", "purposes", "--seeds", str(len(tuple(plan.seeds))), *share, "--out", str(out)]
    )


def _listed(values: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def _kept(out: Path, plan: Plan) -> dict[str, Finding]:
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
        seeds, share, kept = content["seeds"], content["share"], dict(content["found"])
        read = lambda name, which: np.array(kept[name][which], dtype=float)
        found = {name: PURPOSES[name].compared(read(name, "ours"), read(name, "plain")) for name in kept}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileFormatError(f"{path} must be what this bench wrote; {error!r}. Remove it to start over.") from None
    if (
        seeds != list(plan.seeds)
        or share != plan.share
        or any(values.shape != (len(seeds),) for one in found.values() for values in (one.ours, one.plain))
    ):
        raise DataError(f"{out} holds findings for other seeds or another share of the steps. Choose another folder.")
    return found
