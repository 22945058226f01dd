"""Power and type I error of `mmd_test` on perturbed uniform densities, beside the published numbers.

    python tests/bench/mmd_power.py --repetitions 500

The density on [0, 1] is 1 + c/p Σ_j θ_j G(p u − j), j = 1..p, with random signs θ, c = 2.7, and G a smooth bump up on
(−1, −½) and down on (−½, 0): p perturbations, finer and weaker as p grows. The other sample is uniform; n = m = 500,
level 5%, five Gaussian kernels. Published: Schrab et al. (2023), equal weights, 500 repetitions.

The published experiment seeds the generators of both samples alike: Y is the stream of uniforms from which X takes its
candidates and their heights, so the samples share many values and less is detected (and at four perturbations less than
the level). `shared` repeats that, for the comparison; `independent` is what a user of the test has.
"""

import argparse
import math

import numpy as np

from divergences.samples import Gaussian, mmd_test
from divergences.samples.pairwise import median_distance

PUBLISHED = {0: 0.0476, 1: 1.000, 2: 0.974, 3: 0.346, 4: 0.038}  # perturbations -> share of rejections; 0: type I
LEVEL = 0.05


def bump(u: np.ndarray) -> np.ndarray:
    """G: exp(−1/(1 − (4u + 3)²)) on (−1, −½), minus its copy moved by ½ on (−½, 0), 0 elsewhere."""
    up, down = 4 * u + 3, 4 * u + 1

    def part(v: np.ndarray) -> np.ndarray:
        inside = np.abs(v) < 1
        return np.where(inside, np.exp(-1 / np.where(inside, 1 - v * v, 1.0)), 0.0)

    return part(up) - part(down)


def density(u: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """The perturbed uniform density at u in [0, 1], one perturbation for each sign."""
    p = len(signs)
    waves = [sign * bump(p * u - j) for j, sign in enumerate(signs, start=1)]
    return 1 + 2.7 / p * np.sum(waves, axis=0)


def two_samples(n: int, p: int, rng: np.random.Generator, *, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """X of a density with p perturbations of random sign, by rejection, and Y uniform; p = 0: both uniform."""
    if p == 0:
        return rng.uniform(size=n), rng.uniform(size=n)
    signs = rng.choice([-1.0, 1.0], p)
    stream = rng.uniform(size=12 * n)
    u, heights = stream[::2], stream[1::2] * (1 + 2.7 / p * math.exp(-1))
    x = u[heights <= density(u, signs)][:n]
    return x, stream[:n] if shared else rng.uniform(size=n)


def rejects(p: int, n: int, permutations: int, seed: int, *, shared: bool = False) -> bool:
    """Whether the test with the published kernels rejects at 5%. Theirs is exp(−d²/λ²): bandwidth λ/√2."""
    rng = np.random.default_rng([seed, p])
    x, y = two_samples(n, p, rng, shared=shared)
    middle = median_distance(np.concatenate([x, y])[:, None])
    kernels = [Gaussian(middle * 2.0**power / math.sqrt(2)) for power in range(-4, 1)]
    return mmd_test(x, y, kernels=kernels, permutations=permutations, rng=rng).pvalue <= LEVEL


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--perturbations", type=int, nargs="*", default=list(PUBLISHED), choices=list(PUBLISHED))
    options = parser.parse_args()
    k = options.repetitions
    print("| perturbations | independent | shared | published | shared − published, in standard errors |")
    print("|---|---|---|---|---|")
    for p in options.perturbations:
        published = PUBLISHED[p]
        ours, theirs = (
            float(np.mean([rejects(p, 500, options.permutations, seed, shared=shared) for seed in range(k)]))
            for shared in (False, True)
        )
        error = math.sqrt(max(published * (1 - published), 0.25 / k) * (1 / k + 1 / (5000 if p == 0 else 500)))
        print(
            f"| {p} | {ours:.3f} | {theirs:.3f} | {published:.3f} | {(theirs - published) / error:+.1f} |", flush=True
        )


if __name__ == "__main__":
    main()
