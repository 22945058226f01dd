"""The command `gan bench`: parse, run, collect, print."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from divergences.console import UsageError, Whole, progress_bar, say

MANY = Parameter(consume_multiple=True, negative=())
SWITCH = Parameter(negative=())


def bench(
    *,
    out: Path | None = None,
    protocol: str | None = None,
    budget: float | None = None,
    seeds: Whole | None = None,
    recipe: Annotated[tuple[str, ...], MANY] = (),
    data: Annotated[tuple[str, ...], MANY] = (),
    steps: Whole | None = None,
    batch: Whole | None = None,
    critic_steps: Whole | None = None,
    lr: Annotated[tuple[float, ...], MANY] = (),
    penalty_weight: float | None = None,
    hidden: Annotated[tuple[Whole, ...], MANY] = (),
    latent: Whole | None = None,
    measures: Annotated[tuple[str, ...], MANY] = (),
    n: Annotated[Whole | None, Parameter(name=("-n", "--n"))] = None,
    device: str = "cpu",
    threads: Whole = 1,
    jobs: Whole = 1,
    backend: str = "loky",
    scheduler: str | None = None,
    shard: str = "0/1",
    seconds: float | None = None,
    collect: Annotated[bool, SWITCH] = False,
    report: Path | None = None,
    force: Annotated[bool, SWITCH] = False,
    list: Annotated[bool, Parameter(name="--list", negative=())] = False,
) -> None:
    """Train recipes on data sets over seeds, and print one table: mean, 95 % interval, success, cost.

    Example: gan bench --recipe wgan-gp nonsaturating --data ring8 grid25 --seeds 5 --steps 2000 --out OUT

    Example: gan bench --protocol veegan --out OUT --jobs 2 --report veegan.html

    Args:
        out: The folder of the bench; an unfinished one is gone on with.
        protocol: A published comparison; --list shows them.
        budget: The share of the published steps to run.
        seeds: How many; default the protocol's, or 5.
        recipe: Without a protocol: which, as wgan-gp hinge.
        data: Names, files, folders; two for cyclegan.
        steps: Of the generator; default 2000.
        batch: Samples per step; default each recipe's.
        critic_steps: Default each recipe's.
        lr: One, or several to compare; default each recipe's.
        penalty_weight: For the recipes with a penalty.
        hidden: Widths of both networks' hidden layers.
        latent: Dimension of the generator's input; default 4.
        measures: The table's columns, as w1 modes.
        n: Samples per measure; default 1000.
        device: A torch device.
        threads: Of torch in each process; part of what repeats the bits.
        jobs: Cells that run side by side.
        backend: loky, processes here; dask, a cluster.
        scheduler: Address of dask's; default one here with --jobs workers.
        shard: i/n: only every n-th cell, from the i-th, counted from 0.
        seconds: Begin no further cell after so many; go on any time.
        collect: Run nothing; the table of what is finished.
        report: An .html file to write as well.
        force: Replace what is there.
        list: The protocols, and what is wrong with them.

    """
    from divergences._checks import choice, count, positive
    from divergences.saving import check_free
    from gan.bench import bench as benches
    from gan.bench import show, table
    from gan.bench.protocols import PRESETS

    if list:
        show.protocols()
        return
    if out is None:
        raise UsageError("--out must name the folder of the bench")
    free = {
        "recipe": recipe, "data": data, "steps": steps, "batch": batch, "critic_steps": critic_steps, "lr": lr,
        "penalty_weight": penalty_weight, "hidden": hidden, "latent": latent, "measures": measures, "n": n,
    }  # fmt: skip
    given = {name: value for name, value in free.items() if value not in (None, ())}
    if protocol is not None:
        choice(protocol, (*PRESETS, "purposes"), "protocol")
    if protocol == "purposes":
        from gan.bench.purposes import table as purposes

        unusual = {
            "device": device != "cpu", "threads": threads != 1, "jobs": jobs != 1, "backend": backend != "loky",
            "scheduler": scheduler, "shard": shard != "0/1", "seconds": seconds is not None, "collect": collect,
            "report": report, "force": force,
        }  # fmt: skip
        given |= {name: value for name, value in unusual.items() if value not in (None, False)}
        purposes.bench(out, given, budget=budget, seeds=seeds)
        return
    chosen = _protocol(protocol, given, budget, seeds, device)
    if count(threads, "threads") > 1:
        chosen = replace(chosen, arguments=(*chosen.arguments, "--threads", str(threads)))
    part = _shard(shard)
    if force and part != (0, 1):
        raise UsageError("--force removes the other shards' runs as well: use it without --shard")
    if report is not None:
        check_free(report, force=force)
    benches.shard_of(chosen, part)
    benches.claim(chosen, out, force=force)
    if not collect:
        try:
            with progress_bar() as progress:
                benches.run_cells(
                    chosen, out, shard=part, jobs=jobs, backend=backend, scheduler=scheduler,
                    threads=threads, progress=progress,
                    seconds=math.inf if seconds is None else positive(seconds, "seconds"),
                )  # fmt: skip
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted; {out} keeps what is done, and the same command goes on") from None
    results = table.collect(chosen, out)
    content = table.save(chosen, results, out)
    show.table(chosen, results, content)
    if report is not None:
        from gan.bench import page

        say(f"wrote {page.report(chosen, results, content).save(report, force=force)}")


def _protocol(name: str | None, given: dict[str, Any], budget: float | None, seeds: int | None, device: str) -> Any:
    """The protocol named, or one made of recipes x data."""
    from gan.bench.free import free
    from gan.bench.protocols import protocol

    if name is None:
        if budget is not None:
            raise UsageError("--budget is a share of a protocol's steps: give --protocol, or --steps")
        return free(seeds=5 if seeds is None else seeds, device=device, **given)
    if given:
        raise UsageError(f"--protocol fixes --{sorted(given)[0].replace('_', '-')}: leave one of the two out")
    return protocol(name).at(budget=budget, seeds=seeds, device=device)


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not found:
        raise UsageError(f"--shard must be i/n, such as 0/2; got {text!r}")
    return int(found[1]), int(found[2])
