"""Compiled kernels for two samples on a line: sorting by digits, and ∫(F − G)² along the merged line."""

import numpy as np

from divergences._compiler import compiled

DIGIT = 11  # bits per pass: six passes over 64 bits, and a table that stays in the first cache
TOP = np.uint64(1 << 63)
MASK = np.uint64((1 << DIGIT) - 1)


@compiled("float64[::1](float64[::1])")
def sorted_copy(values: np.ndarray) -> np.ndarray:
    """The values in rising order, by a radix sort: twice as fast as comparing from some 10⁵ numbers on. No NaN."""
    n, passes = len(values), 6
    keys, spare = values.view(np.uint64).copy(), np.empty(n, np.uint64)
    counts = np.zeros((passes, 1 << DIGIT), np.int64)
    for i in range(n):
        # Floats order as integers once negative ones are inverted and positive ones put above them.
        key = ~keys[i] if keys[i] & TOP else keys[i] | TOP
        keys[i] = key
        for k in range(passes):
            counts[k, (key >> np.uint64(DIGIT * k)) & MASK] += 1
    for k in range(passes):
        shift, place = np.uint64(DIGIT * k), counts[k]
        if place[(keys[0] >> shift) & MASK] == n:
            continue  # one digit for all
        start = 0
        for digit in range(1 << DIGIT):
            start, place[digit] = start + place[digit], start
        for i in range(n):
            digit = (keys[i] >> shift) & MASK
            spare[place[digit]] = keys[i]
            place[digit] += 1
        keys, spare = spare, keys
    for i in range(n):
        keys[i] = keys[i] ^ TOP if keys[i] & TOP else ~keys[i]
    return keys.view(np.float64)


@compiled("float64(float64[::1], float64[::1])")
def squared_gap(x: np.ndarray, y: np.ndarray) -> float:
    """n² m² ∫(F − G)² for sorted x and y, merged without branches; the counts are exact, so ties cost nothing."""
    n, m, i, j, ahead = len(x), len(y), 0, 0, 0
    here, total = min(x[0], y[0]), 0.0
    while i < n and j < m:
        part = 0.0  # sums of sums: their rounding does not grow with n
        for _ in range(min(4096, n - i, m - j)):
            u, v = x[i], y[j]
            first = int(u <= v)
            there = min(u, v)
            part += float(ahead) * float(ahead) * (there - here)
            here = there
            i += first
            j += 1 - first
            ahead += m * first - n * (1 - first)  # n m (F − G)
        total += part
    rest, step = (x[i:], m) if i < n else (y[j:], -n)
    part = 0.0
    for there in rest:
        part += float(ahead) * float(ahead) * (there - here)
        here = there
        ahead += step
    return total + part
