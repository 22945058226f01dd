"""f-divergences from their textbook generators in mpmath at 60 digits. Imports nothing of ours.

The rule is the contract's: the sum over atoms of q f~(p/q), f~(u) = f(u) - f(1) - f'(1)(u - 1), with f~(0) at
p = 0 and f~'(inf) per unit of p at q = 0, plus f(1).
"""

import mpmath as mp

mp.mp.dps = 60


def _xlogx(u):
    return u * mp.log(u) if u else mp.mpf(0)


def _weighted_js(weight):
    w = mp.mpf(weight)
    return (
        lambda u: w * _xlogx(u) - _xlogx(1 - w + w * u),
        0,
        0,
        -(1 - w) * mp.log(1 - w),
        -w * mp.log(w),
    )


def _alpha(order):
    a = mp.mpf(order)
    if a == 1:
        return (lambda u: _xlogx(u) - u + 1, 0, 0, 1, mp.inf)
    if a == 0:
        return (lambda u: u - 1 - mp.log(u), 0, 0, mp.inf, 1)
    f = lambda u: (u**a - a * u + a - 1) / (a * (a - 1))
    return f, 0, 0, 1 / a if a > 0 else mp.inf, 1 / (1 - a) if a < 1 else mp.inf


def _hockey_stick(level):
    g = mp.mpf(level)
    if g >= 1:
        return (lambda u: max(u - g, mp.mpf(0)), 0, 0, 0, 1)
    return (lambda u: max(g - u, mp.mpf(0)), 0, 0, g, 0)


# name -> (f on u > 0, f(1), f'(1), f(0), f'(inf))
GENERATORS = {
    "kl": (_xlogx, 0, 1, 0, mp.inf),
    "reverse_kl": (lambda u: -mp.log(u), 0, -1, mp.inf, 0),
    "js": (lambda u: (_xlogx(u) - (u + 1) * mp.log((u + 1) / 2)) / 2, 0, 0, mp.log(2) / 2, mp.log(2) / 2),
    "total_variation": (lambda u: abs(u - 1) / 2, 0, 0, mp.mpf(1) / 2, mp.mpf(1) / 2),
    "pearson": (lambda u: (u - 1) ** 2, 0, 0, 1, mp.inf),
    "neyman": (lambda u: (1 - u) ** 2 / u, 0, 0, mp.inf, 1),
    "squared_hellinger": (lambda u: (mp.sqrt(u) - 1) ** 2, 0, 0, 1, 1),
    "jeffreys": (lambda u: (u - 1) * mp.log(u), 0, 0, mp.inf, mp.inf),
    "gan": (lambda u: _xlogx(u) - (u + 1) * mp.log(u + 1), -2 * mp.log(2), -mp.log(2), 0, 0),
    "le_cam": (lambda u: (u - 1) ** 2 / (2 * (u + 1)), 0, 0, mp.mpf(1) / 2, mp.mpf(1) / 2),
    "weighted_js": _weighted_js(0.3),
    "alpha": _alpha(0.5),
    "hockey_stick": _hockey_stick(2),
}
WEIGHTS = (1e-6, 0.5, 0.999)
ORDERS = (-2.0, -1.0, -1e-13, 0.0, 1e-9, 0.25, 1 - 1e-12, 1.0, 1 + 1e-9, 2.0, 3.7)
LEVELS = (0.5, 1.0, 1.0001, float(mp.e), 1e6)
GENERATORS |= {f"weighted_js({w!r})": _weighted_js(w) for w in WEIGHTS}
GENERATORS |= {f"alpha({a!r})": _alpha(a) for a in ORDERS}
GENERATORS |= {f"hockey_stick({g!r})": _hockey_stick(g) for g in LEVELS}


def atom(name, p, q):
    """The cost of one atom, exactly by the rule."""
    f, f1, s1, f0, slope = GENERATORS[name]
    p, q = mp.mpf(p), mp.mpf(q)
    if p == q:
        return mp.mpf(0)
    if q == 0:
        return p * (slope - s1)
    if p == 0:
        return q * (f0 - f1 + s1)
    u = p / q
    with mp.workdps(700 if u < mp.mpf(10) ** -40 or abs(u - 1) < mp.mpf(10) ** -6 else 80):
        u = p / q
        return q * (f(u) - f1 - s1 * (u - 1))


def value(name, p, q):
    """(D(p, q), the sum of the absolute terms), both as mpf."""
    terms = [atom(name, a, b) for a, b in zip(p, q, strict=True)]
    return mp.fsum(terms) + GENERATORS[name][1], mp.fsum(terms)


def derivative(name, u):
    """f'(u) for u > 0, by differentiation of the generator at high precision."""
    return mp.diff(GENERATORS[name][0], mp.mpf(u))


def slopes(name, p, q):
    """The partial derivatives of q f~(p/q) in p and in q, for p, q > 0."""
    f, f1, s1, _, _ = GENERATORS[name]
    if p == q:
        return mp.mpf(0), mp.mpf(0)
    u = mp.mpf(p) / mp.mpf(q)
    with mp.workdps(500 + 2 * abs(int(mp.log10(u)))):
        u = mp.mpf(p) / mp.mpf(q)
        slope = mp.diff(f, u, h=u * mp.mpf(10) ** -60) - s1
        return slope, f(u) - f1 - s1 * (u - 1) - u * slope


def conjugate(name, t, upper=1e9):
    """Sup over 0 <= u <= upper of t u - f(u), by golden-section search on the concave objective."""
    f, _, _, f0, _ = GENERATORS[name]

    def objective(u):
        return t * u - (f(u) if u else f0)

    low, high = mp.mpf(10) ** -30, mp.mpf(upper)
    golden = (mp.sqrt(5) - 1) / 2
    for _ in range(160):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if objective(left) < objective(right):
            low = left
        else:
            high = right
    return max(objective(low), objective(mp.mpf(0)) if mp.isfinite(f0) else -mp.inf)
