"""Composite blocks written out as primitives."""

from __future__ import annotations

from students.architectures.blocks import (
    Activation,
    Attention,
    BatchNorm,
    Block,
    ConformerLayer,
    Conv1d,
    Gate,
    LayerNorm,
    Linear,
    Parallel,
    Permute,
    Reduce,
    Repeat,
    Reshape,
    Residual,
    RmsNorm,
    Scale,
    TcnBlock,
    TransformerLayer,
    WeightedSum,
)


def expand(block: Block, shape: tuple[int, ...]) -> tuple[Block, ...] | None:
    """Return the primitives a composite stands for on a signal of a shape; None where it is a primitive."""
    match block:
        case Repeat():
            return block.layers * block.times
        case Residual():
            return (Parallel(kind="parallel", join="add", branches=(block.layers, block.shortcut)),)
        case WeightedSum():
            return _weighted_sum(*shape)
        case TransformerLayer():
            return _transformer(block, shape)
        case ConformerLayer():
            return _conformer(block, shape[-1])
        case TcnBlock():
            return _tcn(block, shape[0])
        case _:
            return None


def _added(*layers: Block) -> Residual:
    return Residual(kind="residual", layers=layers)


def _weighted_sum(nodes: int, steps: int) -> tuple[Block, ...]:
    weights: tuple[Block, ...] = (
        Reduce(kind="mean", axes=(2,)),
        Linear(kind="linear", out=nodes),
        Activation(kind="activation", function="softmax"),
        Reshape(kind="reshape", shape=(nodes, 1)),
    )
    weighted = Parallel(kind="parallel", join="multiply", branches=((), weights))
    return weighted, Reduce(kind="sum", axes=(1,)), Reshape(kind="reshape", shape=(1, steps))


def _transformer(block: TransformerLayer, shape: tuple[int, ...]) -> tuple[Block, ...]:
    size = shape[-1]
    norm: Block = LayerNorm(kind="layer_norm") if block.norm_kind == "layer_norm" else RmsNorm(kind="rms_norm")
    attention = Attention(kind="attention", heads=block.heads, head_size=block.head_size, bias=block.bias)
    hidden: tuple[Block, ...] = (
        Linear(kind="linear", out=block.feed_forward, bias=block.bias),
        Activation(kind="activation", function=block.function),
    )
    if block.network == "gated":
        hidden = (
            Linear(kind="linear", out=2 * block.feed_forward, bias=block.bias),
            Gate(kind="gate", axis=len(shape), function=block.function),
        )
    network = (*hidden, Linear(kind="linear", out=size, bias=block.bias))
    if block.norm == "pre":
        return _added(norm, attention), _added(norm, *network)
    return _added(attention), norm, _added(*network), norm


def _conformer(block: ConformerLayer, size: int) -> tuple[Block, ...]:
    norm = LayerNorm(kind="layer_norm")
    half = (
        norm,
        Linear(kind="linear", out=block.feed_forward),
        Activation(kind="activation", function="silu"),
        Linear(kind="linear", out=size),
        Scale(kind="scale", factor=0.5),
    )
    turn = Permute(kind="permute", order=(2, 1))
    convolution = (
        norm,
        turn,
        Conv1d(kind="conv1d", out=2 * size, kernel=1),
        Gate(kind="gate", axis=1),
        Conv1d(kind="conv1d", out=size, kernel=block.kernel, padding="same", groups="depthwise"),
        BatchNorm(kind="batch_norm"),
        Activation(kind="activation", function="silu"),
        Conv1d(kind="conv1d", out=size, kernel=1),
        turn,
    )
    attention = Attention(kind="attention", heads=block.heads)
    return _added(*half), _added(norm, attention), _added(*convolution), _added(*half), norm


def _tcn(block: TcnBlock, inputs: int) -> tuple[Block, ...]:
    bias = block.bias
    layers: list[Block] = []
    for _ in range(2):
        sizes = {"out": block.out, "kernel": block.kernel, "dilation": block.dilation}
        layers.append(Conv1d(kind="conv1d", **sizes, padding="causal", bias=bias))
        if block.norm == "batch_norm":
            layers.append(BatchNorm(kind="batch_norm"))
        layers.append(Activation(kind="activation", function=block.function))
    match_width = (Conv1d(kind="conv1d", out=block.out, kernel=1, bias=bias),) if inputs != block.out else ()
    return (
        Residual(kind="residual", layers=tuple(layers), shortcut=match_width),
        Activation(kind="activation", function=block.function),
    )
