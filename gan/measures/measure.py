"""What a measure is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gan.measures.sample import Pair

IDEALS = {"half": 0.5, "one": 1.0}


@dataclass(frozen=True)
class Measure:
    """One way to say how good a generator is, from a sample of it beside one of the target.

    Attributes:
        name: its key in `MEASURES` and in records.
        function: a `Pair` -> the value, or the value followed by those of `also`.
        better: "lower" or "higher"; "half" or "one" if the best value is that number, from both sides.
        unit: of the value.
        source: whose definition it is.
        needs: which targets it applies to.
        usual: which of those it is measured on by default, being cheap enough there.
        also: further names that come with the value, as the ends of a bracket do.
        blind: what it does not notice: "collapse" (one mode for all), "shift" (a small move), or both.

    """

    name: str
    function: Callable[[Pair], float | tuple[float, ...]]
    better: str
    unit: str
    source: str
    needs: Callable[[Any], bool] = lambda data: True
    usual: Callable[[Any], bool] = lambda data: True
    also: tuple[str, ...] = ()
    blind: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of what it gives."""
        return (self.name, *self.also)

    def __call__(self, pair: Pair) -> dict[str, float]:
        """The value and what comes with it, by name; infinite where that is right."""
        found = self.function(pair)
        values = found if isinstance(found, tuple) else (found,)
        return dict(zip(self.names, map(float, values), strict=True))

    def badness(self, value: float) -> float:
        """How far from best: smaller is better, whatever `better` says.

        >>> from gan.measures import MEASURES
        >>> MEASURES["one_nearest_neighbour"].badness(0.75), MEASURES["recall"].badness(0.75)
        (0.25, -0.75)
        """
        if self.better in IDEALS:
            return abs(value - IDEALS[self.better])
        return value if self.better == "lower" else -value
