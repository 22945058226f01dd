r"""D(P, Q) = Σ q f̃(p/q) + f(1) over atoms, term by term, with what lies beyond the last term bounded."""

from math import exp, inf, isinf

import numpy as np

from divergences._numerics import quiet
from divergences._results import Estimate, Interval
from divergences.densities import _tails
from divergences.densities._integrand import Pair, Values, limits, refuse_underflow
from divergences.densities._law import Law
from divergences.densities._panels import log_sum
from divergences.densities.closed_forms import LARGEST, beyond
from divergences.densities.quadrature import charge
from divergences.errors import ConvergenceError

REACH = 1 << 17  # terms to either side of a bump, beyond which a slow tail is extrapolated
MOST_TERMS = 1 << 22


def summation(pair: Pair) -> Estimate:
    """The sum over the atoms of both laws; infinite where one has an atom that the other lacks and that costs so."""
    laws = (pair.p, pair.q)
    lattices = [law for law in laws if law.kind == "lattice"]
    if len(lattices) == 2 and lattices[0].offset != lattices[1].offset:
        return disjoint(pair, "the lattices of P and Q have no point in common")
    parts = [law.atoms for law in laws if law.atoms is not None]
    tails: list[tuple[_tails.Tail, ...]] = []
    if lattices:
        low, high = min(law.support[0] for law in lattices), max(law.support[1] for law in lattices)
        first, last = _range(pair, lattices, low, high)
        if last - first > MOST_TERMS:
            raise ConvergenceError(
                f"The sum must have at most {MOST_TERMS} terms; this pair needs {last - first:.3g}. "
                "Compare the laws by a continuous approximation.",
                None,
            )
        parts.append(np.arange(first, last + 1))
        cuts = ((first, -1, low), (last, 1, high))
        tails = [_beyond(pair, end - sign * REACH, sign) for end, sign, stop in cuts if end != stop]
    x = np.unique(np.concatenate(parts))
    values = pair.values(x, np.zeros_like(x))
    _settled(pair, x, values)
    return _answer(pair, values, tails, len(x))


def _range(pair: Pair, lattices: list[Law], low: float, high: float) -> tuple[float, float]:
    """From where to where terms matter: around each bump, as far as a ladder of distances in ratio 2 says."""
    offset = lattices[0].offset
    places = [place for law in lattices for place, _ in law.centres]
    places = places or [min(max(offset, low), high)]
    ends = []
    for place in {float(np.floor(place - offset) + offset) for place in places}:
        for sign, stop in ((-1, low), (1, high)):
            reach = max(2.0**tail.stop for tail in _ladder(pair, place, sign, 1))
            ends.append(max(place - min(reach, REACH), stop) if sign < 0 else min(place + min(reach, REACH), stop))
    return min(ends), max(ends)


def disjoint(pair: Pair, why: str) -> Estimate:
    """Mutually singular laws: f̃(0) + f̃'(∞) + f(1)."""
    value = sum(limits(pair.divergence)) + pair.divergence.f_at_one
    return Estimate(value, confidence_interval=Interval(value, value), method="mutually singular laws", notes=(why,))


def _heights(pair: Pair, origin: float, sign: int, step: int) -> tuple[list[np.ndarray], np.ndarray]:
    """log term + log distance of the cost, P and Q on a ladder of whole distances in ratio 2."""
    distance = step * 2.0 ** np.arange(0, 900)
    values = pair.values(np.full_like(distance, origin), sign * distance)
    dead = [np.isneginf(part) for part in (values.p, values.q)]
    valid = len(distance)
    for part, law in zip(dead, (pair.p, pair.q), strict=True):
        endless = isinf(law.support[0 if sign < 0 else 1])
        if part[-1] and endless and not all(other.all() for other in dead):
            valid = min(valid, len(part) - int(np.argmin(part[::-1])) if not part.all() else 0)
    with quiet():
        cost, *masses = (part + np.log(distance) for part in (values.cost, values.p, values.q))
    return [cost[:valid], *masses], distance  # a law whose own masses run out needs no ratio


def _ladder(pair: Pair, origin: float, sign: int, step: int) -> tuple[_tails.Tail, ...]:
    heights, distance = _heights(pair, origin, sign, step)
    return tuple(_tails.read(part, distance[: len(part)]) for part in heights)


def _beyond(pair: Pair, origin: float, sign: int) -> tuple[_tails.Tail, ...]:
    """What the terms further than REACH from the origin add up to: a power law from each distance to its double.

    The sum lies within one term of the integral, the integral within what the power changes from octave to octave.
    """
    heights, distance = _heights(pair, origin, sign, REACH)
    found = []
    for part in heights:
        tail = _tails.read(part, distance[: len(part)])
        alive = part[np.isfinite(part)]
        if tail.verdict == "finite" and len(alive) > 3:
            with quiet():
                slopes = np.diff(alive) / _tails.STEP
                octaves = alive[:-1] + np.log(np.where(slopes == 0, _tails.STEP, np.expm1(np.diff(alive)) / slopes))
                change = np.log(np.abs(np.diff(slopes)) / np.abs(slopes[1:]))
            rest = float(np.logaddexp.reduce(np.append(octaves, tail.rest)))
            parts = np.append(octaves[1:] + change, [tail.error, alive[0] - np.log(REACH)])
            tail = tail._replace(rest=rest, error=float(np.logaddexp.reduce(parts)))
        found.append(tail)
    return tuple(found)


def _settled(pair: Pair, x: np.ndarray, values: Values) -> None:
    """An atom that one law lacks only because its mass underflowed is no reason for an infinite answer."""
    bad = np.isposinf(values.cost)
    for law, name, part, other in ((pair.p, "P", values.p, values.q), (pair.q, "Q", values.q, values.p)):
        inner = law.kind == "lattice" and law.support[0] < law.support[1]
        dead = bad & np.isneginf(part) & (x >= law.support[0]) & (x <= law.support[1])
        if inner and dead.any():
            i = int(np.argmax(dead))
            step = np.array([x[i] - 1, x[i] + 1])
            beside = law.at(step, np.zeros(2))
            if other[i] > -np.inf and np.any(beside < -600):
                refuse_underflow(name, float(x[i]))


def _answer(pair: Pair, values: Values, tails: list[tuple[_tails.Tail, ...]], terms: int) -> Estimate:
    shift, method = pair.divergence.f_at_one, f"sum over {terms} atoms"
    infinite = [tail[0].why for tail in tails if tail[0].verdict == "infinite"]
    bad = np.isposinf(values.cost)
    if bad.any() or infinite:
        why = f"far out, {infinite[0]}" if infinite else f"one law has {int(bad.sum())} atoms that the other has not"
        return Estimate(inf, confidence_interval=Interval(inf, inf), method=method, notes=(f"infinite: {why}",))
    with quiet():
        logs = [
            float(np.logaddexp.reduce([float(log_sum(part)), *(tail[i].rest for tail in tails)]))
            for i, part in enumerate((values.cost, values.p, values.q))
        ]
        error = float(np.logaddexp.reduce([float(log_sum(values.noise)), *(tail[0].error for tail in tails)]))
    if logs[0] > LARGEST:
        return beyond(logs[0], method)
    missing = 0.0
    for law, name, total in ((pair.p, "P", logs[1]), (pair.q, "Q", logs[2])):
        gap = abs(exp(min(total, 1.0)) - 1)
        if gap > 1e-5:
            found = f"{exp(min(total, 1.0)):.9g}"
            raise ConvergenceError(
                f"The sum over {terms} atoms found {found} of the mass of {name} ({law.name}).", None
            )
        missing += gap
    value = exp(logs[0])
    bound = (inf if error > LARGEST else exp(error)) + charge(pair, missing, value)
    doubtful = [tail[0] for tail in tails if tail[0].verdict == "unknown" and tail[0].error > logs[0] - 30]
    notes = [f"far out, {tail.why}" for tail in doubtful]
    interval = Interval(max(value - bound, 0.0) + shift, value + bound + shift)
    if isinf(bound):
        notes.append("the value may be infinite")
    return Estimate(value + shift, confidence_interval=interval, method=method, notes=tuple(notes))
