"""Profiles: a table in kilobytes per column, from which it can be compared, and which merge.

The law: the profile of a whole is the merged profiles of its parts, bit for bit, in any order and any grouping, because
each part of a profile is a function of the multiset of rows (of the row sample: of rows, their numbers and their part's
label). Shards, a cluster and one machine give one answer.

    cells.py       counts of numbers in the finest dyadic cells of which at most 4,096 are occupied, exact sums in each
    moments.py     exact sums of numbers and of their squares: mean and deviation, rounded once
    numbers.py     the two, with extremes and missing values: a column of numbers or dates
    categories.py  counts of words; beyond 4,096 of them, of those with the smallest hashes
    rows.py        500 whole rows, for joint distances
    profile.py     all of it, in one pass over batches; merging
    storage.py     the file: versioned, checksummed, no pickle
    line.py        two columns' cells side by side
    comparing.py   W₁ and KS bracketed, the rest on the cells' means; metrics.py, matrix.py: many tables, pair by pair
    dask.py        parts profiled and merged on a cluster
"""

from divergences.profiles.profile import Profile, merge
from divergences.profiles.storage import load, save

__all__ = ["Profile", "load", "merge", "save"]
