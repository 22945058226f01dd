r"""D(P, Q) = ∫ q f̃(p/q) dx + f(1) on the line, by adaptive quadrature in log densities, with an error bound.

The line is cut at the ends of both supports. Towards each of these ends, and towards ±∞, a ladder of points at
distances in ratio 2 decides whether the integral is finite there and how much lies beyond the last panel (`_tails`).
Between them panels are laid at the scales of both laws and refined by the difference of two rules (`_panels`). The
integrals of p and q run along: mass that the panels missed, or that a callable does not have, is seen and charged.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import exp, inf, isfinite, isinf, isnan, log, nan
from time import perf_counter
from typing import NamedTuple

import numpy as np

from divergences._numerics import quiet
from divergences._results import Estimate, Interval
from divergences.densities import _tails
from divergences.densities._integrand import Pair, Values, limits, refuse_underflow
from divergences.densities._law import Law
from divergences.densities._panels import Axes, Axis, Evaluate, Panels, log_sum, measure, refine, total
from divergences.densities._tails import STEP, Tail
from divergences.densities.closed_forms import LARGEST, beyond
from divergences.errors import ConvergenceError, NotNormalizedError

NORMALISED = 1e-6  # how far the integral of a caller's density may be from one
MISSED = 1e-8  # how much mass of a known law the panels may miss before the answer is withheld
UNSEEN = 1e-9  # mass beyond the last panel, where a law is known by its trend only
SECONDS = 30.0  # after which slow densities are not asked again
FAR_POWERS = np.arange(0, 1075)


@dataclass
class Watch:
    """Sees how long densities take, and refuses points that would take longer than the seconds given."""

    seconds: float
    points: int = 0
    spent: float = 0.0
    refused: bool = False

    def timed(self, evaluate: Evaluate) -> Evaluate:
        """The same function, watched."""

        def watched(edge: np.ndarray, t: np.ndarray, active: tuple[bool, bool]) -> Values:
            start = perf_counter()
            found = evaluate(edge, t, active)
            self.spent += perf_counter() - start
            self.points += len(t)
            return found

        return watched

    def allows(self, points: int) -> bool:
        """Whether so many more points will be done in time, at the pace so far."""
        self.refused = self.spent * (1 + points / max(self.points, 1)) > self.seconds
        return not self.refused


class Piece(NamedTuple):
    """An interval between neighbouring ends of supports, and which laws have mass on it."""

    low: float
    high: float
    active: tuple[bool, bool]


class End(NamedTuple):
    """A logarithmic axis towards an end, and what lies beyond its last panel for the integrand, P and Q.

    `gone` are the places from which on the density of P, and of Q, is 0 within its support; NaN for none.
    """

    axis: Axis
    cuts: np.ndarray
    tails: tuple[Tail, Tail, Tail]
    gone: tuple[float, float]


def quadrature(pair: Pair, seconds: float = SECONDS) -> Estimate:
    """The value, with [value - bound, value + bound] as its interval; infinite where that is found.

    Panels are halved as long as that will take no more than so many seconds; what is left is in the bound.
    """
    axes: list[Axis] = []
    starts: list[tuple[int, float, float]] = []
    ends: list[tuple[str, End]] = []
    for piece in pieces(pair):
        if _narrow(piece.low, piece.high):  # no floats to put a ladder on
            if not all(piece.active) and isinf(limits(pair.divergence)[0 if piece.active[1] else 1]):
                return _infinite([f"beside {piece.low:g}: one law has mass where the other has none"])
            starts.append((len(axes), 0.0, piece.high - piece.low))
            axes.append(Axis(piece.low, 0.0, 1.0, piece.active))
            continue
        marks = _marks(pair, piece)
        for low, high in pairwise(marks):
            starts.append((len(axes), 0.0, high - low))
            axes.append(Axis(low, 0.0, 1.0, piece.active))
        for where, end in _ends(pair, piece, marks):
            ends.append((where, end))
            starts += [(len(axes), a, b) for a, b in zip(end.cuts[:-1], end.cuts[1:], strict=True)]
            axes.append(end.axis)
    _refuse_endless(pair, ends)
    infinite = [f"{where}: {end.tails[0].why}" for where, end in ends if end.tails[0].verdict == "infinite"]
    if infinite:
        return _infinite(infinite)

    watch = Watch(seconds)
    evaluate = watch.timed(partial(_settled, pair))
    columns = Axes(axes)
    index, low, high = (np.array(column) for column in zip(*starts, strict=True))
    panels = measure(columns, evaluate, index, low.astype(float), high.astype(float))
    floor = 1e3 * max(pair.p.unit, pair.q.unit)
    panels = refine(columns, evaluate, panels, max(1e-12, floor), allowed=watch.allows)
    try:
        found = _answer(pair, panels, ends)
    except ConvergenceError as error:
        raise ConvergenceError(f"{error} Quadrature {_slow(watch)}" if watch.refused else str(error), None) from None
    return replace(found, notes=(*found.notes, _slow(watch))) if watch.refused else found


def _slow(watch: Watch) -> str:
    return (
        f"stopped early: the densities take {watch.spent / watch.points:.2g} s a point, and time_limit is "
        f"{watch.seconds:g} s; what more points would settle is in the bound"
    )


def _refuse_endless(pair: Pair, ends: list[tuple[str, End]]) -> None:
    """A density that is not integrable has no divergence from anything, and must not make one infinite.

    One that vanishes before its decay can be read has underflowed.
    """
    for where, end in ends:
        for i, (law, name) in enumerate(((pair.p, "P"), (pair.q, "Q"))):
            tail, gone = end.tails[i + 1], end.gone[i]
            if tail.error == inf and not isnan(gone):
                refuse_underflow(name, gone)
            if tail.verdict == "infinite":
                raise NotNormalizedError(
                    f"The density of {name} ({law.name}) must be integrable; {where} {tail.why}. Pass the "
                    "support=(low, high) that it is meant on."
                )


def pieces(pair: Pair) -> list[Piece]:
    """The line, cut at the ends of both supports and where a density jumps."""
    laws = (pair.p, pair.q)
    cuts = sorted({end for law in laws for end in (*law.support, *law.edges)})
    found = []
    for low, high in pairwise(cuts):
        active = pair.p.covers(low, high), pair.q.covers(low, high)
        # The edge of a callable is found to its last digits only.
        hair = _narrow(low, high) and not (pair.p.trusted and pair.q.trusted)
        if any(active) and not hair:
            found.append(Piece(low, high, active))
    return found


def _narrow(low: float, high: float) -> bool:
    return high - low <= 64 * np.spacing(max(abs(low), abs(high)))


def _marks(pair: Pair, piece: Piece) -> np.ndarray:
    """Inner points at the places and scales of both laws: dyadic around each bump, and quantiles."""
    laws = (pair.p, pair.q)
    marks = [np.array(law.marks) for law in laws]
    hull = [place + side * scale for law in laws for place, scale in law.centres for side in (-40, 40)]
    hull += [mark for law in laws for mark in law.marks]
    for law in laws:
        for place, scale in law.centres:
            reach = max(abs(h - place) for h in hull)
            steps = scale * 2.0 ** np.arange(-2, max(0, min(1000, int(log(reach / scale) / STEP) + 1)))
            marks += [place + steps, place - steps, np.array([place])]
    found = np.unique(np.concatenate(marks)) if marks else np.empty(0)
    low, high = piece.low, piece.high
    found = found[(found > low) & (found < high)]
    inner = found[(found - low > 16 * _finest(pair, low)) & (high - found > 16 * _finest(pair, high))]
    if isfinite(low) and isfinite(high):
        inner = np.union1d(inner, [low / 2 + high / 2]) if len(inner) < 2 else inner
        inner = np.union1d(inner, [0.75 * low + 0.25 * high]) if len(inner) < 2 else inner
    else:
        scale = max([scale for law in laws for _, scale in law.centres], default=1.0)
        anchor = low if isfinite(low) else high if isfinite(high) else 0.0
        sign = 1.0 if isfinite(low) or not isfinite(high) else -1.0
        extra = [anchor + sign * scale, anchor + 2 * sign * scale]
        inner = np.union1d(inner, extra) if len(inner) < 2 else inner
    spread = np.spacing(np.abs(inner)) * 4
    inner = inner[np.concatenate([[True], np.diff(inner) > spread[1:]])]
    first = _past_gaps(inner - low) if isfinite(low) else 0
    last = len(inner) - (_past_gaps(high - inner[::-1]) if isfinite(high) else 0)
    return inner[first:last] if last - first >= 2 else inner


def _finest(pair: Pair, end: float) -> float:
    """The smallest distance from a finite end at which both laws can be asked."""
    exact = all(law.near is not None and end not in law.rounded for law in (pair.p, pair.q))
    return 1e-290 if exact or isinf(end) else max(1e-290, abs(end) * 2.0**-44)


def _past_gaps(distance: np.ndarray) -> int:
    """The first mark after all gaps too wide for a linear panel: towards the end a logarithmic axis does better."""
    gaps = np.flatnonzero(distance[1:] > 16 * distance[:-1])
    return int(gaps[-1]) + 1 if len(gaps) else 0


def _ends(pair: Pair, piece: Piece, marks: np.ndarray) -> list[tuple[str, End]]:
    first, last = float(marks[0]), float(marks[-1])
    width = last - first
    found = []
    for end, mark, away in ((piece.low, first, -1.0), (piece.high, last, 1.0)):
        if isinf(end):
            # From the far side of the marks, so that the axis begins at the last of them.
            axis = Axis(mark - away * width, width, away, piece.active)
            found.append((f"towards {'-' if end < 0 else '+'}infinity", _ladder(pair, axis, 1.0)))
        else:
            axis = Axis(end, abs(mark - end), -away, piece.active)
            found.append((f"at the end {end:g} of a support", _ladder(pair, axis, -1.0)))
    return found


def _ladder(pair: Pair, axis: Axis, direction: float) -> End:
    """Sample the log axis at ratios of 2, and read what happens towards its end."""
    powers = FAR_POWERS
    with quiet():
        distance = axis.scale * 2.0 ** (direction * powers)
    finest = _finest(pair, axis.edge) if direction < 0 else 0.0
    keep = (distance >= finest) & (distance < 1e300)
    powers, distance = powers[keep], distance[keep]
    values = pair.values(np.full_like(distance, axis.edge), axis.sign * distance, axis.active)
    # Where rounding makes more than the cost, it is the rounding whose decay can be read.
    heights = [part + np.log(distance) for part in (np.maximum(values.cost, values.noise), values.p, values.q)]
    valid = _valid(values, axis.active)
    tails = tuple(_tails.read(part[:valid], distance[:valid]) for part in heights)
    stop = max(tail.stop for tail in tails)
    cuts = direction * STEP * powers[: stop + 1]
    places = axis.edge + axis.sign * distance
    p_gone, q_gone = (_gone(part, places, on) for part, on in ((values.p, axis.active[0]), (values.q, axis.active[1])))
    return End(axis, np.sort(cuts), (tails[0], tails[1], tails[2]), (p_gone, q_gone))


def _gone(heights: np.ndarray, places: np.ndarray, active: bool) -> float:
    """Where the density of an active law begins to be 0 up to the end of a ladder; NaN for nowhere."""
    alive = np.flatnonzero(~np.isneginf(heights))
    last = int(alive[-1]) if len(alive) else -1
    return float(places[last + 1]) if active and last + 1 < len(places) else nan


def _valid(values: Values, active: tuple[bool, bool]) -> int:
    """How far along a ladder the numbers mean something: no overflow or underflow to -inf, no loss to rounding."""
    n = len(values.cost)
    limit = n
    for part, on in ((values.p, active[0]), (values.q, active[1])):
        limit = min(limit, int(np.argmax(np.append(np.isnan(part), True))))
        dead = np.isneginf(part) & on
        if dead[-1]:  # where one law alone has left the floats, their ratio is not known
            limit = min(limit, n - int(np.argmin(dead[::-1])) if not dead.all() else 0)
    with quiet():
        lost = (values.noise - values.cost > -2.0) & (values.cost > np.max(values.cost) - 700)
    first = int(np.argmax(lost))
    return min(limit, first) if lost.any() and first >= 8 else limit


def _settled(pair: Pair, edge: np.ndarray, t: np.ndarray, active: tuple[bool, bool]) -> Values:
    """The values at nodes; an infinite cost inside both supports is looked at twice."""
    values = pair.values(edge, t, active)
    bad = np.isposinf(values.cost)
    if all(active) and bad.any():
        moved = pair.values(edge[bad], t[bad] * (1 + 1e-9) + (t[bad] == 0) * 1e-290, active)
        worst = np.isposinf(moved.cost)
        if worst.any():
            i = int(np.argmax(worst))
            refuse_underflow("P" if np.isneginf(moved.p[i]) else "Q", float(edge[bad][i] + t[bad][i]))
        for part, better in zip(values, moved, strict=True):
            part[bad] = better
    return values


def _infinite(reasons: list[str]) -> Estimate:
    return Estimate(
        inf, standard_error=0.0, confidence_interval=Interval(inf, inf), method="quadrature", notes=tuple(reasons)
    )


def _answer(pair: Pair, panels: Panels, ends: list[tuple[str, End]]) -> Estimate:
    sums = total(panels)
    with quiet():
        integral, errors = (
            [float(log_sum(np.array([part[i], *(getattr(end.tails[i], kind) for _, end in ends)]))) for i in range(3)]
            for part, kind in ((sums.integral, "rest"), (sums.error, "error"))
        )
    missing = sum(_missing(law, integral[i], errors[i], name) for i, law, name in ((1, pair.p, "P"), (2, pair.q, "Q")))
    if integral[0] > LARGEST:
        return beyond(integral[0], "quadrature")
    value, shift = exp(integral[0]), 0.0 if pair.order is not None else pair.divergence.f_at_one
    unseen = sum(_exp(end.tails[i].rest) for _, end in ends for i in (1, 2))
    doubtful = [
        item for item in ends if item[1].tails[0].verdict == "unknown" and item[1].tails[0].error > integral[0] - 30
    ]
    notes = [f"{where}: {end.tails[0].why}" for where, end in doubtful]
    bound = _exp(errors[0]) + _exp(sums.noise) + 4e-16 * len(panels.axis) ** 0.5 * value
    bound += charge(pair, missing + unseen, value)
    if unseen > UNSEEN and isinf(max(limits(pair.divergence))):
        notes.append(f"mass {unseen:.3g} lies closer to an end than the floats reach; what it costs is not known")
        bound = inf
    interval = Interval(max(value - bound, 0.0) + shift, value + bound + shift)
    what = "the interval is an error bound: rule, rounding and tails" if isfinite(bound) else "no upper bound is known"
    notes.append(what)
    return Estimate(value + shift, confidence_interval=interval, method="quadrature", notes=tuple(notes))


def _exp(logarithm: float) -> float:
    return inf if logarithm > LARGEST else exp(logarithm)


def charge(pair: Pair, missing: float, value: float) -> float:
    """What mass that was not seen, or that the rounding of a constant added, can have changed.

    Its cost where that is bounded; else a relative change of both densities changes p^a q^(1-a) by abs(a) + abs(1 - a)
    times as much.
    """
    worst = max(limits(pair.divergence))
    if isfinite(worst):
        return missing * worst
    powers = [abs(order) + abs(1 - order) for _, order in pair.divergence.alphas]
    return missing * max(1.0, value) * max(4.0, *powers, 0.0)


def _missing(law: Law, integral: float, error: float, name: str) -> float:
    """How far ∫ density is from one, beyond its own error bound; too far is an error."""
    mass = _exp(integral)
    if not error < 0:
        raise ConvergenceError(
            f"Quadrature did not find the mass of {name} ({law.name}): its integral is not settled.", None
        )
    gap = max(abs(mass - 1) - _exp(error), 0.0)
    if gap > NORMALISED and not law.trusted:
        raise NotNormalizedError(
            f"The density of {name} must integrate to one within {NORMALISED:g}; got {mass:.9g}. Subtract "
            f"{log(mass) if mass > 0 else -inf:.9g} from its logarithm, or pass the support=(low, high) it is meant on."
            + (" If it has a narrow part far from the rest, write it as a dv.Mixture." if mass < 1 else "")
        )
    if gap > max(MISSED, law.unit) and law.trusted:
        raise ConvergenceError(
            f"Quadrature must find the mass of {name} ({law.name}) to {MISSED:g}; it found {mass:.9g}. Where its "
            f"density is no better, pass it as a callable, lambda x: d.logpdf(x), of which {NORMALISED:g} is required.",
            None,
        )
    return gap
