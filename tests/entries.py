"""The f-divergences under law: the catalogue, its families at more parameters, and generators of users."""

import divergences as dv
from tests import generators
from tests.mp_oracle import LEVELS, ORDERS, WEIGHTS

NAMED = {
    **dv.CATALOGUE,
    **{f"weighted_js({w!r})": dv.weighted_js(w) for w in WEIGHTS},
    **{f"alpha({a!r})": dv.alpha(a) for a in ORDERS},
    **{f"hockey_stick({g!r})": dv.hockey_stick(g) for g in LEVELS},
}
"""By their names in `mp_oracle.GENERATORS`."""

KINKS = {"total_variation": (1.0,)} | {dv.hockey_stick(g).name: (g,) for g in (2.0, *LEVELS)} | generators.KINKS
"""The ratios at which the generator has no derivative, by the name of the divergence."""

EVERY = {**NAMED, **generators.USER_MADE}
"""With generators that are in no oracle: under the laws that need none."""
