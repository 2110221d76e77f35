"""Networks written in ways of their own, 6 channels of 8 steps in: products worked by hand beside each."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from students.counting import observe

pytestmark = [
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad"),
    pytest.mark.filterwarnings("ignore:`torch.jit"),
]
CHANNELS, STEPS = 6, 8


class Fn(nn.Module):
    """A function of the module and its signal; what it holds is given by name."""

    def __init__(self, function, **held) -> None:
        super().__init__()
        self.function = function
        for name, one in held.items():
            setattr(self, name, one)

    def forward(self, x):
        return self.function(self, x)


def weight(*shape: int, dtype=torch.float32) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, dtype=dtype))


def counted(model: nn.Module, signal: torch.Tensor):
    return observe(model, signal, name="net", mode="window", step_rate_hz=50.0, input_bits=32)


def lstm(s, x):
    h = c = torch.zeros(len(x), 4)
    for t in range(x.shape[-1]):
        gates = functional.linear(x[..., t], s.a, s.b) + functional.linear(h, s.u)
        i, f, z, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * z.tanh()
        h = o.sigmoid() * c.tanh()
    return h


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x > 0).float()

    @staticmethod
    def backward(ctx, g):
        return g


def written_into(s, x):
    y = x.clone()
    y[:, :3].mul_(2)
    y[:, 3:] += 1
    view = y.view(len(x), 2, 3, 8)
    view[:, 0] = view[:, 1]
    return s.l(y)


def attended(s, x):
    scores = torch.einsum("bci,bcj->bij", s.w @ x, x)
    return torch.einsum("bij,bcj->bci", scores.softmax(-1), x)


def mixed(s, x):
    experts = torch.stack([one(x) for one in s.e], -1)
    return (experts * s.g(x).softmax(-1).unsqueeze(-2)).sum(-1)


def autocast(s, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return s.l(x).float()


def linear() -> nn.Linear:
    return nn.Linear(8, 4)


ROWS = CHANNELS * 8 * 4
"""Of a layer 8 to 4 over the last axis."""
TIED = nn.Linear(8, 8)
NETWORKS = {
    "grouped transposed convolution": (nn.ConvTranspose1d(6, 4, 3, stride=2, groups=2), 2 * 6 * 3 * 8),
    "dilated causal convolution": (
        Fn(lambda s, x: s.c(functional.pad(x, (4, 0))), c=nn.Conv1d(6, 5, 3, dilation=2)), 5 * 6 * 3 * 8,
    ),
    "attention by einsum": (Fn(attended, w=weight(6, 6)), 6 * 6 * 8 + 2 * 8 * 8 * 6),
    "bmm in a loop": (Fn(lambda s, x: sum(torch.bmm(x, x.mT) for _ in range(3))), 3 * 6 * 6 * 8),
    "tied weights": (nn.Sequential(TIED, nn.ReLU(), TIED), 2 * 6 * 64),
    "weight norm": (parametrizations.weight_norm(nn.Conv1d(6, 4, 3)), 4 * 6 * 3 * 6),
    "spectral norm": (parametrizations.spectral_norm(linear()), ROWS),
    "complex spectral mixing": (
        Fn(
            lambda s, x: torch.fft.irfft(torch.einsum("bim,iom->bom", torch.fft.rfft(x), s.w), n=8),
            w=weight(6, 4, 5, dtype=torch.cfloat),
        ),
        4 * 6 * 4 * 5,  # four real products a complex one
    ),
    "functional LSTM": (Fn(lstm, a=weight(16, 6), b=weight(16), u=weight(16, 4)), 8 * (16 * 6 + 16 * 4)),
    "own gradient": (Fn(lambda s, x: s.l(Step.apply(x)), l=linear()), ROWS),
    "scripted": (torch.jit.script(nn.Sequential(linear(), nn.ReLU())), ROWS),
    "compiled": (torch.compile(nn.Sequential(linear(), nn.ReLU()), backend="eager"), ROWS),
    "vmap": (Fn(lambda s, x: torch.vmap(s.l)(x), l=linear()), ROWS),
    "vmap of a product": (Fn(lambda s, x: torch.vmap(lambda one: s.w @ one)(x), w=weight(4, 6)), 4 * 6 * 8),
    "checkpointed": (Fn(lambda s, x: checkpoint(s.l, x, use_reentrant=False), l=linear()), ROWS),
    "checkpointed, reentrant": (Fn(lambda s, x: checkpoint(s.l, x, use_reentrant=True), l=linear()), ROWS),
    "copied in forward": (Fn(lambda s, x: copy.deepcopy(s.l)(x), l=linear()), ROWS),
    "views written into": (Fn(written_into, l=linear()), ROWS),
    "autocast": (Fn(autocast, l=linear()), ROWS),
    "functional call": (
        Fn(lambda s, x: torch.func.functional_call(s.l, {"weight": s.w}, (x,)), l=linear(), w=weight(4, 8)), ROWS,
    ),
    "tensordot": (Fn(lambda s, x: torch.tensordot(x, s.w, dims=([1], [0])), w=weight(6, 5)), 6 * 5 * 8),
    "Kronecker product of weights": (
        Fn(lambda s, x: torch.kron(s.a, s.b) @ x.flatten(1).t(), a=weight(2, 6), b=weight(3, 8)), 6 * 48,
    ),
    "low rank, multiplied before": (Fn(lambda s, x: x @ (s.u @ s.v), u=weight(8, 2), v=weight(2, 5)), 6 * 8 * 5),
    "experts": (
        Fn(mixed, e=nn.ModuleList(nn.Linear(8, 5) for _ in range(3)), g=nn.Linear(8, 3)), 6 * (3 * 40 + 24),
    ),
    "patches": (Fn(lambda s, x: s.w @ functional.unfold(x[:, None], (6, 3)), w=weight(5, 18)), 5 * 18 * 6),
    "several weights at once": (
        Fn(lambda s, x: torch.stack([torch.linalg.multi_dot([s.a, s.b, one]) for one in x]), a=weight(4, 6),
           b=weight(6, 6)),
        4 * 6 * 8,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_products_as_worked_by_hand(name):
    torch.manual_seed(0)
    model, products = NETWORKS[name]
    work = counted(model, torch.randn(3, CHANNELS, STEPS))
    assert work.complete, work.uncounted
    assert work.products.dense_full.mean == products


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    work = counted(nn.Sequential(linear()).to(dtype), torch.randn(3, CHANNELS, STEPS).to(dtype))
    (layer,) = work.layers
    assert (layer.products.dense_full.mean, layer.weight_bits, layer.output_bits) == (ROWS, 16, 32)


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_in_a_layer_are_listed(layout):
    def ragged(s, x):
        rows = torch.nested.nested_tensor(list(x.mT), layout=layout)
        return torch.nested.to_padded_tensor(s.f(rows), 0.0)

    work = counted(Fn(ragged, f=nn.Linear(6, 3)), torch.randn(3, CHANNELS, STEPS))
    assert {"linear"} <= {one.operation for one in work.uncounted}


def test_a_sparse_weight_is_listed():
    stored = (torch.randn(4, 6) * (torch.rand(4, 6) > 0.5)).to_sparse()
    work = counted(Fn(lambda s, x: torch.sparse.mm(s.w, x[..., 0].t()).t(), w=stored), torch.randn(3, CHANNELS, STEPS))
    assert not work.complete
