"""The command line `gan`: parse, call, print. Errors and exit codes are those of `divergences.cli`."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from divergences.console import Whole, progress_bar, run, say

if TYPE_CHECKING:
    from gan.runs import Run

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
    data: Annotated[
        tuple[str, ...],
        Parameter(help="ring8, digits, ..., a file or a folder; two for cyclegan.", consume_multiple=True, negative=()),
    ] = ("ring8",),
    seeds: Annotated[Whole, Parameter(help="How many: 0, 1, 2, ... are trained together.")] = 4,
    steps: Annotated[Whole, Parameter(help="Steps of the generator.")] = 2000,
    every: Annotated[Whole, Parameter(help="Measure and save every so many steps.")] = 200,
    batch: Annotated[Whole | None, Parameter(help="Samples per step; default the recipe's.")] = None,
    lr: Annotated[float | None, Parameter(help="Learning rate; default the recipe's.")] = None,
    penalty_weight: Annotated[float | None, Parameter(help="Of the recipe's penalty; default the recipe's.")] = None,
    generator_lr: Annotated[float | None, Parameter(help="Of the generator, where it differs.")] = None,
    critic_steps: Annotated[
        Whole | None, Parameter(help="Before each of the generator's; default the recipe's.")
    ] = None,
    hidden: Annotated[
        tuple[Whole, ...],
        Parameter(help="Widths of both networks' hidden layers, as 64 64.", consume_multiple=True, negative=()),
    ] = (128, 128),
    activation: Annotated[str, Parameter(help="leaky-relu, relu, softplus or tanh.")] = "leaky-relu",
    latent: Annotated[Whole, Parameter(help="Dimension of the generator's input.")] = 4,
    measures: Annotated[
        tuple[str, ...],
        Parameter(help="What is measured, as w1 modes; default what is usual.", consume_multiple=True, negative=()),
    ] = (),
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
    from gan import distributed, runs
    from gan.config import Config
    from gan.networks import Architecture

    if threads is not None:
        torch.set_num_threads(threads)
    distributed.start()
    architecture = Architecture(hidden, activation)
    config = Config(
        recipe=recipe, data=data, seeds=range(count(seeds, "seeds")), steps=steps, every=every, batch=batch, lr=lr,
        generator_lr=generator_lr, penalty_weight=penalty_weight, critic_steps=critic_steps, latent=latent,
        generator=architecture, critic=architecture, dtype=dtype, device=device,
    )  # fmt: skip
    if force and distributed.rank() == 0:
        runs.discard(out)
    began = runs.threads(out)
    if began not in (None, torch.get_num_threads()):
        say(f"note: {out} began with {began} threads, here are {torch.get_num_threads()}: its last bits may differ")
    with progress_bar() as progress:
        for record in runs.run(config, out, measures=measures or None):
            if progress is not None:
                progress(f"step {record['step']}, {_truth(record)}", record["step"] / steps)
    if distributed.rank() == 0:
        _print_last(runs.read(out))
        print(f"gan report {out} --out report.html", file=sys.stderr)


def _truth(record: dict[str, Any]) -> str:
    """The true distance of a record in words, or the critic's estimate where none is measured."""
    name = "w1" if "w1" in record else "estimate"
    values = [value for value in record[name] if value is not None]
    mean = sum(values) / len(values) if values else float("nan")
    return f"{'true W1' if name == 'w1' else name} {mean:.3g}"


def _print_last(run: "Run") -> None:
    """The last measures, a line per replica, and what a perfect generator would get."""
    from gan.measures import MEASURES

    last = run.records[-1]
    names = [name for name in last if name in MEASURES]
    titles = [name.replace("_", " ") for name in names]
    first = max(len(str(replica)) for replica in (*run.config.replicas, "perfect"))
    print(f"{'':{first}}  " + "  ".join(f"{title:>9}" for title in titles))
    for k, replica in enumerate(run.config.replicas):
        note = f"  diverged at step {last['diverged'][k]}" if last["diverged"][k] else ""
        print(f"{replica!s:{first}}  {_row([last[name][k] for name in names], titles)}{note}")
    mean = [_mean(run.perfect[name]) for name in names]
    print(f"{'perfect':{first}}  {_row(mean, titles)}")
    print(f"{last['step']} steps in {last['seconds']:.1f} s", file=sys.stderr)


def _row(values: list[float | None], titles: list[str]) -> str:
    cells = ["-" if value is None else f"{value:.4g}" for value in values]
    return "  ".join(f"{cell:>{max(9, len(title))}}" for cell, title in zip(cells, titles, strict=True))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


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


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(run(app))
