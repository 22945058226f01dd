"""The command line `gan`: parse, call, print. Errors and exit codes are those of `divergences.cli`."""

import io
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
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
Force = Annotated[bool, Parameter(negative=(), help="Replace what is there.")]


@app.command
def train(
    *,
    out: Annotated[Path, Parameter(help="The run folder; an unfinished run in it is gone on with.")],
    recipe: Annotated[str, Parameter(help="For example nonsaturating, wgan-gp, fgan-kl.")] = "nonsaturating",
    data: Annotated[str, Parameter(help="ring8, grid25 or mixture1d.")] = "ring8",
    seeds: Annotated[Whole, Parameter(help="How many: 0, 1, 2, ... are trained together.")] = 4,
    steps: Annotated[Whole, Parameter(help="Steps of the generator.")] = 2000,
    every: Annotated[Whole, Parameter(help="Measure and save every so many steps.")] = 200,
    batch: Annotated[Whole | None, Parameter(help="Samples per step; default the recipe's.")] = None,
    lr: Annotated[float | None, Parameter(help="Learning rate; default the recipe's.")] = None,
    penalty_weight: Annotated[float | None, Parameter(help="Of the recipe's penalty; default the recipe's.")] = None,
    hidden: Annotated[
        tuple[Whole, ...],
        Parameter(help="Widths of the hidden layers, as 64 64.", consume_multiple=True, negative=()),
    ] = (128, 128),
    latent: Annotated[Whole, Parameter(help="Dimension of the generator's input.")] = 4,
    dtype: Annotated[str, Parameter(help="float32 or float64.")] = "float32",
    device: Annotated[str, Parameter(help="A torch device.")] = "cpu",
    threads: Annotated[
        Whole | None,
        Parameter(validator=Number(gte=1, lte=1024), help="Of torch; 1 is fastest where other work keeps cores busy."),
    ] = None,
    force: Force = False,
) -> None:
    """Train a recipe on a data set for several seeds at once.

    Example: gan train --recipe wgan-gp --data ring8 --seeds 4 --steps 1000 --lr 1e-3 --penalty-weight 1 --out RUN
    """
    import torch

    from divergences._checks import count
    from gan import runs
    from gan.config import Config

    config = Config(
        recipe=recipe, data=data, seeds=range(count(seeds, "seeds")), steps=steps, every=every, batch=batch, lr=lr,
        penalty_weight=penalty_weight, hidden=hidden, latent=latent, dtype=dtype, device=device,
    )  # fmt: skip
    if threads is not None:
        torch.set_num_threads(threads)
    if force:
        runs.discard(out)
    began = runs.threads(out)
    if began not in (None, torch.get_num_threads()):
        say(f"note: {out} began with {began} threads, here are {torch.get_num_threads()}: its last bits may differ")
    with progress_bar() as progress:
        for record in runs.run(config, out):
            if progress is not None:
                mean = sum(record["w1"]) / len(record["w1"])
                progress(f"step {record['step']}, true W1 {mean:.3g}", record["step"] / steps)
    last = runs.read(out).records[-1]
    print(f"{'seed':>4}  {'true W1':>8}  {'floor':>8}  {'modes':>5}  {'high quality':>12}")
    for k, seed in enumerate(config.seeds):
        numbers = (
            f"{last['w1'][k]:8.4f}  {last['floor'][k]:8.4f}  {last['modes'][k]:5d}  {last['high_quality'][k]:12.1%}"
        )
        print(f"{seed:4d}  {numbers}")
    print(f"{last['step']} steps in {last['seconds']:.1f} s; gan report {out} --out report.html", file=sys.stderr)


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


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(run(app))
