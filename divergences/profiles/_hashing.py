"""Numbers of 64 bits that depend on a text, or on a row's label and number, and on nothing else."""

from hashlib import blake2b

import numpy as np

LONGEST = 128  # characters of a text that is kept whole


def text_hash(text: str) -> int:
    """64 bits of BLAKE2b of the text in UTF-8."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def shortened(text: str) -> str:
    """The text, or the beginning of a long one and its hash: kilobytes of text in one cell stay out of a profile.

    >>> shortened("a" * 1000)[-20:]
    'aaa…d821dbebb613d51f'
    """
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 17]}…{text_hash(text):016x}"


def priorities(first: int, count: int, label: int, seed: int) -> np.ndarray:
    """A pseudo-random uint64 for each of `count` rows from number `first` on: a bijection of the row number.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014) on a counter that starts at a hash of label and seed.
    """
    start = text_hash(f"{seed} {label}")
    z = np.arange(first, first + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
