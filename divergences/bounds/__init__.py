"""The classical inequalities between divergences, on a pair of distributions: both sides and the slack of each."""

from divergences.bounds.checker import Inequalities, Inequality, inequalities

__all__ = ["Inequalities", "Inequality", "inequalities"]
