"""What is refused as a generator, which limits are asked for, and in how many ways f may be written."""

import math

import numpy as np
import pytest

import divergences as dv

make = dv.FDivergence.from_generator
P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])


def found(d):
    """What was found about a divergence that was made."""
    assert d.found is not None
    return d.found


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (3, r"f must be a function of the ratio u > 0; got 3"),
        (lambda u: u, r"f must be 0 at u = 1; got f\(1\) = 1\. Pass lambda u: f\(u\) - f\(1\)"),
        (
            lambda u: np.log(u),
            r"f must be convex on u > 0; got f\(.*\) = .*, f\(.*\) = .*, f\(.*\) = .*, where the slope",
        ),
        (lambda u: (u - 1) ** 2 - 0.3 * np.exp(-((u - 2) ** 2) * 50) * (u - 1), "f must be convex"),
        (lambda u: abs(u - 1) - 1e-10 * np.exp(-((4 * u - 8) ** 2)), "f must be convex"),  # ten digits below f itself
        (
            lambda u: np.where(u > 3, np.nan, u - 1),
            r"NaN at \d+ of \d+ ratios between 1e-12 and 1e12, the first u = 3\.0",
        ),
        (lambda u: (u**3000 - 1) / (u**3000 + 1), "NaN"),
        (lambda u: ((u - 1) ** 2).astype(np.float32), r"it rounds float64 to float32\. Leave out the cast"),
        (lambda u: np.log(np.cosh(u - 1)), r"it is inf at u = 7\d\d\..* If only its parts overflow"),
        (lambda u: np.where(u > 3, np.inf, (u - 1) ** 2), r"f must be finite on \(0, inf\); it is inf at u = 3\.0"),
        (lambda u: np.sqrt(u - 1 + 0j), "f must return a real number at every ratio u > 0"),
        (lambda u: np.outer(u, u), "f must return a real number"),
        (lambda u: u * np.log(u) * np.mean(u), "f must act on each ratio alone"),
        (lambda u: u * missing, r"f\(0\.2\) raised NameError"),  # type: ignore[name-defined]  # noqa: F821
        (lambda u: "one", "f must return a real number"),
        (lambda u: math.log(u - 0.001), r"at u = .*: (math domain error|expected a positive input)"),
    ],
)
def test_what_is_no_generator_is_refused(f, message):
    """Each with what was required, what was found and where."""
    with pytest.raises(dv.DataError, match=message):
        make(f)


def slow(u):
    """f'(u) ~ log log u, which has grown to 6.5 only at the end of the floats."""
    return u * (np.log(np.log(u + 3)) - math.log(math.log(4)))


def test_an_undecided_limit_is_asked_for():
    """log log u cannot be told from a constant: the user says, and the answer is noted."""
    with pytest.raises(dv.DataError, match=r"f'\(inf\) cannot be told .* Pass slope_at_infinity=, a number or inf"):
        make(slow)
    d = make(slow, slope_at_infinity=np.inf)
    assert d([0.5, 0.5], [1.0, 0.0]) == np.inf
    assert found(d).notes == ("f'(inf) = inf as given",)
    assert make(slow, slope_at_infinity=10.0)([0.5, 0.5], [1.0, 0.0]) > 0


def test_a_limit_that_contradicts_f_is_refused():
    """f(0) = 1 is plain to see, and so is that f'(0) = -2."""
    with pytest.raises(dv.DataError, match=r"at_zero must agree with f, which tends to 1 there; got 2"):
        make(lambda u: (u - 1) ** 2, at_zero=2.0)
    with pytest.raises(dv.DataError, match="slope_at_infinity must be a number or inf; got 'x'"):
        make(lambda u: (u - 1) ** 2, slope_at_infinity="x")  # type: ignore[arg-type]
    assert found(make(lambda u: (u - 1) ** 2, at_zero=1.0)).notes == ("f(0) = 1 as given",)


def test_the_way_f_is_written_does_not_matter():
    """Array-API code, clipping, branches by `where` and a function of SciPy are differentiated alike."""
    from scipy.special import xlogy

    def of_namespace(u):
        xp = u.__array_namespace__()
        return u * xp.log(u)

    for f in (of_namespace, lambda u: xlogy(u, u**2) / 2, lambda u: np.where(u > 0, u * np.log(u), 0.0)):
        d = make(f)
        assert found(d).derivatives == "automatic differentiation"
        assert d(P, Q) == pytest.approx(float(dv.kl(P, Q)), rel=1e-14)
    clipped = make(lambda u: np.clip(u, 1.0, np.inf) - 1)
    assert clipped(P, Q) == pytest.approx(float(dv.total_variation(P, Q)), rel=1e-14)


def test_differences_take_over_where_f_cannot_be_differentiated():
    """Assignment into an array is beyond automatic differentiation, and the answer is still right."""

    def f(u):
        out = u * np.log(u)
        out[u < 1e-200] = 0.0
        return out

    d = make(f)
    assert found(d).derivatives == "differences of its values"
    assert d(P, Q) == pytest.approx(float(dv.kl(P, Q)), rel=1e-11)
    assert d.conjugate(0.5) == pytest.approx(math.exp(-0.5), rel=1e-11)
