"""Laws over the constraints; each law is also shown to reject a planted error."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from divergences.errors import DataError
from gan.constraints import SpectralNorm, WeightClipping, spectral_norms
from gan.networks import Perceptron
from gan.random import Stream

NETWORK = Perceptron((3, 7, 5, 1))
EVERY = pytest.mark.parametrize(
    "constraint", [WeightClipping(0.1), SpectralNorm(), SpectralNorm(iterations=3)], ids=repr
)


def weights(seeds=(0, 1, 2), dtype=torch.float64):
    """Parameters of a critic, biases included, that no constraint has seen."""
    parameters = NETWORK.initial(torch.tensor(seeds), Stream.CRITIC_WEIGHTS, dtype=dtype)
    return parameters + 0.05 * torch.arange(1, NETWORK.size + 1, dtype=dtype).cos()


def after(constraint, steps, seeds=(0, 1, 2), dtype=torch.float64):
    """(parameters, memory) after steps of an optimiser that shrinks and turns the weights."""
    parameters = weights(seeds, dtype)
    memory = constraint.initial(parameters, NETWORK)
    for step in range(steps):
        parameters = 0.9 * parameters + 0.1 * (parameters * (step + 1)).sin()
        memory = constraint.after_step(parameters, memory, NETWORK)
    return parameters, memory


def blocks(parameters, network=NETWORK):
    """The weight matrices, cut out one seed and one layer at a time."""
    return [
        [row[offset : offset + r * c].reshape(r, c) for offset, r, c in network.matrices] for row in parameters.detach()
    ]


def norm_error(constraint):
    """How far the largest singular values of effective matrices are from one, after many power iterations."""
    parameters, memory = after(constraint, 3)
    for _ in range(300):
        memory = constraint.after_step(parameters, memory, NETWORK)
    effective = constraint.effective(parameters, memory, NETWORK)
    norms = [[float(torch.linalg.matrix_norm(w, 2)) for w in seed] for seed in blocks(effective)]
    return float((torch.tensor(norms) - 1).abs().max())


def test_spectral_norm_is_one():
    """W / sigma has largest singular value one: at once, since the memory starts exact, and after many iterations."""
    assert norm_error(SpectralNorm()) < 1e-9
    parameters = weights()
    effective = SpectralNorm().effective(parameters, SpectralNorm().initial(parameters, NETWORK), NETWORK)
    assert torch.allclose(spectral_norms(effective, NETWORK), torch.ones(3, 3, dtype=torch.float64), atol=1e-12)


@dataclass(frozen=True)
class Frozen(SpectralNorm):
    """Power iteration that never iterates."""

    def after_step(self, parameters, memory, network):
        return memory


@dataclass(frozen=True)
class Frobenius(SpectralNorm):
    """Divides by the wrong norm."""

    def effective(self, parameters, memory, network):
        pieces, end = [], 0
        for offset, rows, columns in network.matrices:
            w = parameters[:, offset : offset + rows * columns]
            pieces += [parameters[:, end:offset], w / w.norm(dim=1, keepdim=True)]
            end = offset + rows * columns
        return torch.cat((*pieces, parameters[:, end:]), dim=1)


def test_spectral_norm_is_one_bites():
    """Too large a divisor and a memory that does not follow the weights are rejected."""
    assert norm_error(Frobenius()) > 1e-3
    assert norm_error(Frozen()) > 1e-3


def test_one_iteration_a_step_suffices():
    """While weights change slowly, one iteration a step keeps sigma within a hundredth; it is never too large."""
    constraint, parameters = SpectralNorm(), weights()
    memory = constraint.initial(parameters, NETWORK)
    for step in range(100):
        parameters = parameters + 0.01 * (parameters * (step + 1)).sin()
        memory = constraint.after_step(parameters, memory, NETWORK)
    norms = spectral_norms(constraint.effective(parameters, memory, NETWORK), NETWORK)
    assert bool((norms >= 1 - 1e-12).all())
    assert bool((norms < 1.01).all())


def gradient_error(constraint):
    """How far the gradient of a function of W / (v'W u) is from finite differences at fixed u and v."""
    parameters, memory = after(constraint, 2)
    direction = (torch.arange(NETWORK.size, dtype=torch.float64) ** 2).sin()
    vs: dict[str, torch.Tensor] = {}

    def fixed(x):
        """The effective parameters by NumPy's notation, u and v held where they are."""
        out = x.clone()
        for (name, u), (offset, rows, columns) in zip(memory.items(), NETWORK.matrices, strict=True):
            w = x[:, offset : offset + rows * columns].reshape(-1, rows, columns)
            if name not in vs:
                v = torch.einsum("sij,sj->si", w, u)
                vs[name] = v / v.norm(dim=1, keepdim=True)
            sigma = torch.einsum("si,sij,sj->s", vs[name], w, u)
            out[:, offset : offset + rows * columns] = (w / sigma[:, None, None]).flatten(1)
        return (out.sin() * direction).sum(1)

    fixed(parameters)
    x = parameters.clone().requires_grad_()
    loss = (constraint.effective(x, memory, NETWORK).sin() * direction).sum()
    (gradient,) = torch.autograd.grad(loss, x)
    h = 1e-5
    steps = torch.eye(NETWORK.size, dtype=torch.float64) * h
    finite = torch.stack([(fixed(parameters + e) - fixed(parameters - e)) / (2 * h) for e in steps], dim=1)
    return float((gradient - finite).abs().max() / finite.abs().max())


def test_gradient_treats_u_and_v_as_constants():
    """The gradient is that of W / (v'W u), u and v fixed; one that takes sigma for a constant is rejected."""

    class Detached(SpectralNorm):
        def effective(self, parameters, memory, network):
            ratio = (super().effective(parameters, memory, network) / parameters).detach()
            return parameters * ratio

    assert gradient_error(SpectralNorm()) < 1e-8
    assert gradient_error(Detached()) > 1e-2


def test_spectral_norm_leaves_the_rest():
    """Biases and a scalar between matrices are untouched; zero matrices stay zero, with a finite gradient."""
    network = SimpleNamespace(matrices=((1, 2, 2), (6, 1, 3)))
    parameters = torch.tensor([[9.0, 2.0, 0.0, 0.0, 1.0, 8.0, 0.0, 0.0, 0.0, 7.0]], requires_grad=True)
    memory = SpectralNorm().initial(parameters, network)
    effective = SpectralNorm().effective(parameters, memory, network)
    assert effective.tolist() == [[9.0, 1.0, 0.0, 0.0, 0.5, 8.0, 0.0, 0.0, 0.0, 7.0]]
    (gradient,) = torch.autograd.grad(effective.sum(), parameters)
    assert bool(gradient.isfinite().all())
    assert all(bool(u.isfinite().all()) for u in SpectralNorm().after_step(parameters, memory, network).values())


def test_spectral_norm_finds_its_way_out_of_the_kernel():
    """A u with W u = 0 recovers; scales near the ends of the floats do no harm."""
    network = SimpleNamespace(matrices=((0, 2, 2),))
    for scale in (1.0, 1e-300, 1e-200, 1e200, 1e300):
        parameters = torch.tensor([[0.0, 0.0, 3.0, 0.0]], dtype=torch.float64) * scale
        memory = {"u0": torch.tensor([[0.0, 1.0]], dtype=torch.float64)}
        for _ in range(2):
            memory = SpectralNorm().after_step(parameters, memory, network)
        effective = SpectralNorm().effective(parameters, memory, network)
        assert effective.tolist() == [pytest.approx([0.0, 0.0, 1.0, 0.0], rel=1e-12)]


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_seeds_do_not_mix(constraint, dtype):
    """A seed's effective parameters are those of the seed by itself; a lost seed stays the only one lost."""
    together, memory = after(constraint, 4, dtype=dtype)
    effective = constraint.effective(together, memory, NETWORK)
    assert (effective.dtype, effective.shape) == (dtype, together.shape)
    for k in range(3):
        alone, own = after(constraint, 4, seeds=(k,), dtype=dtype)
        assert torch.allclose(constraint.effective(alone, own, NETWORK)[0], effective[k], rtol=0, atol=1e-6)
    lost = together.clone()
    lost[1] = torch.nan
    memory = constraint.after_step(lost, memory, NETWORK)
    found = constraint.effective(lost, memory, NETWORK)
    assert bool(found[[0, 2]].isfinite().all())
    assert bool(found[1].isnan().all())


def test_seeds_do_not_mix_bites():
    """One power iteration on the mean of the seeds' matrices is rejected by the law above."""

    @dataclass(frozen=True)
    class Pooled(SpectralNorm):
        def after_step(self, parameters, memory, network):
            return super().after_step(parameters.mean(0, keepdim=True).expand_as(parameters), memory, network)

    with pytest.raises(AssertionError):
        test_seeds_do_not_mix(Pooled(), torch.float64)


def test_clipping():
    """Clipping projects in place, at the start as after a step, and is otherwise the identity."""
    constraint, parameters = WeightClipping(0.1), weights()
    before = parameters.clone()
    assert constraint.initial(parameters, NETWORK) == {}
    assert torch.equal(parameters, before.clamp(-0.1, 0.1))
    assert not torch.equal(parameters, before)
    assert constraint.effective(parameters, {}, NETWORK) is parameters
    parameters += 1
    constraint.after_step(parameters, {}, NETWORK)
    assert bool((parameters == 0.1).all())


def test_spectral_norms_of_all_and_lost_seeds():
    """The exact norms are those of each matrix by itself; a seed with NaN or inf has NaN; no matrices, no norms."""
    parameters = weights()
    expected = torch.tensor([[float(torch.linalg.matrix_norm(w, 2)) for w in seed] for seed in blocks(parameters)])
    assert torch.allclose(spectral_norms(parameters, NETWORK).float(), expected, rtol=1e-6)
    parameters[0, 1], parameters[2, -2] = torch.nan, torch.inf
    norms = spectral_norms(parameters, NETWORK)
    assert norms.isnan().tolist() == [[True, False, False], [False] * 3, [False, False, True]]
    assert spectral_norms(parameters, SimpleNamespace(matrices=())).shape == (3, 0)


@pytest.mark.parametrize("bound", [0, -1.0, float("nan"), "0.1", True])
def test_bad_constraints(bound):
    """A bound and a number of iterations must make sense."""
    with pytest.raises(DataError, match="bound must be"):
        WeightClipping(bound)
    with pytest.raises(DataError, match="iterations must be"):
        SpectralNorm(0 if bound is True else bound)
