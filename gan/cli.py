"""The command line `gan`: parse, call, print. Errors and exit codes are those of `divergences.cli`."""

import io
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from cyclopts import App, Group, Parameter
from cyclopts.validators import Number

from divergences._checks import choice, count
from divergences.console import Whole, progress_bar, run, say
from divergences.errors import DataError
from divergences.saving import check_free, write_atomically
from gan import distributed
from gan.bench.command import MANY, SWITCH, bench
from gan.config import Config
from gan.networks import Architecture
from gan.train import snapshot

app = App(
    name="gan",
    help="""Train generative adversarial networks, many seeds at once, and measure them.

    Exit codes: 0 done; 2 usage; 3 bad data; 4 training diverged; 5 input/output; 130 interrupted.
    Every command takes --debug, which shows the traceback of an error.
    """,
)
app.command(bench)

MOST_SAMPLED = 10_000_000  # points of one call over all seeds: a few GiB inside the generator

WHAT = Parameter(group=Group("What is trained", sort_key=1))
LEARNING = Parameter(
    group=Group(
        "How it learns",
        sort_key=2,
        help="Default: the recipe's published constants, chosen for pictures and long runs. On a toy target --lr 1e-3 "
        "learns faster, and for wgan-gp --penalty-weight 1. Several rates or weights are trained side by side, for "
        "every seed.",
    )
)
NETWORKS = Parameter(group=Group("The networks", sort_key=3, help="Of both players, unless it says otherwise."))
MEASURING = Parameter(group=Group("What is measured", sort_key=4))
PLACE = Parameter(group=Group("Where it runs", sort_key=5, help="Part of what repeats the bits."))
QUIET = Parameter(show_default=False)  # an empty default means the recipe's, or the other player's


@app.command
def train(
    *,
    out: Annotated[Path, WHAT],
    recipe: Annotated[str, WHAT] = "nonsaturating",
    data: Annotated[tuple[str, ...], WHAT, MANY] = ("ring8",),
    seeds: Annotated[Whole, WHAT] = 4,
    steps: Annotated[Whole, WHAT] = 2000,
    force: Annotated[bool, WHAT, SWITCH] = False,
    batch: Annotated[Whole | None, LEARNING] = None,
    lr: Annotated[tuple[float, ...], LEARNING, MANY, QUIET] = (),
    generator_lr: Annotated[tuple[float, ...], LEARNING, MANY, QUIET] = (),
    betas: Annotated[tuple[float, float] | None, LEARNING, SWITCH] = None,
    anneal: Annotated[bool | None, LEARNING] = None,
    average: Annotated[float | None, LEARNING] = None,
    critic_steps: Annotated[Whole | None, LEARNING] = None,
    generator_steps: Annotated[Whole, LEARNING] = 1,
    penalty_weight: Annotated[tuple[float, ...], LEARNING, MANY, QUIET] = (),
    hidden: Annotated[tuple[Whole, ...], NETWORKS, MANY] = (128, 128),
    activation: Annotated[str, NETWORKS] = "leaky-relu",
    critic_hidden: Annotated[tuple[Whole, ...], NETWORKS, MANY, QUIET] = (),
    critic_activation: Annotated[str | None, NETWORKS] = None,
    batch_norm: Annotated[tuple[str, ...], NETWORKS, MANY, QUIET] = (),
    frequencies: Annotated[tuple[float, ...], NETWORKS, MANY, QUIET] = (),
    start: Annotated[str, NETWORKS] = "he",
    latent: Annotated[Whole, NETWORKS] = 4,
    every: Annotated[Whole, MEASURING] = 200,
    measures: Annotated[tuple[str, ...], MEASURING, MANY, QUIET] = (),
    dtype: Annotated[str, PLACE] = "float32",
    device: Annotated[str, PLACE] = "cpu",
    threads: Annotated[Whole | None, PLACE, Parameter(validator=Number(gte=1, lte=1024))] = None,
) -> None:
    """Train a recipe on a data set for several seeds at once.

    Every number is in OUT/metrics.jsonl, one line of JSON per snapshot. After an interrupt or a kill the same command
    goes on, to the same bits. Several processes share every batch under torchrun.

    Example: gan train --recipe wgan-gp --data ring8 --seeds 4 --steps 1000 --lr 1e-3 --penalty-weight 1 --out RUN

    Example: torchrun --no-python --nproc-per-node 2 gan train --recipe wgan-gp --out RUN

    Args:
        out: The run folder; an unfinished run in it is gone on with.
        recipe: For example nonsaturating, wgan-gp, fgan-kl.
        data: ring8, digits, ..., a file or a folder; two for cyclegan.
        seeds: How many: 0, 1, 2, ... are trained together.
        steps: Steps of the generator.
        force: Replace what is there.
        batch: Samples per step.
        lr: Learning rate of both players.
        generator_lr: Of the generator, where it differs.
        betas: Adam's two, as 0.5 0.9.
        anneal: Whether rates fall linearly to zero, against circling at the end.
        average: Samples come from an average of generators of this decay, as 0.999; 0 for none.
        critic_steps: Before the generator's turn.
        generator_steps: In the generator's turn.
        penalty_weight: Of the recipe's penalties, if it has some.
        hidden: Widths of the hidden layers, as 64 64.
        activation: leaky-relu, relu, softplus, tanh or maxout.
        critic_hidden: Of the critic, where it differs.
        critic_activation: Of the critic, where it differs.
        batch_norm: Whose layers are normalised: generator, critic.
        frequencies: Of waves that the critic sees beside its points, as 1 2 4, for detail.
        start: he: zero biases; torch: as PyTorch begins, quicker to see detail.
        latent: Dimension of the generator's input.
        every: Measure and save every so many steps.
        measures: Which, as w1 modes; default what is usual.
        dtype: float32 or float64.
        device: A torch device.
        threads: Of torch; 1 is fastest where other work keeps cores busy.

    """
    from gan import console, runs

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
        for unlike in runs.elsewhere(out):
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
    folder: Path,
    *,
    out: Path,
    n: Annotated[Whole, Parameter(name=("-n", "--n"))] = 1000,
    force: Annotated[bool, SWITCH] = False,
) -> None:
    """Write samples of every seed's generator.

    Example: gan sample RUN -n 1000 --out samples.npy

    Args:
        folder: A run folder, as `gan train --out` makes it.
        out: A .npy file of shape (seeds, n, d).
        n: Samples per seed.
        force: Replace what is there.

    """
    from gan import runs

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
def report(folder: Path, *, out: Path, force: Annotated[bool, SWITCH] = False) -> None:
    """Write a report of a run: the true distance beside the critic's belief, samples, modes.

    Example: gan report RUN --out report.html

    Args:
        folder: A run folder, as `gan train --out` makes it.
        out: An .html file.
        force: Replace what is there.

    """
    from gan import report as reports
    from gan import runs

    path = reports.report(runs.read(folder), folder.resolve().name).save(out, force=force)
    print(f"wrote {path}", file=sys.stderr)


@app.command
def theory(
    *,
    report: Path | None = None,
    json: Path | None = None,
    figure: Path | None = None,
    force: Annotated[bool, SWITCH] = False,
) -> None:
    """Compare every recipe's Dirac-GAN, and six updates of the bilinear game, with their closed forms.

    Example: gan theory --report theory.html

    Args:
        report: An .html file with tables and figures.
        json: A .json file with every number.
        figure: A .png, .svg or .pdf file: trajectories of Dirac-GANs.
        force: Replace what is there.

    """
    from gan.dynamics.pictures import dirac_figure, drawn
    from gan.dynamics.report import HEADING, as_json, line, summary, theory_report
    from gan.dynamics.table import rows
    from gan.folder import json_text

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
        print(f"wrote {write_atomically(json, json_text(as_json(found)), force=force)}", file=sys.stderr)
    if figure is not None:
        print(f"wrote {write_atomically(figure, drawing, force=force)}", file=sys.stderr)
    if report is not None:
        print(f"wrote {theory_report(found).save(report, force=force)}", file=sys.stderr)


def _one_or_many(values: tuple[float, ...]) -> float | tuple[float, ...] | None:
    return values[0] if len(values) == 1 else values or None


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(run(app, speaks=distributed.speaks))
