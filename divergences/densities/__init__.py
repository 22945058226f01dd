"""Divergences between distributions that are given by their densities, not by vectors or samples.

Nothing is imported here: `between` needs `scipy.stats`, whose import takes longer than that of this library.
"""
