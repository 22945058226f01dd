"""The command line `gan`: parse, call, print. Errors and exit codes are those of `divergences.cli`."""

import io
import os
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter
from cyclopts.validators import Number

from divergences.console import Whole, progress_bar, run, say

app = App(
    name="gan",
    help="""Train generative adversarial networks, many seeds at once, and measure them.

    Exit codes: 0 done; 2 usage; 3 bad data; 4 training diverged; 5 input/output; 130 interrupted.
    Every command takes --debug, which shows the traceback of an error.
    """,
)

MOST_SAMPLED = 10_000_000  # points of one call over all seeds: a few GiB inside the generator

RunFolder = Annotated[Path, Parameter(help="A run folder, as `gan train --out` makes it.")]
_MANY = {"consume_multiple": True, "negative": ()}
_NONE = {**_MANY, "show_default": False}
WHAT = Group("What is trained", sort_key=1)
LEARNING = Group(
    "How it learns", sort_key=2,
    help="Default: the recipe's published constants, chosen for pictures and long runs. On a toy target --lr 1e-3 "
    "learns faster, and for wgan-gp --penalty-weight 1. Several rates or weights are trained side by side, for every "
    "seed.",
)  # fmt: skip
NETWORKS = Group("The networks", sort_key=3, help="Of both players, unless it says otherwise.")
MEASURING = Group("What is measured", sort_key=4)
PLACE = Group("Where it runs", sort_key=5, help="Part of what repeats the bits.")

Force = Annotated[bool, Parameter(negative=(), help="Replace what is there.")]


@app.command
def train(
    *,
    out: Annotated[Path, Parameter(group=WHAT, help="The run folder; an unfinished run in it is gone on with.")],
    recipe: Annotated[
        str, Parameter(group=WHAT, help="For example nonsaturating, wgan-gp, fgan-kl.")
    ] = "nonsaturating",
    data: Annotated[
        tuple[str, ...],
        Parameter(group=WHAT, help="ring8, digits, ..., a file or a folder; two for cyclegan.", **_MANY),
    ] = ("ring8",),
    seeds: Annotated[Whole, Parameter(group=WHAT, help="How many: 0, 1, 2, ... are trained together.")] = 4,
    steps: Annotated[Whole, Parameter(group=WHAT, help="Steps of the generator.")] = 2000,
    force: Annotated[bool, Parameter(group=WHAT, negative=(), help="Replace what is there.")] = False,
    batch: Annotated[Whole | None, Parameter(group=LEARNING, help="Samples per step.")] = None,
    lr: Annotated[tuple[float, ...], Parameter(group=LEARNING, help="Learning rate of both players.", **_NONE)] = (),
    generator_lr: Annotated[
        tuple[float, ...], Parameter(group=LEARNING, help="Of the generator, where it differs.", **_NONE)
    ] = (),
    betas: Annotated[
        tuple[float, float] | None, Parameter(group=LEARNING, help="Adam's two, as 0.5 0.9.", negative=())
    ] = None,
    anneal: Annotated[
        bool | None, Parameter(group=LEARNING, help="Whether rates fall linearly to zero, against circling at the end.")
    ] = None,
    average: Annotated[
        float | None,
        Parameter(
            group=LEARNING, help="Samples come from an average of generators of this decay, as 0.999; 0 for none."
        ),
    ] = None,
    critic_steps: Annotated[Whole | None, Parameter(group=LEARNING, help="Before the generator's turn.")] = None,
    generator_steps: Annotated[Whole, Parameter(group=LEARNING, help="In the generator's turn.")] = 1,
    penalty_weight: Annotated[
        tuple[float, ...], Parameter(group=LEARNING, help="Of the recipe's penalties, if it has some.", **_NONE)
    ] = (),
    hidden: Annotated[
        tuple[Whole, ...], Parameter(group=NETWORKS, help="Widths of the hidden layers, as 64 64.", **_MANY)
    ] = (128, 128),
    activation: Annotated[
        str, Parameter(group=NETWORKS, help="leaky-relu, relu, softplus, tanh or maxout.")
    ] = "leaky-relu",
    critic_hidden: Annotated[
        tuple[Whole, ...], Parameter(group=NETWORKS, help="Of the critic, where it differs.", **_NONE)
    ] = (),
    critic_activation: Annotated[str | None, Parameter(group=NETWORKS, help="Of the critic, where it differs.")] = None,
    batch_norm: Annotated[
        tuple[str, ...], Parameter(group=NETWORKS, help="Whose layers are normalised: generator, critic.", **_NONE)
    ] = (),
    frequencies: Annotated[
        tuple[float, ...],
        Parameter(
            group=NETWORKS, help="Of waves that the critic sees beside its points, as 1 2 4, for detail.", **_NONE
        ),
    ] = (),
    start: Annotated[
        str, Parameter(group=NETWORKS, help="he: zero biases; torch: as PyTorch begins, quicker to see detail.")
    ] = "he",
    latent: Annotated[Whole, Parameter(group=NETWORKS, help="Dimension of the generator's input.")] = 4,
    every: Annotated[Whole, Parameter(group=MEASURING, help="Measure and save every so many steps.")] = 200,
    measures: Annotated[
        tuple[str, ...], Parameter(group=MEASURING, help="Which, as w1 modes; default what is usual.", **_NONE)
    ] = (),
    dtype: Annotated[str, Parameter(group=PLACE, help="float32 or float64.")] = "float32",
    device: Annotated[str, Parameter(group=PLACE, help="A torch device.")] = "cpu",
    threads: Annotated[
        Whole | None,
        Parameter(
            group=PLACE,
            validator=Number(gte=1, lte=1024),
            help="Of torch; 1 is fastest where other work keeps cores busy.",
        ),
    ] = None,
) -> None:
    """Train a recipe on a data set for several seeds at once.

    Every number is in OUT/metrics.jsonl, one line of JSON per snapshot. After an interrupt or a kill the same command
    goes on, to the same bits. Several processes share every batch under torchrun.

    Example: gan train --recipe wgan-gp --data ring8 --seeds 4 --steps 1000 --lr 1e-3 --penalty-weight 1 --out RUN
    Example: torchrun --no-python --nproc-per-node 2 gan train --recipe wgan-gp --out RUN
    """
    import torch

    from divergences._checks import choice, count
    from divergences.errors import DataError
    from gan import console, distributed, environment, runs
    from gan.config import Config
    from gan.networks import Architecture

    if threads is not None:
        torch.set_num_threads(threads)
    distributed.start()
    normalised = [choice(player, ("generator", "critic"), "batch_norm") for player in batch_norm]
    config = Config(
        recipe=recipe, data=data, seeds=range(count(seeds, "seeds")), steps=steps, every=every, batch=batch,
        lr=_one_or_many(lr), generator_lr=_one_or_many(generator_lr), penalty_weight=_one_or_many(penalty_weight),
        critic_steps=critic_steps, generator_steps=generator_steps, latent=latent,
        betas=betas, anneal=anneal, average=average,
        generator=Architecture(hidden, activation, "generator" in normalised, start=start),
        critic=Architecture(
            critic_hidden or hidden, critic_activation or activation, "critic" in normalised, frequencies, start
        ),
        dtype=dtype, device=device,
    )  # fmt: skip
    first, record = distributed.rank() == 0, None
    if first:
        if force:
            runs.discard(out)
        for unlike in environment.elsewhere(out):
            say(f"note: {out} began with {unlike}: its last bits may differ")
    try:
        with progress_bar() if first else nullcontext() as show:
            for record in runs.run(config, out, measures=measures or None):
                if show is not None:
                    show(console.progress(record), record["step"] / steps)
    except KeyboardInterrupt:
        kept = f"; {out} keeps step {record['step']}, and the same command goes on from there" if record else ""
        raise KeyboardInterrupt(f"interrupted{kept}") from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "allocate" in str(error):
            raise DataError(
                "The training must fit into memory: fewer seeds, narrower layers or a smaller batch."
            ) from error
        raise
    if first:
        held = runs.read(out)
        print(console.summary(held))
        say(console.pace(held))
        say(f"gan report {shlex.quote(str(out))} --out report.html")
    distributed.stop()


@app.command
def sample(
    folder: RunFolder,
    *,
    out: Annotated[Path, Parameter(help="A .npy file of shape (seeds, n, d).")],
    n: Annotated[Whole, Parameter(name=("-n", "--n"), help="Samples per seed.")] = 1000,
    force: Force = False,
) -> None:
    """Write samples of every seed's generator.

    Example: gan sample RUN -n 1000 --out samples.npy
    """
    import numpy as np

    from divergences.errors import DataError
    from divergences.saving import write_atomically
    from gan import runs
    from gan.train import snapshot

    game, state = runs.restore(folder)
    most = MOST_SAMPLED // len(game.seeds)
    if n > most:
        raise DataError(f"n must be at most {most} for these {len(game.seeds)} seeds; got {n}. Take fewer.")
    for replica, step in zip(game.config.replicas, state.diverged.tolist(), strict=True):
        if step:
            say(f"note: {replica} diverged at step {step}; its samples are those of its last finite parameters")
    samples = snapshot(game, state).sample(n).cpu().numpy()
    buffer = io.BytesIO()
    np.save(buffer, samples, allow_pickle=False)
    print(f"wrote {write_atomically(out, buffer.getvalue(), force=force)}", file=sys.stderr)


@app.command
def report(
    folder: RunFolder,
    *,
    out: Annotated[Path, Parameter(help="An .html file.")],
    force: Force = False,
) -> None:
    """Write a report of a run: the true distance beside the critic's belief, samples, modes.

    Example: gan report RUN --out report.html
    """
    from gan import report as reports
    from gan import runs

    path = reports.report(runs.read(folder), folder.resolve().name).save(out, force=force)
    print(f"wrote {path}", file=sys.stderr)


@app.command
def theory(
    *,
    report: Annotated[Path | None, Parameter(help="An .html file with tables and figures.")] = None,
    json: Annotated[Path | None, Parameter(help="A .json file with every number.")] = None,
    figure: Annotated[Path | None, Parameter(help="A .png, .svg or .pdf file: trajectories of Dirac-GANs.")] = None,
    force: Force = False,
) -> None:
    """Compare every recipe's Dirac-GAN, and six updates of the bilinear game, with their closed forms.

    Example: gan theory --report theory.html
    """
    from json import dumps

    from divergences.saving import check_free, write_atomically
    from gan.dynamics.pictures import dirac_figure, drawn
    from gan.dynamics.report import HEADING, as_json, line, summary, theory_report
    from gan.dynamics.table import rows

    for path in (report, json, figure):
        if path is not None:
            check_free(path, force=force)
    drawing = b"" if figure is None else drawn(dirac_figure(), figure.suffix)
    found = []
    print(HEADING)
    for row in rows():
        print(line(row), flush=True)
        found.append(row)
    print(summary(found))
    if json is not None:
        document = dumps(as_json(found), indent=1, allow_nan=False) + "\n"
        print(f"wrote {write_atomically(json, document, force=force)}", file=sys.stderr)
    if figure is not None:
        print(f"wrote {write_atomically(figure, drawing, force=force)}", file=sys.stderr)
    if report is not None:
        print(f"wrote {theory_report(found).save(report, force=force)}", file=sys.stderr)


app.command("gan.bench.command:bench", name="bench")


def _one_or_many(values: tuple[float, ...]) -> float | tuple[float, ...] | None:
    return values[0] if len(values) == 1 else values or None


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(run(app, speaks=_speaks))


def _speaks() -> bool:
    """Whether this process explains an error: of several that train together, the first that has one."""
    if "RANK" not in os.environ:
        return True
    from gan import distributed

    return distributed.speaks()
