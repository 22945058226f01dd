"""A number with its first two derivatives, carried through NumPy's functions: exact f' and f'' of a user's f.

Derivatives by differences lose half the digits, and all of them where f is flat beside its own size. NumPy hands every
ufunc and operator to the class of its argument (`__array_ufunc__`): a formula written for arrays differentiates itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Triple = tuple[Any, Any, Any]

# ufunc -> v -> (F(v), F'(v), F''(v))
UNARY: dict[str, Callable[[Any], Triple]] = {
    "negative": lambda v: (-v, -1.0, 0.0),
    "positive": lambda v: (v, 1.0, 0.0),
    "absolute": lambda v: (abs(v), np.sign(v), 0.0),
    "fabs": lambda v: (abs(v), np.sign(v), 0.0),
    "sign": lambda v: (np.sign(v), 0.0, 0.0),
    "square": lambda v: (v * v, 2 * v, 2.0),
    "reciprocal": lambda v: (1 / v, -1 / v / v, 2 / v / v / v),
    "sqrt": lambda v: (s := np.sqrt(v), 0.5 / s, -0.25 / s / v),
    "cbrt": lambda v: (c := np.cbrt(v), c / v / 3, -2 * c / v / v / 9),
    "exp": lambda v: (e := np.exp(v), e, e),
    "exp2": lambda v: (e := np.exp2(v), _LN2 * e, _LN2 * _LN2 * e),
    "expm1": lambda v: (np.expm1(v), e := np.exp(v), e),
    "log": lambda v: (np.log(v), r := 1 / v, -r * r),
    "log2": lambda v: (np.log2(v), r := 1 / v / _LN2, -r / v),
    "log10": lambda v: (np.log10(v), r := 1 / v / _LN10, -r / v),
    "log1p": lambda v: (np.log1p(v), r := 1 / (1 + v), -r * r),
    "sin": lambda v: (s := np.sin(v), np.cos(v), -s),
    "cos": lambda v: (c := np.cos(v), -np.sin(v), -c),
    "sinh": lambda v: (s := np.sinh(v), np.cosh(v), s),
    "cosh": lambda v: (c := np.cosh(v), np.sinh(v), c),
    "tanh": lambda v: (t := np.tanh(v), d := 1 / np.cosh(v) ** 2, -2 * t * d),
    "arctan": lambda v: (np.arctan(v), r := 1 / (1 + v * v), -2 * v * r * r),
    "arcsinh": lambda v: (np.arcsinh(v), r := 1 / np.sqrt(1 + v * v), -v * r**3),
    "arctanh": lambda v: (np.arctanh(v), r := 1 / (1 - v * v), 2 * v * r * r),
    "entr": lambda v: (-v * np.log(v), -1 - np.log(v), -1 / v),
}
_LN2, _LN10 = np.log(np.longdouble(2)), np.log(np.longdouble(10))
COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "isfinite", "isnan", "isinf"}


@dataclass(frozen=True, eq=False)
class Jet(np.lib.mixins.NDArrayOperatorsMixin):
    """f, f' and f'' at points u, as arrays of one shape."""

    value: Any
    first: Any
    second: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    def __len__(self) -> int:
        return len(self.value)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        """Code written for the array API reaches NumPy's functions, which come back here."""
        return np

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError("the derivatives would be lost")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__" or options:
            return NotImplemented
        if name in COMPARISONS:
            return ufunc(*(x.value if isinstance(x, Jet) else x for x in inputs))
        if name in UNARY:
            return _compose(inputs[0], *UNARY[name](inputs[0].value))
        return BINARY[name](*inputs) if name in BINARY else NotImplemented

    def __array_function__(self, func: Any, types: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
        if func is np.where and len(args) == 3 and not options:
            return _where(*args)
        if func is np.clip and len(args) == 3 and not options:
            return _larger(_smaller(args[0], args[2]), args[1])
        return NotImplemented


def jet_at(u: np.ndarray) -> Jet:
    """The identity at u."""
    return Jet(u, np.ones_like(u), np.zeros_like(u))


def _jet(x: Any) -> Jet:
    if isinstance(x, Jet):
        return x
    value = np.asarray(x)
    if value.dtype.kind not in "fiub":
        raise TypeError(f"derivatives need real numbers; got {value.dtype}")
    return Jet(value, np.zeros_like(value), np.zeros_like(value))


def _compose(a: Jet, value: Any, slope: Any, bend: Any) -> Jet:
    return Jet(value, slope * a.first, bend * a.first * a.first + slope * a.second)


def _add(a: Any, b: Any) -> Jet:
    a, b = _jet(a), _jet(b)
    return Jet(a.value + b.value, a.first + b.first, a.second + b.second)


def _subtract(a: Any, b: Any) -> Jet:
    a, b = _jet(a), _jet(b)
    return Jet(a.value - b.value, a.first - b.first, a.second - b.second)


def _multiply(a: Any, b: Any) -> Jet:
    if not isinstance(b, Jet):
        a, b = b, a
    if not isinstance(a, Jet):  # a constant may be infinite or boolean: no zero of its derivative times infinity
        return Jet(a * b.value, a * b.first, a * b.second)
    second = a.second * b.value + 2 * a.first * b.first + a.value * b.second
    return Jet(a.value * b.value, a.first * b.value + a.value * b.first, second)


def _divide(a: Any, b: Any) -> Jet:
    if not isinstance(b, Jet):
        return Jet(a.value / b, a.first / b, a.second / b)
    a, value = _jet(a), _jet(a).value / b.value
    first = (a.first - value * b.first) / b.value
    return Jet(value, first, (a.second - 2 * first * b.first - value * b.second) / b.value)


def _power(a: Any, b: Any) -> Jet:
    if isinstance(b, Jet):
        return np.exp(_multiply(b, np.log(a)))  # type: ignore[return-value]  # a Jet, by `__array_ufunc__`
    c, v = np.asarray(b), a.value

    def times(factor: Any, exponent: Any) -> Any:
        return np.where(factor == 0, 0 * v, factor * v ** np.where(factor == 0, 1, exponent))

    # Whole exponents stay whole: a negative base has no other powers.
    return _compose(a, v**b, times(c, c - 1), times(c * (c - 1), c - 2))


def _where(condition: Any, a: Any, b: Any) -> Jet:
    a, b = _jet(a), _jet(b)
    parts = ((a.value, b.value), (a.first, b.first), (a.second, b.second))
    return Jet(*(np.where(condition, x, y) for x, y in parts))


def _larger(a: Any, b: Any) -> Jet:
    return _where(_jet(a).value >= _jet(b).value, a, b)


def _smaller(a: Any, b: Any) -> Jet:
    return _where(_jet(a).value <= _jet(b).value, a, b)


def _log_add_exp(a: Jet, b: Jet) -> Jet:
    weight = 1 / (1 + np.exp(b.value - a.value))
    gap = a.first - b.first
    second = weight * a.second + (1 - weight) * (b.second + weight * gap * gap)
    return Jet(np.logaddexp(a.value, b.value), b.first + weight * gap, second)


BINARY: dict[str, Callable[[Any, Any], Jet]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "float_power": _power,
    "maximum": _larger,
    "fmax": _larger,
    "minimum": _smaller,
    "fmin": _smaller,
    "logaddexp": lambda a, b: _log_add_exp(_jet(a), _jet(b)),
    "xlogy": lambda a, b: _multiply(a, np.log(b)),
    "rel_entr": lambda a, b: _multiply(a, np.log(_divide(a, b))),
    "kl_div": lambda a, b: _subtract(_multiply(a, np.log(_divide(a, b))), _subtract(a, b)),
}
