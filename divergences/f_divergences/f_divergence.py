r"""The f-divergence as data: a convex generator, its conjugate, and the cost it puts on each atom.

    D(p, q) = Σ_{q>0} q f(p/q) + f'(∞) P(q = 0),   f convex, f(1) = 0

What is summed is not q f(p/q), which rounds below zero, but the *perspective* of f̃, per atom
`cost(p, q) = q f̃(p/q) >= 0` with f̃(u) = f(u) - f(1) - f'(1)(u - 1). For probability vectors the sums agree
up to the constant f(1), which is added back (only GAN's is not zero).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from divergences._arrays import Array, float64, namespace, result_dtype, scalar
from divergences._checks import finite, floating, mass_pair, positive
from divergences._numerics import quiet
from divergences._results import Estimate
from divergences.errors import DataError
from divergences.f_divergences import _perspective as perspective
from divergences.f_divergences._expectation import expectation
from divergences.f_divergences._fused import Fused, total_cost
from divergences.f_divergences._multiple import multiple

if TYPE_CHECKING:
    from divergences.f_divergences._generator import Found

Elementwise = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class FDivergence:
    """One f-divergence: call it on probability vectors, or use its generator and conjugate.

    A literal in `catalogue.py` gives the formulas; the methods add conversion, limits and gradients. Source: Csiszár
    (1967); the conjugate, activation and bound: Nowozin, Cseke & Tomioka (2016), lecture rows B1 to B6.

    Attributes:
        name: as in `CATALOGUE`.
        f, f_prime: the generator and its derivative on u >= 0.
        f_star: the conjugate sup_{u>=0} (t u - f(u)) on its domain t <= high.
        high: supremum of the domain of the conjugate.
        g: the output activation, strictly increasing from R into the interior of that domain.
        f_star_g: v -> f_star(g(v)) in a form that does not overflow before its value does.
        cost: (p, q, d) -> q f̃(p/q) >= 0, inf allowed, per atom; d is p - q, at least as accurate as the subtraction.
        partials: (p, q, d) -> the two partial derivatives of `cost`.
        tail: where f̃'(inf) is inf or reached slowly, what log-probabilities need beyond the floats: δ -> the logarithm
            of f̃(u)/u at u = e^δ and its derivative in δ, right for δ > 40 and wherever `cost` overflows; else None.
        fused: Σ cost of large arrays and its slopes by compiled kernels; rows that need `cost` are left alone.
        f_at_one, slope_at_one: f(1) and f'(1).
        mirror: gives the entry whose value is D(q, p); None for a symmetric divergence.
        separates: True when D(p, q) = D(p, p) only at p = q.
        alphas: pairs (weight, order) if D = Σ weight * alpha(order), on which closed forms between densities rest.
        found: what `from_generator` derived; None for the entries of the catalogue.

    """

    name: str
    f: Elementwise
    f_prime: Elementwise
    f_star: Elementwise
    high: float = np.inf
    g: Elementwise
    f_star_g: Elementwise
    cost: Callable[[Array, Array, Array], Array]
    partials: Callable[[Array, Array, Array], tuple[Array, Array]]
    tail: Callable[[Array], tuple[Array, Array]] | None = None
    fused: Fused | None = None
    f_at_one: float = 0.0
    slope_at_one: float = 0.0
    mirror: "Callable[[], FDivergence] | None" = None
    separates: bool = True
    alphas: tuple[tuple[float, float], ...] = ()
    found: "Found | None" = None

    @classmethod
    def from_generator(
        cls,
        f: Callable[[Any], Any],
        *,
        name: str | None = None,
        at_zero: float | None = None,
        slope_at_infinity: float | None = None,
    ) -> "FDivergence":
        """The f-divergence of your own convex f on u > 0 with f(1) = 0: everything else is derived numerically.

        f takes NumPy arrays (and is differentiated exactly), torch tensors, or one number (and is differentiated from
        its values). `found` says what was found; `at_zero` and `slope_at_infinity` give f(0) and f'(inf) where f
        does not tell. Raises DataError, with the point, where f is no such function. See docs/own-divergence.md.

        >>> import numpy as np
        >>> d = FDivergence.from_generator(lambda u: u * np.log(u), name="mine")
        >>> print(d([0.5, 0.5], [0.25, 0.75]), d.conjugate(1.0), d.found.slope_at_infinity)
        0.1438410362258904 1.0 inf
        """
        from divergences.f_divergences._generator import generated

        return generated(cls, f, name=name, at_zero=at_zero, slope_at_infinity=slope_at_infinity)

    def __repr__(self) -> str:
        return f"<f-divergence {self.name}>"

    def __call__(self, p: Any, q: Any, *, normalize: bool = False, log: bool = False) -> Array:
        """D(p, q) in nats, for probability vectors on the last axis; leading axes broadcast.

        Never negative (GAN's minimum is -log 4), exactly the minimum at p = q, inf where that is right. Torch tensors
        carry gradients: one-sided derivatives of Σ cost, 0 where one is -inf (the limit through a softmax).

        Args:
            p, q: arrays or tensors of shape (..., k), summing to one within 1e-6 (1e-5 below float64).
            normalize: divide by the sum instead.
            log: p and q are log-probabilities, -inf allowed; with `normalize` any logits. Gradients are with
                respect to them.

        Raises:
            DataError: NaN, negative, or shapes that do not match. NotNormalizedError: sums beyond the tolerance.

        >>> import divergences as dv
        >>> print(dv.kl([0.5, 0.5], [0.25, 0.75]))
        0.1438410362258904
        >>> print(dv.kl([0.5, 0.5], [1.0, 0.0]), dv.js([0.5, 0.5], [1.0, 0.0]))
        inf 0.215761554338835
        >>> print(dv.kl([-1e4, 0.0], [-2e6, 0.0], log=True, normalize=True))
        0.0

        """
        cost, dtype = total_cost(self, p, q, normalize=normalize, log=log)
        return scalar(namespace(cost).astype(cost + self.f_at_one, dtype))

    def contributions(self, p: Any, q: Any, *, normalize: bool = False, log: bool = False) -> Array:
        """The cost q f̃(p/q) >= 0 of each atom, in float64: where a divergence comes from.

        >>> import divergences as dv
        >>> dv.total_variation.contributions([0.5, 0.5, 0.0], [0.5, 0.25, 0.25])
        array([0.   , 0.125, 0.125])
        """
        p, q, _ = mass_pair(p, q, normalize=normalize, log=log)
        return perspective.contributions(self, p, q, log=log)

    def gradient(self, p: Any, q: Any, *, log: bool = False) -> tuple[Array, Array]:
        """The gradients of D with respect to p and q that tensors carry: (f̃'(p/q), f̃(u) - u f̃'(u)) per atom.

        One-sided derivatives at zeros; where one is -inf, or where p = q = 0 and it is inf, 0 is returned. With `log`,
        p and q times these: the gradients with respect to log-probabilities.

        >>> import divergences as dv
        >>> dv.kl.gradient([0.5, 0.5], [0.25, 0.75])[0].round(4)
        array([ 0.6931, -0.4055])
        """
        p, q, _ = mass_pair(p, q, log=log)
        return (perspective.log_gradient if log else perspective.gradient)(self, p, q)

    def generator(self, u: Any) -> Array:
        """f(u) for finite u, its limit at 0 included; inf for u < 0, as convex analysis extends it.

        >>> import divergences as dv
        >>> dv.pearson.generator([0.0, 1.0, 3.0])
        array([1., 0., 4.])
        """
        u = finite(floating(u, "u"), "u")
        xp = namespace(u)
        with quiet():
            inside = self.f(xp.where(u >= 0, u, xp.ones_like(u)))
        return scalar(xp.where(u >= 0, inside, xp.full_like(u, np.inf)))

    def derivative(self, u: Any) -> Array:
        """f'(u) for u >= 0, its limits at 0 and inf included (0 at a kink in u = 1).

        >>> import divergences as dv
        >>> dv.squared_hellinger.derivative([0.0, 1.0, 4.0, float("inf")])
        array([-inf,  0. ,  0.5,  1. ])
        """
        u = floating(u, "u")
        if bool((u < 0).any()):
            raise DataError(f"u must be a ratio of masses, at least 0; got a minimum of {u.min().item():g}.")
        with quiet():
            return scalar(self.f_prime(u))

    @property
    def domain(self) -> tuple[float, float]:
        """(low, high): where the conjugate is finite. The supremum is over u >= 0, so low is always -inf."""
        return (-np.inf, self.high)

    def conjugate(self, t: Any) -> Array:
        """f*(t) = sup over u >= 0 of t u - f(u); inf outside `domain`.

        >>> import divergences as dv
        >>> dv.pearson.conjugate([-5.0, 2.0]), dv.total_variation.conjugate([-3.0, 0.25, 0.51])
        (array([-1.,  3.]), array([-0.5 ,  0.25,   inf]))
        """
        t = floating(t, "t")
        with quiet():
            return scalar(namespace(t).astype(self._conjugate(float64(t)), t.dtype))

    def _conjugate(self, t: Array) -> Array:
        xp = namespace(t)
        inside = t <= self.high
        value = self.f_star(xp.where(inside, t, xp.full_like(t, min(self.high, 0.0) - 1)))
        return xp.where(inside, value, xp.full_like(t, np.inf))

    def activation(self, v: Any) -> Array:
        """g(v): the output layer of an f-GAN critic, strictly increasing from R into the interior of `domain`.

        Where g(v) rounds to the end of the domain, the nearest number inside is returned.

        >>> import divergences as dv
        >>> dv.neyman.activation([-1.0, 0.0, 100.0]) < 1
        array([ True,  True,  True])
        """
        with quiet():
            t = self.g(floating(v, "v"))
        return scalar(self._below_end(t))

    def _below_end(self, t: Array) -> Array:
        """Numbers t up to the end of the domain, the end itself replaced by the nearest number inside."""
        if self.high == np.inf:
            return t
        xp = namespace(t)
        return xp.minimum(t, xp.nextafter(xp.full_like(t, self.high), xp.full_like(t, -np.inf)))

    def conjugate_activation(self, v: Any) -> Array:
        """f*(g(v)), stable: what an f-GAN critic pays on fake samples.

        >>> import divergences as dv
        >>> print(dv.squared_hellinger.conjugate_activation(50.0))  # g(50) itself rounds to 1, where f* is inf
        5.184705528587072e+21
        """
        v = floating(v, "v")
        with quiet():
            return scalar(self.f_star_g(v))

    def optimal_critic(self, p: Any, q: Any, *, log: bool = False) -> Array:
        """T*(x) = f'(p(x) / q(x)), the critic at which the variational bound is tight; f'(1) where p = q = 0.

        Where q > 0 and f' rounds to an end of the domain at which f* is infinite, the nearest number inside.

        >>> import divergences as dv
        >>> dv.kl.optimal_critic([0.5, 0.5], [0.25, 0.75]).round(3)
        array([1.693, 0.595])
        """
        p, q, dtype = mass_pair(p, q, log=log)
        xp = namespace(p, q)
        zero = -np.inf if log else 0.0
        slope = perspective.log_ratio_slope(self, p, q) if log else perspective.slopes(self, p, q)[0]
        critic = xp.where((p == zero) & (q == zero), xp.zeros_like(slope), slope) + self.slope_at_one
        if self.conjugate(self.high) == np.inf:
            critic = xp.where(q > zero, self._below_end(critic), critic)
        return xp.astype(critic, dtype)

    def lower_bound(self, t_p: Any, t_q: Any, *, p: Any = None, q: Any = None) -> Array:
        """E_p T - E_q f*(T) <= D(p, q): the variational bound, from critic values on the last axis.

        -inf, the bound that says nothing, where the critic's expectations are infinite and cancel.

        Args:
            t_p, t_q: critic values under p and under q: on samples, or on the atoms that `p` and `q` weigh.
            p, q: probabilities of those values; None weighs them equally.

        >>> import divergences as dv
        >>> p, q = [0.5, 0.5], [0.25, 0.75]
        >>> critic = dv.kl.optimal_critic(p, q)
        >>> print(dv.kl.lower_bound(critic, critic, p=p, q=q))
        0.1438410362258904

        """
        t_p, t_q = floating(t_p, "t_p"), floating(t_q, "t_q")
        xp, dtype = namespace(t_p, t_q), result_dtype(t_p, t_q)
        with quiet():
            value = expectation(float64(t_p), p, "p") - expectation(self._conjugate(float64(t_q)), q, "q")
        return scalar(xp.astype(xp.where(xp.isnan(value), xp.full_like(value, -np.inf), value), dtype))

    def between(
        self, p: Any, q: Any, *, support: Any = None, rng: Any = None, size: int = 100_000, time_limit: float = 30.0
    ) -> Estimate:
        """D(P, Q) of distributions: closed form, else quadrature with a bound, else Monte Carlo; docs/densities.md.

        Each is a SciPy or torch distribution, an object with `logpdf`, a log density, or a `Mixture`. `support`: (low,
        high) of callables. `rng`, `size`: seed and draws of Monte Carlo. `time_limit`: seconds after which quadrature
        asks slow densities no more; a note says so. Raises DataError, NotNormalizedError, ConvergenceError.

        >>> import divergences as dv, scipy.stats as st
        >>> dv.neyman.between(st.norm(0, 1), st.norm(1, 2)).value
        inf
        """
        from divergences.densities.between import between

        return between(self, p, q, support=support, rng=rng, size=size, time_limit=time_limit)

    @property
    def reverse(self) -> "FDivergence":
        """The divergence with its arguments exchanged: `d.reverse(p, q) == d(q, p)`.

        >>> import divergences as dv
        >>> dv.kl.reverse
        <f-divergence reverse_kl>
        """
        return self if self.mirror is None else self.mirror()

    def __mul__(self, factor: float) -> "FDivergence":
        return replace(self, **multiple(self, positive(factor, "factor")))

    __rmul__ = __mul__
