"""Entropic transport of a measure to itself."""

import numpy as np

from divergences.optimal_transport._acceleration import Anderson
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._scaling import Scaling
from divergences.optimal_transport._solution import Solution

_AVERAGINGS = 100  # some ten are usual; where costs are not of negative type there may be no end


def to_itself(problem: Problem, epsilon: float, tolerance: float, max_iterations: int) -> Solution:
    """The entropic solution of a problem whose two sides are one measure, by g <- (g + F(g)) / 2, F making rows exact.

    One potential serves both sides. Where exp(-c / epsilon) is a positive definite kernel the averaged step at least
    halves the error, while alternating updates take hundreds; elsewhere these finish. Steps are accelerated.

    Source: Feydy, Sejourne, Vialard, Amari, Trouve and Peyre (2019), equation (25).
    """
    scaling = Scaling(problem, max_iterations, streamed=None)
    memory = Anderson(scaling.b)
    for _ in range(min(_AVERAGINGS, max_iterations)):
        sums = scaling.sweeps.sweep(scaling.f, scaling.g, epsilon)
        scaling.iterations += 1
        if float(np.sum(np.abs(sums - scaling.b))) <= tolerance:
            return scaling.solution(epsilon, converged=True)
        scaling.g = memory.step(scaling.g, (scaling.f - scaling.g) / 2)
    if scaling.iterations < max_iterations:
        converged = scaling.run(epsilon, tolerance)
    else:  # rows are exact again for the last potential
        scaling.sweeps.sweep(scaling.f, scaling.g, epsilon)
        converged = False
    return scaling.solution(epsilon, converged)
