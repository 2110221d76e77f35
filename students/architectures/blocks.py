"""The vocabulary of layers. Shapes leave out the batch axis; ``same`` pads an output to the input's length.

Primitives are one module each; composites (`residual`, `transformer_layer`, ...) are written out as primitives in
``composites.py``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from energy_models.quantities import Frozen

Pair = tuple[PositiveInt, PositiveInt]
Node = Annotated[int, Field(ge=0)]
Groups = PositiveInt | Literal["depthwise"]
Function = Literal["relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "square", "log", "softmax"]


class Conv1d(Frozen):
    """Convolution over steps, ``(channels, steps)``; ``causal`` pads the past only."""

    kind: Literal["conv1d"]
    out: PositiveInt
    kernel: PositiveInt
    stride: PositiveInt = 1
    dilation: PositiveInt = 1
    padding: Annotated[int, Field(ge=0)] | Literal["same", "causal"] = 0
    groups: Groups = 1
    bias: bool = True


class Conv2d(Frozen):
    """Convolution over two axes, ``(maps, rows, columns)``; kernels are ``[rows, columns]``."""

    kind: Literal["conv2d"]
    out: PositiveInt
    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | Literal["same"] = (0, 0)
    groups: Groups = 1
    bias: bool = True


class Linear(Frozen):
    """Fully connected layer over the last axis."""

    kind: Literal["linear"]
    out: PositiveInt
    bias: bool = True


class BatchNorm(Frozen):
    """Batch norm over the first axis, with the statistics of training."""

    kind: Literal["batch_norm"]


class LayerNorm(Frozen):
    """Layer norm over the last axis."""

    kind: Literal["layer_norm"]
    bias: bool = True


class RmsNorm(Frozen):
    """Root-mean-square norm over the last axis."""

    kind: Literal["rms_norm"]


class GroupNorm(Frozen):
    """Group norm over the first axis and all positions."""

    kind: Literal["group_norm"]
    groups: PositiveInt


class Activation(Frozen):
    """Function of every element; ``softmax`` over the last axis."""

    kind: Literal["activation"]
    function: Function


class Pool(Frozen):
    """Pooling over the trailing axes; one kernel size an axis."""

    kind: Literal["pool"]
    function: Literal["average", "maximum"]
    kernel: tuple[PositiveInt, ...] = Field(min_length=1, max_length=2)
    stride: tuple[PositiveInt, ...] | None = None
    padding: tuple[Annotated[int, Field(ge=0)], ...] | None = None

    @model_validator(mode="after")
    def _one_size_an_axis(self) -> Self:
        for name in ("stride", "padding"):
            sizes = getattr(self, name)
            if sizes is not None and len(sizes) != len(self.kernel):
                raise ValueError(f"{name} has {len(sizes)} sizes, kernel has {len(self.kernel)}")
        return self


class Reduce(Frozen):
    """Mean or sum over axes (1 is the first after the batch)."""

    kind: Literal["mean", "sum"]
    axes: tuple[PositiveInt, ...] = Field(min_length=1)


class Gate(Frozen):
    """First half of an axis times a function of its second half (GLU: sigmoid, GEGLU: gelu, SwiGLU: silu)."""

    kind: Literal["gate"]
    axis: PositiveInt
    function: Function = "sigmoid"


class Recurrent(Frozen):
    """Recurrent layers over ``(steps, features)``; ``last`` keeps the last step only."""

    kind: Literal["gru", "lstm"]
    hidden: PositiveInt
    layers: PositiveInt = 1
    directions: Literal[1, 2] = 1
    output: Literal["sequence", "last"] = "sequence"


class Attention(Frozen):
    """Multi-head softmax attention over ``(..., tokens, features)``; with `queries`, so many learned ones ask.

    ``rotary`` turns queries and keys by their position (Su et al. 2021, arXiv 2104.09864); ``norm`` normalises them in
    each head (Henry et al. 2020, arXiv 2010.04245).
    """

    kind: Literal["attention"]
    heads: PositiveInt
    head_size: PositiveInt | None = None
    queries: PositiveInt | None = None
    positions: Literal["none", "rotary"] = "none"
    norm: Literal["none", "layer_norm"] = "none"
    bias: bool = True


class LinearAttention(Frozen):
    """Single-head attention with ReLU features: ``q (sum k v^T) / (q . sum k)``."""

    kind: Literal["linear_attention"]
    size: PositiveInt
    bias: bool = True


class GraphAttention(Frozen):
    """Graph attention over a fully connected graph of ``(..., nodes, features)``; heads are concatenated."""

    kind: Literal["graph_attention"]
    heads: PositiveInt
    out: PositiveInt


class GraphFilter(Frozen):
    """Mixing of the nodes of ``(nodes, steps)`` by a learned polynomial of a fixed graph.

    ``sum_k w_k T_k(L)`` with Chebyshev polynomials `T_k` up to `order` and the Laplacian ``L`` scaled to -1 to 1
    (Defferrard et al. 2016, arXiv 1606.09375); `edges` joins pairs of nodes, counted from 0, in both directions.
    """

    kind: Literal["graph_filter"]
    order: PositiveInt
    edges: tuple[tuple[Node, Node], ...] = Field(min_length=1)


class Mamba(Frozen):
    """Selective state-space block over ``(tokens, features)``."""

    kind: Literal["mamba"]
    inner: PositiveInt
    state: PositiveInt
    kernel: PositiveInt
    rank: PositiveInt


class DiagonalStateSpace(Frozen):
    """Diagonal state-space layer (S4D) over ``(channels, steps)`` with complex states, run step by step."""

    kind: Literal["diagonal_state_space"]
    state: PositiveInt


class Embedding(Frozen):
    """Table look-up of integer inputs; each becomes `size` features on a new last axis."""

    kind: Literal["embedding"]
    entries: PositiveInt
    size: PositiveInt


class LearnedOffset(Frozen):
    """Learned numbers added to the signal (position embedding), varying over `axes`; all other axes share them.

    Where more positions are `stored` along the first of the axes than the signal has, the first ones are used.
    """

    kind: Literal["learned_offset"]
    axes: tuple[PositiveInt, ...] = Field(min_length=1)
    stored: PositiveInt | None = None


class LearnedTokens(Frozen):
    """Learned tokens put in front of ``(..., tokens, features)``."""

    kind: Literal["learned_tokens"]
    count: PositiveInt


class Wavelets(Frozen):
    """Magnitude of complex Morlet wavelets of every channel, ``(channels, steps)`` to ``(count * channels, steps)``."""

    kind: Literal["wavelets"]
    count: PositiveInt
    low_hz: Annotated[float, Field(gt=0)]
    high_hz: Annotated[float, Field(gt=0)]
    cycles: Annotated[float, Field(gt=0)]
    kernel: PositiveInt


class Spectrum(Frozen):
    """Magnitudes and phases of the real Fourier transform over the last axis, run as a product with fixed tables."""

    kind: Literal["spectrum"]


class Reshape(Frozen):
    """Row-major reshape; one size may be -1."""

    kind: Literal["reshape"]
    shape: tuple[int, ...] = Field(min_length=1)


class Permute(Frozen):
    """Axes in a new order, the first after the batch being 1."""

    kind: Literal["permute"]
    order: tuple[PositiveInt, ...] = Field(min_length=2)


class Slice(Frozen):
    """Elements ``start`` to ``stop`` (exclusive) of an axis."""

    kind: Literal["slice"]
    axis: PositiveInt
    start: Annotated[int, Field(ge=0)]
    stop: PositiveInt


class Pad(Frozen):
    """Zeros before and after an axis."""

    kind: Literal["pad"]
    axis: PositiveInt
    before: Annotated[int, Field(ge=0)] = 0
    after: Annotated[int, Field(ge=0)] = 0


class Flip(Frozen):
    """An axis in reverse order."""

    kind: Literal["flip"]
    axis: PositiveInt


class Scale(Frozen):
    """Multiplication by a constant."""

    kind: Literal["scale"]
    factor: float


class Parallel(Frozen):
    """Branches that read the same signal; an empty branch is the signal itself."""

    kind: Literal["parallel"]
    join: Literal["add", "multiply", "concatenate"]
    axis: PositiveInt = 1
    branches: tuple[tuple[Block, ...], ...] = Field(min_length=2)


class Residual(Frozen):
    """Layers added to their input, or to a `shortcut` of it."""

    kind: Literal["residual"]
    layers: tuple[Block, ...] = Field(min_length=1)
    shortcut: tuple[Block, ...] = ()


class WeightedSum(Frozen):
    """Sum over the nodes of ``(nodes, steps)`` to one, by a softmax of a linear layer of their means over the steps."""

    kind: Literal["weighted_sum"]


class Repeat(Frozen):
    """Layers written out several times, each with weights of its own."""

    kind: Literal["repeat"]
    times: PositiveInt
    layers: tuple[Block, ...] = Field(min_length=1)


class TransformerLayer(Frozen):
    """Attention and a two-layer network, each added to its input; ``gated`` doubles the first layer and gates it."""

    kind: Literal["transformer_layer"]
    heads: PositiveInt
    head_size: PositiveInt | None = None
    feed_forward: PositiveInt
    norm: Literal["pre", "post"] = "pre"
    norm_kind: Literal["layer_norm", "rms_norm"] = "layer_norm"
    function: Function = "gelu"
    network: Literal["plain", "gated"] = "plain"
    bias: bool = True


class ConformerLayer(Frozen):
    """Half network, attention, convolution module, half network, norm (Gulati et al. 2020, arXiv 2005.08100)."""

    kind: Literal["conformer_layer"]
    heads: PositiveInt
    feed_forward: PositiveInt
    kernel: PositiveInt


class TcnBlock(Frozen):
    """Two dilated causal convolutions with norm and activation, added to their input (1x1 where widths differ)."""

    kind: Literal["tcn_block"]
    out: PositiveInt
    kernel: PositiveInt
    dilation: PositiveInt
    function: Function = "elu"
    norm: Literal["batch_norm", "none"] = "batch_norm"
    bias: bool = True


Block = Annotated[
    Conv1d | Conv2d | Linear | BatchNorm | LayerNorm | RmsNorm | GroupNorm | Activation | Pool | Reduce | Gate
    | Recurrent | Attention | LinearAttention | GraphAttention | GraphFilter | Mamba | DiagonalStateSpace | Embedding
    | LearnedOffset | LearnedTokens | Wavelets | Spectrum | Reshape | Permute | Slice | Pad | Flip | Scale
    | Parallel | Residual | WeightedSum | Repeat | TransformerLayer | ConformerLayer | TcnBlock,
    Field(discriminator="kind"),
]
Parallel.model_rebuild()
Residual.model_rebuild()
Repeat.model_rebuild()
