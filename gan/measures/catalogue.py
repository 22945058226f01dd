"""Every measure by name, and which are usual for a target.

Milliseconds for 1,000 samples of one seed on one core, each measure alone:

| measure | 2-D | 192-D (`stacked-digits`) |
|---|---|---|
| `w1`, `w2` | 100 | 240 |
| `sliced_w1` | 18 | 24 |
| `sinkhorn_divergence` | 400 | 570 |
| `kl`, `js` | 38 | |
| `reverse_kl` | 16; `swissroll` 230, for its density | |
| `modes`, `modes_1pct`, `high_quality`, `mode_reverse_kl` | 0.2 | 35 |
| `precision`, `recall`, `density`, `coverage`, `one_nearest_neighbour` | 23 in all | 130 in all |
| `frechet`; `frechet_features` | 0.3 | 27; 34 |
| `mmd`; `energy` | 23; 9 | 180; 170 |

The usual ones together take 0.06 s in 1-D, 0.2 s in 2-D, 0.4 s on `stacked-digits`, 0.03 s on `digits` (179 rows) and
0.2 s on `mnist5k` (500 rows); a finite target is measured on its held-out rows. Time grows as n^2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gan.measures import distances, information, modes
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


LOW = 2  # dimensions in which nearest neighbours estimate a divergence without bias worth speaking of
SMALL = 100  # dimensions up to which the moments of images take no time


def _known(data: Any) -> bool:
    return data.dimension <= LOW and getattr(data, "log_density", None) is not None


def _moded(data: Any) -> bool:
    return getattr(data, "assign", None) is not None


def _few_modes(data: Any) -> bool:
    # A perfect generator has twice what the rule asks for in each mode, on average.
    return _moded(data) and data.mode_count * modes.SHARE <= 0.5


def _finite(data: Any) -> bool:
    return data.size is not None


def _classified(data: Any) -> bool:
    # Modes of a mixture are labels as well, but no classifier is needed to tell them.
    return data.classes > 1 and (_finite(data) or len(data.shape) == 3)


def _few_classes(data: Any) -> bool:
    return _classified(data) and data.classes * modes.SHARE <= 0.5


def _small(data: Any) -> bool:
    return data.dimension <= SMALL


def _never(data: Any) -> bool:
    return False


_ENDS = lambda name: (f"{name}_lower", f"{name}_upper")
_COLLAPSE, _SHIFT = frozenset({"collapse"}), frozenset({"shift"})
_DATA, _SQUARED = "unit of the data", "unit of the data, squared"
_PRECISION = "Kynkaanniemi, Karras, Laine, Lehtinen & Aila (2019)"
_DENSITY = "Naeem, Oh, Uh, Choi & Yoo (2020)"

_ALL = (
    Measure("w1", distances.w1, "lower", _DATA, "Kantorovich (1942)", also=_ENDS("w1")),
    Measure("w2", distances.w2, "lower", _DATA, "Kantorovich (1942)", usual=_never, also=_ENDS("w2")),
    Measure("sliced_w1", distances.sliced_w1, "lower", _DATA, "Rabin, Peyre, Delon & Bernot (2011)"),
    Measure(
        "sinkhorn_divergence", distances.sinkhorn, "lower", _SQUARED, "Genevay, Peyre & Cuturi (2018)", usual=_never
    ),
    Measure("kl", information.kl, "lower", "nats", "Wang, Kulkarni & Verdu (2009), corrected", needs=_known),
    Measure(
        "reverse_kl", information.reverse_kl, "lower", "nats", "Kozachenko & Leonenko (1987)",
        needs=_known, usual=_moded,
    ),
    Measure("js", information.js, "lower", "nats", "Lin (1991)", needs=_known),
    Measure("modes", modes.modes, "higher", "modes", "VEEGAN, Srivastava et al. (2017)", needs=_moded, blind=_SHIFT),
    Measure(
        "modes_1pct", modes.modes_1pct, "higher", "modes", "the paired-discriminator study (2026)",
        needs=_few_modes, blind=_SHIFT,
    ),
    Measure(
        "high_quality", modes.high_quality, "higher", "share", "VEEGAN, Srivastava et al. (2017)",
        needs=_moded, blind=_COLLAPSE,
    ),
    Measure(
        "mode_reverse_kl", modes.mode_reverse_kl, "lower", "nats", "PacGAN, Lin et al. (2018)",
        needs=_moded, blind=_SHIFT,
    ),
    Measure("precision", distances.precision, "higher", "share", _PRECISION, blind=_COLLAPSE),
    Measure("recall", distances.recall, "higher", "share", _PRECISION),
    Measure("density", distances.density, "one", "share", _DENSITY, blind=_COLLAPSE),
    Measure("coverage", distances.coverage, "higher", "share", _DENSITY),
    Measure(
        "one_nearest_neighbour", distances.one_nearest_neighbour, "half", "share", "Lopez-Paz & Oquab (2017)"
    ),
    Measure(
        "memorisation", distances.memorisation, "half", "share",
        "the three-sample test of Meehan, Chaudhuri & Dasgupta (2020)",
        needs=_finite, usual=_small, blind=_COLLAPSE,
    ),
    Measure("frechet", distances.frechet, "lower", _SQUARED, "Dowson & Landau (1982)", usual=_small),
    Measure(
        "frechet_features", distances.frechet_features, "lower", "unit of the features, squared",
        "Heusel et al. (2017)", needs=_classified,
    ),
    Measure(
        "class_balance", distances.class_balance, "lower", "share", "total variation to equal shares",
        needs=_few_classes, blind=_SHIFT,
    ),
    Measure("mmd", distances.mmd, "lower", "kernel", "Gretton et al. (2012), lemma 6", usual=_never),
    Measure("energy", distances.energy, "lower", _DATA, "Szekely & Rizzo (2013)", usual=_never),
)  # fmt: skip

MEASURES: Mapping[str, Measure] = MappingProxyType({measure.name: measure for measure in _ALL})
"""Every measure by name."""


def applicable(data: Any) -> tuple[str, ...]:
    """The measures that a target allows.

    >>> from gan.data import DATASETS
    >>> "kl" in applicable(DATASETS["ring8"]), "memorisation" in applicable(DATASETS["ring8"])
    (True, False)
    """
    return tuple(name for name, measure in MEASURES.items() if measure.needs(data))


def default_measures(data: Any) -> tuple[str, ...]:
    """The measures that are usual for a target: below 0.3 s for 1,000 samples of one seed in 1-D and 2-D.

    >>> from gan.data import DATASETS
    >>> default_measures(DATASETS["mixture1d"])[:2]
    ('w1', 'sliced_w1')
    """
    return tuple(name for name in applicable(data) if MEASURES[name].usual(data))
