"""`gan bench --protocol purposes`: train, compare, print, write down."""

from pathlib import Path
from typing import Any

from divergences._checks import count, positive
from divergences.console import UsageError, say
from gan.bench.purposes import table
from gan.bench.purposes.purpose import SEEDS, Plan


def bench(out: Path, given: dict[str, Any], *, budget: float | None, seeds: int | None) -> None:
    """Find out for the recipes named, or all, with one thread; `budget` is a share of the steps.

    Raises UsageError for an option that this protocol fixes.
    """
    import torch

    recipes = given.pop("recipe", ())
    if given:
        raise UsageError(f"--protocol fixes --{sorted(given)[0].replace('_', '-')}: leave one of the two out")
    number = count(SEEDS if seeds is None else seeds, "seeds", minimum=2)
    plan = Plan(range(number), positive(1.0 if budget is None else budget, "budget"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        table.find(plan, out, recipes, lambda found: print(table.line(found), flush=True))
    finally:
        torch.set_num_threads(before)
    print(table.command(plan, out))
    say(f"wrote {out / table.PAGE}")
