"""The profile of a column of categories: counts of words, all of them or a random 4,096."""

from dataclasses import dataclass

import numpy as np

from divergences.files._table import CATEGORY
from divergences.profiles._hashing import shortened, text_hash

MOST = 4096  # words


@dataclass(frozen=True, eq=False)
class CategoryProfile:
    """What is kept of a column of categories (or booleans).

    Beyond 4,096 words, those are kept whose 64-bit hash begins with `level` zero bits, for the lowest level that leaves
    at most 4,096: like the level, a function of the multiset of cells. The others are one count, so that distances on
    the words that are kept and the lump of the others are lower bounds of those on all words.

    Attributes:
        kind: "category" or "boolean".
        level: 0 where all words are kept.
        words: sorted; of a text beyond 128 characters the beginning and its hash.
        count: of each word, (len(words),).
        other: how many cells hold a word that is not kept.
        missing: how many cells were missing.

    >>> profile = CategoryProfile.of(np.array([1, 0, -1, 1]), ("red", "blue"))
    >>> profile.words, profile.count, profile.missing
    (('blue', 'red'), array([2, 1]), 1)

    """

    kind: str
    level: int
    words: tuple[str, ...]
    count: np.ndarray
    other: int
    missing: int

    @classmethod
    def of(cls, codes: np.ndarray, categories: tuple[str, ...], kind: str = CATEGORY) -> "CategoryProfile":
        """The profile of cells `categories[codes]`, -1 where one is missing."""
        counts = np.bincount(codes + 1, minlength=len(categories) + 1)
        used = np.flatnonzero(counts[1:])
        counted: dict[str, int] = {}
        for k, count in zip(used.tolist(), counts[used + 1].tolist(), strict=True):
            word = shortened(categories[k])
            counted[word] = counted.get(word, 0) + count
        return _fitted(kind, 0, counted, 0, int(counts[0]))

    @property
    def n(self) -> int:
        """How many cells are not missing."""
        return int(self.count.sum()) + self.other

    @property
    def exact(self) -> bool:
        """Whether all words are kept."""
        return self.level == 0

    def at(self, level: int) -> "CategoryProfile":
        """The profile at a level that is not below this one."""
        return self if level == self.level else _fitted(self.kind, level, self._counted, self.other, self.missing)

    @property
    def _counted(self) -> dict[str, int]:
        return dict(zip(self.words, self.count.tolist(), strict=True))


def merge(a: CategoryProfile, b: CategoryProfile) -> CategoryProfile:
    """The profile of the cells of both."""
    counted = a._counted
    for word, count in b._counted.items():
        counted[word] = counted.get(word, 0) + count
    return _fitted(a.kind, max(a.level, b.level), counted, a.other + b.other, a.missing + b.missing)


def _fitted(kind: str, level: int, counted: dict[str, int], other: int, missing: int) -> CategoryProfile:
    """The profile at the lowest level from `level` on at which at most 4,096 words are left."""
    if level or len(counted) > MOST:
        hashes = np.fromiter(map(text_hash, counted), np.uint64, len(counted))
        if len(counted) > MOST:
            first_out = int(np.partition(hashes, MOST)[MOST])
            level = max(level, 65 - first_out.bit_length())
        words = list(counted)
        kept = {words[k]: counted[words[k]] for k in np.flatnonzero(hashes < np.uint64(2 ** (64 - level))).tolist()}
        other += sum(counted.values()) - sum(kept.values())
        counted = kept
    words = sorted(counted)
    return CategoryProfile(kind, level, tuple(words), np.array([counted[w] for w in words], np.int64), other, missing)
