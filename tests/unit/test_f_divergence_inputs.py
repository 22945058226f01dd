"""What the f-divergences take, what they refuse, and in which words."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

import divergences as dv

P, Q = [0.5, 0.3, 0.2], [0.25, 0.25, 0.5]


@pytest.mark.parametrize(
    ("p", "q", "error", "message"),
    [
        (
            [0.5, 0.47],
            [0.5, 0.5],
            dv.NotNormalizedError,
            r"p must sum to one within 1e-06 .* sum of 0\.97.*normalize=True",
        ),
        ([0.5, np.nan], [0.5, 0.5], dv.DataError, r"p must be finite; got 1 NaN or infinite of 2 values.*index 1"),
        ([0.5, 0.5], [np.inf, 0.5], dv.DataError, r"q must be finite"),
        ([1.5, -0.5], [0.5, 0.5], dv.DataError, r"p must not be negative; got a minimum of -0\.5"),
        ([1.0], [0.2, 0.3, 0.5], dv.DataError, r"same number of outcomes .* got 1 and 3"),
        ([], [], dv.DataError, r"at least one outcome"),
        (1.0, 1.0, dv.DataError, r"at least one outcome.*shape \(\)"),
        ([1 + 0j], [1.0], dv.DataError, r"p must hold real numbers; got dtype complex128"),
        (["0.5", "0.5"], [0.5, 0.5], dv.DataError, r"p must hold real numbers"),
        ([None, 1.0], [0.5, 0.5], dv.DataError, r"p must hold real numbers; got dtype object"),
        (np.ma.masked_array([0.5, 0.5], [True, False]), [0.5, 0.5], dv.DataError, r"masked array"),
        (np.full((3, 2), 0.5), np.full((2, 2), 0.5), dv.DataError, r"leading axes of p and q must broadcast"),
        (torch.tensor([0.5, 0.5]), np.array([0.5, 0.5]), dv.DataError, r"NumPy arrays beside torch tensors"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), [1.0], dv.DataError, r"p must hold real numbers"),
        ([[0.5, 0.5], [1.0]], [0.5, 0.5], dv.DataError, r"p must be an array of real numbers"),
    ],
)
def test_refused_with_a_reason(p, q, error, message):
    """Unusable input is named, measured and given a remedy."""
    with pytest.raises(error, match=message):
        dv.kl(p, q)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrices_and_sparse_matrices_are_refused():
    """What is array-like in its own way is not guessed at."""
    for value in (np.matrix([[0.5, 0.5]]), csr_array(np.array([[0.5, 0.5]]))):
        with pytest.raises(dv.DataError, match="must be a plain array; got"):
            dv.kl(value, [0.5, 0.5])


def test_every_error_is_a_value_error():
    """Bad data can be caught as ValueError, bad convergence as RuntimeError."""
    assert issubclass(dv.NotNormalizedError, dv.DataError)
    assert issubclass(dv.FileFormatError, dv.DataError)
    assert issubclass(dv.DataError, ValueError)
    assert issubclass(dv.ConvergenceError, RuntimeError)


def test_sums_within_tolerance_are_rescaled():
    """A sum of 1 + 1e-9 is rescaled by rule."""
    p = np.array(P) * (1 + 1e-9)
    assert dv.kl(p, Q) == pytest.approx(dv.kl(P, Q), rel=1e-13)


def test_normalize_divides():
    """Weights are accepted on request, subnormal ones too; P against 3P is exactly 0."""
    assert dv.js(np.array(P) * 7, Q, normalize=True) == pytest.approx(dv.js(P, Q), rel=1e-14)
    rng = np.random.default_rng(0)
    weights = rng.uniform(size=1000)
    assert dv.js(weights, 3 * weights, normalize=True) < 1e-15
    tiny = np.array([1e-320, 3e-320])
    assert dv.kl(tiny, [0.25, 0.75], normalize=True) == pytest.approx(0, abs=1e-3)
    with pytest.raises(dv.NotNormalizedError, match="positive sum"):
        dv.js([0.0, 0.0], [0.5, 0.5], normalize=True)


def test_normalize_takes_sums_beyond_the_floats():
    """Weights whose sum overflows are divided all the same."""
    assert dv.kl([1e308, 1e308, 0.0], [0.5, 0.25, 0.25], normalize=True) == pytest.approx(np.log(2) / 2)
    with pytest.raises(dv.NotNormalizedError, match="got a sum of inf"):
        dv.kl([1e308, 1e308], [0.5, 0.5])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_to_one_in_its_own_rounding(dtype):
    """A softmax in half precision is a probability vector; the answer and the gradient keep its dtype."""
    logits = torch.linspace(-2, 2, 100).to(dtype).requires_grad_()
    p, q = torch.softmax(logits, 0), torch.full((100,), 0.01, dtype=dtype)
    value = dv.kl(p, q)
    (gradient,) = torch.autograd.grad(value, logits)
    exact = torch.softmax(logits.detach().double(), 0)
    assert value.dtype == gradient.dtype == dtype
    assert value.item() == pytest.approx(float(dv.kl(exact, torch.full((100,), 0.01).double())), rel=0.02)
    assert float(dv.js_distance(*torch.tensor([[0.5, 0.5], [0.499, 0.501]], dtype=dtype))) > 0
    with pytest.raises(dv.NotNormalizedError):
        dv.kl(torch.tensor([0.5, 0.48], dtype=dtype), torch.tensor([0.5, 0.5], dtype=dtype))


def test_messages_about_tensors_with_gradients():
    """A tensor that requires a gradient is refused in the same words, without a warning from torch."""
    good = torch.tensor([0.5, 0.5])
    for bad, message in (([1.5, -0.5], "minimum of -0.5"), ([np.nan, 0.5], "finite"), ([0.4, 0.5], "sum of 0.9")):
        with pytest.raises(dv.DataError, match=message):
            dv.kl(torch.tensor(bad, requires_grad=True), good)
    with pytest.raises(dv.DataError, match="dense tensor"):
        dv.kl(torch.eye(2).to_sparse(), torch.eye(2))


def test_large_batches_go_through_in_blocks():
    """Blocks change nothing, for arrays, tensors and broadcast shapes."""
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(300), 70)[:, None], rng.dirichlet(np.ones(300), 2)[None]
    expected = np.array([[dv.js(a[0], b) for b in q[0]] for a in p])
    assert np.array_equal(dv.js(p, q), expected)
    assert np.allclose(dv.js(torch.tensor(p), torch.tensor(q)), expected, rtol=1e-13)


def test_lower_bound_with_infinities_weights_and_kinds():
    """A mass of zero charges nothing; what cancels says nothing (-inf, never NaN); the dtype is the critic's."""
    assert dv.kl.lower_bound([np.inf, 1.0], [-np.inf, 1.0], p=[0.0, 1.0], q=[0.0, 1.0]) == 0
    assert dv.kl.lower_bound([np.inf, 1.0], [1.0, np.inf]) == -np.inf
    assert dv.kl.lower_bound([np.inf, -np.inf], [1.0, 1.0]) == -np.inf
    critic = torch.tensor([0.5, -torch.inf], requires_grad=True)
    bound = dv.kl.lower_bound(critic, critic, p=torch.tensor([1.0, 0.0]), q=torch.tensor([1.0, 0.0]))
    (gradient,) = torch.autograd.grad(bound, critic)
    assert bound.dtype == torch.float32
    assert gradient.tolist() == pytest.approx([1 - np.exp(-0.5), 0])
    with pytest.raises(dv.DataError, match=r"t_p must hold at least one critic value; got shape \(0,\)"):
        dv.kl.lower_bound([], [1.0])
    with pytest.raises(dv.DataError, match="NumPy arrays beside torch"):
        dv.kl.lower_bound(torch.zeros(2), torch.zeros(2), p=[0.5, 0.5])
    assert dv.js.optimal_critic(torch.tensor(P), torch.tensor(Q)).dtype == torch.float32


def test_kinds_and_dtypes():
    """Floats keep their dtype, integers become float64, tensors stay tensors on their device."""
    assert dv.kl(np.array(P, np.float32), np.array(Q, np.float32)).dtype == np.float32
    assert dv.kl([1, 0], [1, 0]).dtype == np.float64
    assert dv.kl(np.array([1, 0], np.uint8), np.array([1, 0], np.bool_)) == 0
    value = dv.kl(torch.tensor(P), torch.tensor(Q))
    assert isinstance(value, torch.Tensor)
    assert value.dtype == torch.float32
    assert dv.kl(P, Q) == pytest.approx(float(value), rel=1e-6)


def test_odd_memory_layouts_and_untouched_inputs():
    """Read-only, strided, Fortran-ordered and byte-swapped arrays give the same number and are not changed."""
    p = np.array(P)
    expected = dv.kl(P, Q)
    read_only = p.copy()
    read_only.flags.writeable = False
    big_endian = p.astype(">f8")
    reverse = p[::-1].copy()[::-1]
    padded = np.zeros((3, 2))
    padded[:, 0] = p
    for variant in (read_only, big_endian, reverse, padded[:, 0]):
        before = variant.copy()
        assert dv.kl(variant, Q) == expected
        assert np.array_equal(variant, before)
    fortran = np.asfortranarray(np.stack([p, p]))
    assert dv.kl(fortran, Q).tolist() == [expected, expected]


def test_batches_broadcast():
    """Leading axes broadcast; the last one holds the outcomes."""
    p = np.stack([P, Q])
    matrix = dv.js(p[:, None], p[None, :])
    assert matrix.shape == (2, 2)
    assert matrix[0, 1] == matrix[1, 0] == pytest.approx(dv.js(P, Q), rel=1e-15)
    assert matrix[0, 0] == matrix[1, 1] == 0


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        # Nearly equal float32 vectors, where scipy.spatial.distance.jensenshannon returns NaN.
        (
            lambda: dv.js_distance(
                np.array([0.027501475, 0.055202297], np.float32),
                np.array([0.027537677, 0.055334348], np.float32),
                normalize=True,
            ),
            1.78833620199e-4,
        ),
        # A subnormal mass, where it returns inf.
        (lambda: dv.js_distance([0.0, 1.0], [5e-324, 1.0]), 0.0),
        (lambda: dv.js([1.0, 0.0], [0.0, 1.0]), np.log(2)),
        # Scipy's documentation.
        (lambda: dv.js_distance([1.0, 0.0], [0.5, 0.5]), 0.46450140402245893),
        # A probability of 1e-30, which torch.distributions clamps to 6e-8 (7.278 nats).
        (lambda: dv.kl(np.array([0.5, 0.5], np.float32), np.array([1e-30, 1.0], np.float32)), 33.8456),
        # 0.3 in two vectors is the same mass: no library value here may be negative.
        (lambda: dv.kl([0.36, 0.48, 0.16], [1 / 3, 1 / 3, 1 / 3]), 0.08529960131837057),
        (lambda: dv.reverse_kl([0.36, 0.48, 0.16], [1 / 3, 1 / 3, 1 / 3]), 0.09745500678538754),
        (lambda: dv.js([0.36, 0.48, 0.16], [1 / 3, 1 / 3, 1 / 3]), 0.022459860429714602),
    ],
)
def test_golden_values(call, expected):
    """Numbers from the literature, several of which other libraries get wrong."""
    assert float(call()) == pytest.approx(expected, rel=2e-4 if expected == 1.78833620199e-4 else 1e-6, abs=1e-160)


def test_absolute_continuity():
    """P > 0 = q makes KL infinite and leaves the bounded divergences finite."""
    p, q = [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]
    for d in (dv.kl, dv.reverse_kl, dv.pearson, dv.neyman, dv.jeffreys):
        assert d(p, q) == np.inf
    assert dv.total_variation(p, q) == 0.5
    assert dv.squared_hellinger(p, q) == pytest.approx(1)
    assert dv.js(p, q) == pytest.approx(np.log(2) / 2)
    assert dv.kl.contributions(p, q).tolist() == [np.inf, 0, 0.5]


@pytest.mark.parametrize("factor", [0, -1, np.inf, np.nan])
def test_multiples_are_positive(factor):
    """Only a positive finite multiple of an f-divergence is one."""
    with pytest.raises(dv.DataError, match="factor must be a finite number above 0"):
        dv.kl.__mul__(factor)


def test_generator_and_derivative_refuse_what_has_no_value():
    """A ratio is not negative where a derivative is asked for; NaN and inf are refused."""
    assert dv.kl.generator(-1.0) == np.inf
    with pytest.raises(dv.DataError, match="u must be a ratio of masses"):
        dv.kl.derivative(-1.0)
    with pytest.raises(dv.DataError, match="u must not hold NaN"):
        dv.kl.generator(np.nan)
    with pytest.raises(dv.DataError, match="u must be finite"):
        dv.kl.generator(np.inf)


def test_catalogue_is_fixed():
    """Thirteen in this order, each name is its entry's, and the mapping cannot be changed."""
    names = [
        "kl",
        "reverse_kl",
        "js",
        "total_variation",
        "pearson",
        "neyman",
        "squared_hellinger",
        "jeffreys",
        "le_cam",
        "gan",
        "weighted_js",
        "alpha",
        "hockey_stick",
    ]
    assert list(dv.CATALOGUE) == names
    assert all(d.name.split("(")[0] == name for name, d in dv.CATALOGUE.items())
    with pytest.raises(TypeError):
        dv.CATALOGUE["kl"] = dv.js  # type: ignore[index]
