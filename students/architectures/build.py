"""From a description to an `nn.Module` with fixed random weights.

Layers are first made without storage, so shapes are known before a byte is allocated; then weights are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.architectures import blocks as kinds
from students.architectures import mixing, modules
from students.architectures.blocks import Block
from students.architectures.composites import expand
from students.architectures.schema import Architecture
from students.layers import state_space as scan

Shape = tuple[int, ...]
SEED = 0


def build_network(architecture: Architecture) -> nn.Module:
    """Return the network of a description, with weights drawn from a fixed seed.

    Raises
    ------
    StudentError
        When a layer does not fit the shape it is given, or the answer's shape is not the described one.
    """
    network = outline(architecture)
    network.to_empty(device="cpu")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
    return network.eval()


def outline(architecture: Architecture) -> nn.Module:
    """Return the network without storage: shapes and parameter counts only."""
    shape: Shape = (architecture.input.channels, architecture.input.steps)
    with torch.device("meta"):
        network, shape = _sequence(
            architecture.layers, shape, f"{architecture.name}: layers", architecture.input.rate_hz
        )
    if shape != architecture.outputs:
        raise StudentError(
            f"the answer has shape {shape}, described is {architecture.outputs}", where=architecture.name,
            remedy="Mend the layers or 'outputs'",
        )
    return network


def parameter_count(network: nn.Module) -> int:
    """Return the number of learned parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def _sequence(layers: Sequence[Block], shape: Shape, path: str, rate_hz: float) -> tuple[nn.Sequential, Shape]:
    """Return the layers in order and the shape that leaves them; names are kinds, numbered where they recur."""
    sequence, seen = nn.Sequential(), dict[str, int]()
    for place, block in enumerate(layers):
        where = f"{path}[{place}] ({block.kind})"
        parts = expand(block, shape)
        try:
            if parts is not None:
                module, after = _sequence(parts, shape, where, rate_hz)
            else:
                module = _module(block, shape, where, rate_hz)
                after = tuple(_run(module, shape).shape[1:])
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise StudentError(
                f"does not fit a signal of shape {shape}: {error}", where=where, remedy="Mend its sizes"
            ) from error
        seen[block.kind] = seen.get(block.kind, 0) + 1
        name = block.kind if seen[block.kind] == 1 else f"{block.kind}_{seen[block.kind]}"
        sequence.add_module(name, module)
        shape = after
    return sequence, shape


def _run(module: nn.Module, shape: Shape) -> Tensor:
    with torch.inference_mode():
        dtype = torch.int64 if isinstance(module, nn.Embedding) else torch.float32
        return module.eval()(torch.empty(1, *shape, dtype=dtype))


def _module(block: Block, shape: Shape, path: str, rate_hz: float) -> nn.Module:
    """Return one primitive for a signal of a shape."""
    if isinstance(block, kinds.Parallel):
        branches = [
            _sequence(branch, shape, f"{path}.branches[{place}]", rate_hz)[0]
            for place, branch in enumerate(block.branches)
        ]
        return modules.Parallel(branches, block.join, block.axis)
    if isinstance(block, kinds.Wavelets):
        ratio = (block.high_hz / block.low_hz) ** (1 / max(block.count - 1, 1))
        frequencies = [block.low_hz * ratio**place for place in range(block.count)]
        return modules.Wavelets(frequencies, block.cycles, block.kernel, rate_hz)
    made = _product(block, shape) or _pointwise(block, shape)
    return _movement(block) if made is None else made


def _product(block: Block, shape: Shape) -> nn.Module | None:
    """Return a layer that holds weights and products; None for other kinds."""
    match block:
        case kinds.Conv1d() | kinds.Conv2d():
            return _convolution(block, shape[0])
        case kinds.Linear():
            return nn.Linear(shape[-1], block.out, bias=block.bias)
        case kinds.Recurrent():
            return modules.Recurrent(block, shape[-1])
        case kinds.Attention():
            head = block.head_size or _whole(shape[-1], block.heads)
            return mixing.Attention(block, shape[-2], shape[-1], head)
        case kinds.LinearAttention():
            return mixing.LinearAttention(shape[-1], block.size, block.bias)
        case kinds.GraphAttention():
            return mixing.GraphAttention(shape[-1], block.heads, block.out)
        case kinds.GraphFilter():
            return mixing.GraphFilter(shape[0], block.order, block.edges)
        case kinds.Mamba():
            return mixing.Mamba(shape[-1], block.inner, block.state, block.kernel, block.rank)
        case kinds.DiagonalStateSpace():
            return scan.DiagonalStateSpace(shape[0], block.state)
        case kinds.Embedding():
            return nn.Embedding(block.entries, block.size)
        case _:
            return None


def _whole(size: int, parts: int) -> int:
    if size % parts:
        raise ValueError(f"{parts} do not divide {size}")
    return size // parts


def _convolution(block: kinds.Conv1d | kinds.Conv2d, inputs: int) -> nn.Module:
    groups = inputs if block.groups == "depthwise" else block.groups
    if isinstance(block, kinds.Conv2d):
        sizes = block.kernel, block.stride, block.padding, block.dilation
        return nn.Conv2d(inputs, block.out, *sizes, groups, block.bias)
    padding = 0 if block.padding == "causal" else block.padding
    convolution = nn.Conv1d(
        inputs, block.out, block.kernel, block.stride, padding, block.dilation, groups, block.bias
    )
    if block.padding != "causal":
        return convolution
    return nn.Sequential(nn.ConstantPad1d(((block.kernel - 1) * block.dilation, 0), 0.0), convolution)


def _pointwise(block: Block, shape: Shape) -> nn.Module | None:
    """Return a norm, function, pool or learned constant; None for other kinds."""
    match block:
        case kinds.BatchNorm():
            return (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0])
        case kinds.LayerNorm():
            return nn.LayerNorm(shape[-1], bias=block.bias)
        case kinds.RmsNorm():
            return modules.RmsNorm(shape[-1])
        case kinds.GroupNorm():
            return modules.GroupNorm(block.groups, shape[0])
        case kinds.Activation():
            return modules.Apply(block.function)
        case kinds.Pool():
            return _pool(block)
        case kinds.Reduce():
            return modules.Reduce(block.kind, block.axes)
        case kinds.Gate():
            return modules.Gate(block.axis, block.function)
        case kinds.LearnedOffset():
            kept = [size if axis in block.axes else 1 for axis, size in enumerate(shape, 1)]
            return modules.LearnedOffset(kept, block.axes[0], block.stored or 0)
        case kinds.Spectrum():
            return modules.Spectrum(shape[-1])
        case kinds.LearnedTokens():
            return modules.LearnedTokens(block.count, shape[-1])
        case kinds.Scale():
            return modules.Scale(block.factor)
        case _:
            return None


def _pool(block: kinds.Pool) -> nn.Module:
    kernel, stride = tuple(block.kernel), tuple(block.stride or block.kernel)
    padding = tuple(block.padding or (0,) * len(kernel))
    if block.function == "average":
        return (nn.AvgPool1d if len(kernel) == 1 else nn.AvgPool2d)(kernel, stride, padding)  # type: ignore[arg-type]
    return (nn.MaxPool1d if len(kernel) == 1 else nn.MaxPool2d)(kernel, stride, padding)  # type: ignore[arg-type]


def _movement(block: Block) -> nn.Module:
    """Return a layer that only moves numbers."""
    match block:
        case kinds.Reshape():
            return modules.Reshape(block.shape)
        case kinds.Permute():
            return modules.Move("permute", (0, *block.order))
        case kinds.Slice():
            return modules.Move("narrow", block.axis, block.start, block.stop - block.start)
        case kinds.Pad():
            return modules.Pad(block.axis, block.before, block.after)
        case kinds.Flip():
            return modules.Move("flip", (block.axis,))
        case _:
            raise TypeError(f"no module for {block.kind!r}")

