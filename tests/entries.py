"""The f-divergences under law: the catalogue, its families at more parameters, and generators of users."""

import divergences as dv
from tests.mp_oracle import LEVELS, ORDERS, WEIGHTS

NAMED = {
    **dv.CATALOGUE,
    **{f"weighted_js({w!r})": dv.weighted_js(w) for w in WEIGHTS},
    **{f"alpha({a!r})": dv.alpha(a) for a in ORDERS},
    **{f"hockey_stick({g!r})": dv.hockey_stick(g) for g in LEVELS},
}
"""By their names in `mp_oracle.GENERATORS`."""

KINKS = {"total_variation": 1.0} | {d.name: g for g, d in ((g, dv.hockey_stick(g)) for g in (2.0, *LEVELS))}
"""The ratio at which the generator has no derivative, by the name of the divergence."""

USER_MADE: dict[str, dv.FDivergence] = {}
"""Generators that are in no oracle: under the laws that need none."""

EVERY = {**NAMED, **USER_MADE}
