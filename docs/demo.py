"""The main job, end to end on real input: `make demo`.

Compares two real sample sets through the command a user would type, verifies the lecture claims, trains two GAN
recipes, and puts it all into one self-contained HTML report, `build/demo/report.html`.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer

from divergences.report import Report, Section, sections_of, table, text
from divergences.wording import number
from gan import runs
from gan.report import distance_figure

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "demo"
RECIPES = {
    "nonsaturating": ("--steps", "3000", "--every", "300", "--batch", "128", "--lr", "1e-3"),
    "wgan-gp": ("--steps", "1500", "--every", "150", "--batch", "64", "--lr", "1e-3", "--penalty-weight", "1"),
}
console = Console(stderr=True, highlight=False)
results = Console(highlight=False)


def main() -> None:
    """Run the three parts and print where the report is."""
    start = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    comparison = compare_tables()
    claims = verify_claims()
    trained = train_gans()
    report = OUT / "report.html"
    sections = [
        *sections_of(OUT / "comparison.html"),
        claims_section(claims),
        *(section for recipe in RECIPES for section in sections_of(OUT / f"{recipe}.html")),
    ]
    w1 = comparison["joint"]["w1"]["value"]
    lead = (
        f"Real data compared: W₁ = {w1:.4g} between benign and malignant tumours (30 standardised columns), certified. "
        f"Of the lectures' claims {verdicts(claims)}. Two GAN recipes trained: the true distance, the critic's belief."
    )
    Report("Distances that prove themselves: the demo", sections, lead=lead).save(report, force=True)
    results.print(summary(comparison, claims, trained))
    results.print(f"{time.monotonic() - start:.0f} s. Open in a browser: {report}", soft_wrap=True)


def command(title: str, tool: str, *arguments: str) -> None:
    """Run a command of the project as a user would, showing it."""
    console.rule(title, align="left")
    console.print(f"$ {tool} {' '.join(arguments)}", soft_wrap=True, markup=False)
    done = subprocess.run([str(Path(sys.executable).with_name(tool)), *arguments], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"{tool} ended with exit code {done.returncode}")


def compare_tables() -> dict[str, Any]:
    """Write benign and malignant tumours as two CSV files and compare them."""
    data: Any = load_breast_cancer()
    for label, name in enumerate(data.target_names):
        rows = data.data[data.target == label]
        header = ",".join(data.feature_names)
        np.savetxt(OUT / f"{name}.csv", rows, fmt="%.17g", delimiter=",", header=header, comments="")
    paths = {name: f"{OUT.relative_to(ROOT)}/{name}" for name in ("benign.csv", "malignant.csv")}
    output = (
        "--report",
        f"{OUT.relative_to(ROOT)}/comparison.html",
        "--json",
        f"{OUT.relative_to(ROOT)}/comparison.json",
    )
    command(
        "1/3  Compare two real tables", "divergences", "compare", *paths.values(), *output, "--seed", "0", "--force"
    )
    return json.loads((OUT / "comparison.json").read_text(encoding="utf-8"))


def verify_claims() -> list[dict[str, Any]]:
    """Run the claims; print measured beside expected, one comparison of each."""
    command("2/3  Verify the lectures' claims", "pytest", "tests/claims", f"--claims={OUT / 'claims.md'}")
    claims = json.loads((OUT / "claims.json").read_text(encoding="utf-8"))
    for claim in claims:
        # Of an erratum the refuted form tells most; of the others the first comparison.
        what = list(claim["expected"])[-1 if claim["verdict"] == "erratum" else 0]
        measured, expected = beside(claim, what)
        results.print(f"{claim['row']:4}{claim['verdict']:8} {claim['claim']}", markup=False, soft_wrap=True)
        results.print(f"{'':13}{what}: {measured} {expected}", markup=False, soft_wrap=True)
    return claims


def train_gans() -> dict[str, runs.Run]:
    """Train each recipe anew in its own run folder, and write its report."""
    trained = {}
    for recipe, options in RECIPES.items():
        folder = OUT / recipe
        common = (
            "--recipe",
            recipe,
            "--data",
            "ring8",
            "--seeds",
            "4",
            "--hidden",
            "64",
            "64",
            "--threads",
            "1",
            *options,
        )
        command(f"3/3  Train {recipe}", "gan", "train", *common, "--out", str(folder.relative_to(ROOT)), "--force")
        page = folder.with_suffix(".html").relative_to(ROOT)
        command("     and report on it", "gan", "report", str(folder.relative_to(ROOT)), "--out", str(page), "--force")
        trained[recipe] = runs.read(folder)
    distance_figure(trained["wgan-gp"]).savefig(OUT / "true-and-believed.png", dpi=160)
    return trained


def claims_section(claims: list[dict[str, Any]]) -> Section:
    """Every comparison of every claim."""
    rows = []
    for claim in claims:
        refuted = [what for what, relation in claim["relation"].items() if "printed" in relation]
        chosen = list(dict.fromkeys([*refuted, *claim["expected"]]))[:3]
        for k, what in enumerate(chosen):
            first = (claim["row"], claim["claim"], claim["verdict"]) if k == 0 else ("", "", "")
            rows.append((*first, what, *beside(claim, what)))
    header = ("row", "claim", "verdict", "for example", "measured", "expected")
    return Section(
        "The lectures' claims",
        [
            text(
                f"Of {len(claims)} claims {verdicts(claims)}. An erratum: what the lecture prints fails by the number "
                "shown, and its corrected form holds. Up to three comparisons of each claim are shown; `make claims` "
                "writes all of them."
            ),
            table(header, rows),
        ],
    )


def verdicts(claims: list[dict[str, Any]]) -> str:
    """How many claims hold, and how many errata were found."""
    kinds = [claim["verdict"] for claim in claims]
    return f"{kinds.count('holds')} hold, {kinds.count('erratum')} errata shown, {kinds.count('fails')} fail"


def beside(claim: dict[str, Any], what: str) -> tuple[str, str]:
    """The measured number, and the expected one with its relation to it."""
    return brief(claim["measured"][what]), f"{claim['relation'][what]} {brief(claim['expected'][what])}"


def brief(value: Any) -> str:
    """A number, or a short vector."""
    if isinstance(value, list) and isinstance(value[0], list):
        return f"{len(value)} x {len(value[0])} numbers"
    if isinstance(value, list):
        return "(" + ", ".join(map(brief, value[:3])) + (", …)" if len(value) > 3 else ")")
    return number(float(value))


def summary(comparison: dict[str, Any], claims: list[dict[str, Any]], trained: dict[str, runs.Run]) -> Table:
    """What was found, in ten lines."""
    shown = Table("what", "number", "how sure", box=None, header_style="bold", title_justify="left")
    shown.title = "Benign against malignant tumours, 30 standardised columns; two GANs on ring8"
    joint = comparison["joint"]
    for name in ("w1", "w2"):
        d = joint[name]
        proof = f"cost {d['cost']:.9g}, proven to {d['upper'] - d['lower']:.0e}"
        shown.add_row(name.upper(), f"{d['value']:.4g}", f"{proof}, p {d['pvalue']:.2g}")
    for name in ("sinkhorn_divergence", "sliced_w2", "energy_distance", "mmd"):
        d = joint[name]
        error = f"standard error {d['standard_error']:.2g}"
        shown.add_row(name.replace("_", " "), f"{d['value']:.4g}", f"{error}, p {d['pvalue']:.2g}")
    shown.add_row("lecture claims", str(len(claims)), verdicts(claims))
    for recipe, run in trained.items():
        before, after = np.nanmean(run.column("w1"), axis=1)[[0, -1]]
        modes = f"{np.nanmean(run.last('modes')):.3g} of 8 modes, {len(run.config.replicas)} seeds"
        floor = np.mean(np.array(run.perfect["w1"], dtype=float))
        shown.add_row(f"{recipe}: W1", f"{before:.3g} -> {after:.3g}", f"{modes}; a perfect generator {floor:.2g}")
    return shown


if __name__ == "__main__":
    main()
