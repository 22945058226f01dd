"""Optimal transport: every answer is a bracket, with a plan and potentials that prove it."""

from divergences.optimal_transport._front import transport, wasserstein
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._relaxed import UnbalancedResult
from divergences.optimal_transport._result import EntropicResult, TransportResult, certify
from divergences.optimal_transport._solution import GibbsPlan, Solution, Solver
from divergences.optimal_transport.barycenter import Barycenter, barycenter
from divergences.optimal_transport.batch import BatchResult, wasserstein_batch
from divergences.optimal_transport.exact import Exact
from divergences.optimal_transport.linear_program import LinearProgram, constraints
from divergences.optimal_transport.lipschitz import KantorovichRubinstein, kantorovich_rubinstein
from divergences.optimal_transport.max_sliced import MaxSliced, max_sliced_wasserstein
from divergences.optimal_transport.partial import partial_transport
from divergences.optimal_transport.sinkhorn import Sinkhorn
from divergences.optimal_transport.sinkhorn_divergence import sinkhorn_divergence, sinkhorn_influence
from divergences.optimal_transport.sliced import sliced_wasserstein
from divergences.optimal_transport.unbalanced import unbalanced_transport
from divergences.optimal_transport.univariate import Univariate

# A new solver joins every law of the tests by its line here.
EXACT_SOLVERS: tuple[Solver, ...] = (Exact(), LinearProgram(), Univariate())
SOLVERS: tuple[Solver, ...] = (*EXACT_SOLVERS, Sinkhorn())

__all__ = [
    "EXACT_SOLVERS",
    "SOLVERS",
    "Barycenter",
    "BatchResult",
    "EntropicResult",
    "Exact",
    "GibbsPlan",
    "KantorovichRubinstein",
    "LinearProgram",
    "MaxSliced",
    "Problem",
    "Sinkhorn",
    "Solution",
    "Solver",
    "TransportResult",
    "UnbalancedResult",
    "Univariate",
    "barycenter",
    "certify",
    "constraints",
    "kantorovich_rubinstein",
    "max_sliced_wasserstein",
    "partial_transport",
    "sinkhorn_divergence",
    "sinkhorn_influence",
    "sliced_wasserstein",
    "transport",
    "unbalanced_transport",
    "wasserstein",
    "wasserstein_batch",
]
