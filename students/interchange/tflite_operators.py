"""Operators of TensorFlow Lite, each written as nodes of ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from students.interchange.graph import UnsupportedVariant
from students.interchange.operators.channels_last import DOMAIN
from students.interchange.tflite_file import FlatOperator
from students.interchange.tflite_recurrent import lstm, svdf

CLIPS: Mapping[int, tuple[float, float]] = {1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""Least and greatest number that functions fused into an operator leave, by the schema's number: ReLU, ReLU1, ReLU6."""
TANH = 4
"""The one that is no clip."""
PADDINGS = {0: "SAME_UPPER", 1: "VALID"}
Write = Callable[[Any, FlatOperator], None]


def _hybrid(writer: Any, operator: FlatOperator) -> bool:
    """True where a float signal meets stored integers."""
    signal, weight = (writer.tensor(operator.inputs[place]) for place in (0, 1))
    return signal.dtype.kind == "f" and weight.dtype.kind in "iu" and weight.values is not None


def _bias(writer: Any, operator: FlatOperator) -> list[str]:
    return [writer.read(operator.inputs[2])] if len(operator.inputs) > 2 and operator.inputs[2] >= 0 else []


def _scaled(writer: Any, operator: FlatOperator, product: tuple[str, str], axes: int) -> str:
    """Return the sum of codes times the scale found and those of the weights, plus the bias; channels on axis 1."""
    weight = writer.tensor(operator.inputs[1])
    shape = [1, -1, *[1] * (axes - 2)]
    made = writer.node("Mul", [product[0], product[1]])
    made = writer.node("Mul", [made, writer.store(f"{made}/scale", weight.scale.reshape(shape))])
    if bias := _bias(writer, operator):
        stored = writer.constants[bias[0]].reshape(shape)
        made = writer.node("Add", [made, writer.store(f"{bias[0]}/shaped", stored)])
    return made


def _dynamic(writer: Any, signal: str) -> tuple[str, str, str]:
    codes = writer.node("DynamicQuantizeLinear", [signal], outputs=3)
    return codes, codes.replace(":0", ":1"), codes.replace(":0", ":2")


def _convolution(writer: Any, operator: FlatOperator) -> None:
    options, weight = operator.options, writer.constant(operator, 1)
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    channels = writer.tensor(operator.inputs[0]).shape[-1]
    if depthwise:
        weight = weight.permute(3, 1, 2, 0).contiguous()  # (1, height, width, channels x multiplier)
    group = channels if depthwise else channels // weight.shape[-1]
    window = {
        "strides": [options["StrideH"], options["StrideW"]],
        "dilations": [options.get("DilationHFactor", 1), options.get("DilationWFactor", 1)],
        "auto_pad": PADDINGS[options["Padding"]], "kernel_shape": list(weight.shape[1:3]), "group": group,
    }  # fmt: skip
    signal = writer.read(operator.inputs[0])
    if _hybrid(writer, operator):
        codes, scale, _ = _dynamic(writer, writer.node("Transpose", [signal], perm=[0, 3, 1, 2]))
        stored = writer.store(f"{codes}/weight", weight.permute(0, 3, 1, 2).contiguous())
        made = writer.node("ConvInteger", [codes, stored], **window)
        made = _scaled(writer, operator, (made, scale), 4)
        writer.write(operator, writer.node("Transpose", [made], perm=[0, 2, 3, 1]))
        return
    stored = writer.stored(operator.inputs[1], weight, axis=0)
    writer.write(operator, writer.node("Conv", [signal, stored, *_bias(writer, operator)], DOMAIN, **window))


def _transposed(writer: Any, operator: FlatOperator) -> None:
    """A transposed convolution onto a stored shape; padding that is greater behind is put in front by turning round."""
    options, weight = operator.options, writer.constant(operator, 1)  # (outputs, height, width, inputs)
    place, bias = operator.inputs[2], operator.inputs[3:4]
    signal, sizes = writer.tensor(place), writer.whole(operator, 0)[1:3]
    if signal.dtype.kind == "f" and not weight.is_floating_point():
        raise UnsupportedVariant("stored integers on a float signal")
    strides = [options["StrideH"], options["StrideW"]]
    before, after, extra, turned = list[int](), list[int](), list[int](), list[int]()
    for axis, (size, wanted) in enumerate(zip(signal.shape[1:3], sizes, strict=True)):
        over = (size - 1) * strides[axis] + weight.shape[axis + 1] - wanted
        extra.append(max(-over, 0))
        before.append(max(over, 0) - max(over, 0) // 2)
        after.append(max(over, 0) // 2)
        turned += [axis] if before[axis] != after[axis] else []
    weight = weight.flip([one + 1 for one in turned])
    stored = writer.stored(operator.inputs[1], weight.permute(3, 0, 1, 2).contiguous(), axis=1)
    made = _turned(writer, writer.node("Transpose", [writer.read(place)], perm=[0, 3, 1, 2]), turned)
    more = [writer.read(bias[0])] if bias and bias[0] >= 0 else []
    made = writer.node(
        "ConvTranspose", [made, stored, *more], strides=strides, pads=[*before, *after], output_padding=extra,
        kernel_shape=list(weight.shape[1:3]),
    )  # fmt: skip
    writer.write(operator, writer.node("Transpose", [_turned(writer, made, turned)], perm=[0, 2, 3, 1]))


def _turned(writer: Any, signal: str, axes: list[int]) -> str:
    """Return a signal (examples, channels, height, width) with some of its last two axes turned round."""
    if not axes:
        return signal
    count = len(axes)
    return writer.node(
        "Slice", [signal], starts=[-1] * count, ends=[-(2**31)] * count, axes=[one + 2 for one in axes],
        steps=[-1] * count,
    )  # fmt: skip


def _fully_connected(writer: Any, operator: FlatOperator) -> None:
    if operator.options.get("WeightsFormat", 0):
        raise UnsupportedVariant("shuffled weights")
    signal, shape = writer.read(operator.inputs[0]), writer.tensor(operator.inputs[0]).shape
    outputs = writer.tensor(operator.outputs[0]).shape
    weight = writer.constant(operator, 1)
    if len(shape) != 2 or shape[-1] != weight.shape[1]:
        signal = _reshaped(writer, signal, (-1, weight.shape[1]))
    if _hybrid(writer, operator):
        codes, scale, _ = _dynamic(writer, signal)
        stored = writer.store(f"{codes}/weight", weight.t().contiguous())
        made = _scaled(writer, operator, (writer.node("MatMulInteger", [codes, stored]), scale), 2)
    else:
        made = writer.node("Gemm", [signal, writer.read(operator.inputs[1]), *_bias(writer, operator)], transB=1)
    if len(outputs) != 2:
        made = _reshaped(writer, made, (-1, *outputs[1:]))
    writer.write(operator, made)


def _reshaped(writer: Any, signal: str, shape: tuple[int, ...]) -> str:
    if shape.count(-1) == 1 and math.prod(shape) == 0:
        raise UnsupportedVariant("an axis of no elements")
    return writer.node("Reshape", [signal, writer.store(f"{signal}/shape", torch.tensor(shape))])


def _to_shape(writer: Any, operator: FlatOperator) -> None:
    """Reshape, squeeze, expand: to the shape of the output, whose first axis may take any number of examples."""
    tensor, source = writer.tensor(operator.outputs[0]), operator.inputs[0]
    shape = (-1, *tensor.shape[1:]) if tensor.any_number == "examples" else tensor.shape
    writer.write(operator, _reshaped(writer, writer.read(source), shape), moved_from=source)


def _pool(operator_name: str) -> Write:
    def write(writer: Any, operator: FlatOperator) -> None:
        options = operator.options
        made = writer.node(
            operator_name, [writer.read(operator.inputs[0])], DOMAIN,
            kernel_shape=[options["FilterHeight"], options["FilterWidth"]],
            strides=[options["StrideH"], options["StrideW"]], auto_pad=PADDINGS[options["Padding"]],
        )  # fmt: skip
        moved = operator.inputs[0] if operator_name == "MaxPool" else None
        writer.write(operator, made, moved_from=moved)

    return write


def _same(operator_name: str, **attributes: Any) -> Write:
    """Write an operator whose inputs are all signals."""

    def write(writer: Any, operator: FlatOperator) -> None:
        inputs = [writer.read(at) for at in operator.inputs]
        writer.write(operator, writer.node(operator_name, inputs, **attributes))

    return write


def _chain(*names: str) -> Write:
    def write(writer: Any, operator: FlatOperator) -> None:
        made = writer.read(operator.inputs[0])
        for name in names:
            made = writer.node(name, [made])
        writer.write(operator, made)

    return write


def _clipped(low: float, high: float) -> Write:
    return _same("Clip", min=low, max=high)


def _squared(writer: Any, operator: FlatOperator) -> None:
    signals = [writer.read(at) for at in operator.inputs]
    made = signals[0] if len(signals) == 1 else writer.node("Sub", signals)
    writer.write(operator, writer.node("Mul", [made, made]))


def _leaky(writer: Any, operator: FlatOperator) -> None:
    made = writer.node("LeakyRelu", [writer.read(operator.inputs[0])], alpha=operator.options["Alpha"])
    writer.write(operator, made)


def _softmax(writer: Any, operator: FlatOperator) -> None:
    signal = writer.read(operator.inputs[0])
    if operator.options["Beta"] != 1:
        signal = writer.node("Mul", [signal, writer.store(f"{signal}/beta", torch.tensor(operator.options["Beta"]))])
    writer.write(operator, writer.node("Softmax", [signal], axis=-1))


def _reduction(name: str) -> Write:
    def write(writer: Any, operator: FlatOperator) -> None:
        keep = int(operator.options.get("KeepDims", 0))
        axes = writer.whole(operator, 1)
        writer.write(operator, writer.node(name, [writer.read(operator.inputs[0])], axes=axes, keepdims=keep))

    return write


def _extreme(name: str) -> Write:
    def write(writer: Any, operator: FlatOperator) -> None:
        axis = writer.whole(operator, 1)[0]
        writer.write(operator, writer.node(name, [writer.read(operator.inputs[0])], axis=axis, keepdims=0))

    return write


def _moving(writer: Any, operator: FlatOperator, name: str, *inputs: str, **attributes: Any) -> None:
    """Write an operator that moves the numbers of its first input."""
    made = writer.node(name, [writer.read(operator.inputs[0]), *inputs], **attributes)
    writer.write(operator, made, moved_from=operator.inputs[0])


def _transpose(writer: Any, operator: FlatOperator) -> None:
    _moving(writer, operator, "Transpose", perm=writer.whole(operator, 1))


def _pad(writer: Any, operator: FlatOperator) -> None:
    amounts = writer.constant(operator, 1).t().flatten().to(torch.int64)
    mode = {"MIRROR_PAD": "reflect"}.get(operator.name, "constant")
    if mode == "reflect" and operator.options["Mode"]:
        raise UnsupportedVariant("symmetric padding")
    more = [float(one) for one in writer.constant(operator, 2).flatten().tolist()] if len(operator.inputs) > 2 else [0]
    if any(more) and operator.name == "PADV2":
        raise UnsupportedVariant("padding with a value that is not zero")
    _moving(writer, operator, "Pad", writer.store(f"{operator.name}/pads", amounts), mode=mode)


def _slice(writer: Any, operator: FlatOperator) -> None:
    starts, sizes = writer.whole(operator, 1), writer.whole(operator, 2)
    shape = writer.tensor(operator.inputs[0]).shape
    ends = [
        length if size < 0 else start + size for start, size, length in zip(starts, sizes, shape, strict=True)
    ]
    _moving(writer, operator, "Slice", starts=starts, ends=ends)


def _strided_slice(writer: Any, operator: FlatOperator) -> None:
    options = operator.options
    if options["EllipsisMask"] or options["NewAxisMask"] or options.get("Offset"):
        raise UnsupportedVariant("new axes, or an ellipsis")
    starts, ends, steps = (writer.whole(operator, place) for place in (1, 2, 3))
    for axis, length in enumerate(writer.tensor(operator.inputs[0]).shape[: len(starts)]):
        bit, back = 1 << axis, steps[axis] < 0
        if options["BeginMask"] & bit:
            starts[axis] = length - 1 if back else 0
        if options["ShrinkAxisMask"] & bit:
            starts[axis] %= length
            ends[axis], steps[axis] = starts[axis] + 1, 1
        elif options["EndMask"] & bit:
            ends[axis] = -length - 1 if back else length
    source = operator.inputs[0]
    axes = list(range(len(starts)))
    made = writer.node("Slice", [writer.read(source)], starts=starts, ends=ends, axes=axes, steps=steps)
    if options["ShrinkAxisMask"]:
        made = _reshaped(writer, made, writer.tensor(operator.outputs[0]).shape)
    writer.write(operator, made, moved_from=source)


def _concatenation(writer: Any, operator: FlatOperator) -> None:
    """Join signals; each of another grid than the result is put on that first."""
    joined = [writer.read(at) for at in operator.inputs]
    made = writer.node("Concat", joined, axis=operator.options["Axis"])
    grids = [writer.tensor(at) for at in (*operator.inputs, *operator.outputs)]
    alike = all(
        one.scale is not None and grids[-1].scale is not None and torch.equal(one.scale, grids[-1].scale)
        for one in grids
    )
    writer.write(operator, made, moved_from=operator.inputs[0] if alike else None)


def _split(writer: Any, operator: FlatOperator) -> None:
    axis_first = operator.name == "SPLIT"
    source = operator.inputs[1 if axis_first else 0]
    axis = writer.whole(operator, 0 if axis_first else 2)[0]
    sizes = [writer.tensor(at).shape[axis] for at in operator.outputs]
    first = writer.node("Split", [writer.read(source)], outputs=len(sizes), axis=axis, split=sizes)
    for place in range(len(sizes)):
        writer.write(operator, f"{first.removesuffix(':0')}:{place}", place, moved_from=source)


def _pack(writer: Any, operator: FlatOperator) -> None:
    axis, parts = operator.options["Axis"], [writer.read(at) for at in operator.inputs]
    shape = list(writer.tensor(operator.outputs[0]).shape)
    shape[axis] = 1
    joined = [_reshaped(writer, one, tuple(shape)) for one in parts]
    writer.write(operator, writer.node("Concat", joined, axis=axis), moved_from=operator.inputs[0])


def _unpack(writer: Any, operator: FlatOperator) -> None:
    axis, source = operator.options["Axis"], operator.inputs[0]
    count = len(operator.outputs)
    first = writer.node("Split", [writer.read(source)], outputs=count, axis=axis, split=[1] * count)
    for place in range(count):
        piece = f"{first.removesuffix(':0')}:{place}"
        shape = writer.tensor(operator.outputs[place]).shape
        writer.write(operator, _reshaped(writer, piece, shape), place, moved_from=source)


def _gather(writer: Any, operator: FlatOperator) -> None:
    if operator.options.get("BatchDims"):
        raise UnsupportedVariant("gathering by examples")
    made = writer.node("Gather", [writer.read(at) for at in operator.inputs], axis=operator.options["Axis"])
    writer.write(operator, made, moved_from=operator.inputs[0])


def _batch_product(writer: Any, operator: FlatOperator) -> None:
    signals = [writer.read(at) for at in operator.inputs]
    for place, option in enumerate(("AdjX", "AdjY")):
        if operator.options[option]:
            rank = len(writer.tensor(operator.inputs[place]).shape)
            perm = [*range(rank - 2), rank - 1, rank - 2]
            signals[place] = writer.node("Transpose", [signals[place]], perm=perm)
    writer.write(operator, writer.node("MatMul", signals))


def _identity(writer: Any, operator: FlatOperator) -> None:
    """A stored half-precision weight made a float, or a signal read off its grid."""
    writer.write(operator, writer.read(operator.inputs[0]), moved_from=operator.inputs[0])


OPERATORS: Mapping[str, Write] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _convolution),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), _to_shape),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _pad),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), _split),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE"), _identity),
    **dict.fromkeys(("SQUARE", "SQUARED_DIFFERENCE"), _squared),
    "FULLY_CONNECTED": _fully_connected, "BATCH_MATMUL": _batch_product,
    "TRANSPOSE_CONV": _transposed, "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm, "SVDF": svdf,
    "AVERAGE_POOL_2D": _pool("AveragePool"), "MAX_POOL_2D": _pool("MaxPool"),
    "ADD": _same("Add"), "SUB": _same("Sub"), "MUL": _same("Mul"), "DIV": _same("Div"),
    "MAXIMUM": _same("Max"), "MINIMUM": _same("Min"), "POW": _same("Pow"), "PRELU": _same("PRelu"),
    "RELU": _same("Relu"), "RELU6": _clipped(0.0, 6.0), "RELU_N1_TO_1": _clipped(-1.0, 1.0), "LEAKY_RELU": _leaky,
    "LOGISTIC": _same("Sigmoid"), "TANH": _same("Tanh"), "ELU": _same("Elu"), "HARD_SWISH": _same("HardSwish"),
    "GELU": _same("Gelu"), "EXP": _same("Exp"), "LOG": _same("Log"), "ABS": _same("Abs"), "NEG": _same("Neg"),
    "SQRT": _same("Sqrt"), "RSQRT": _chain("Sqrt", "Reciprocal"), "SIN": _same("Sin"), "COS": _same("Cos"),
    "FLOOR": _same("Floor"), "SOFTMAX": _softmax, "LOG_SOFTMAX": _same("LogSoftmax", axis=-1),
    "MEAN": _reduction("ReduceMean"), "SUM": _reduction("ReduceSum"), "REDUCE_MAX": _reduction("ReduceMax"),
    "REDUCE_MIN": _reduction("ReduceMin"), "REDUCE_PROD": _reduction("ReduceProd"),
    "ARG_MAX": _extreme("ArgMax"), "ARG_MIN": _extreme("ArgMin"),
    "TRANSPOSE": _transpose, "SLICE": _slice, "STRIDED_SLICE": _strided_slice, "CONCATENATION": _concatenation,
    "PACK": _pack, "UNPACK": _unpack, "GATHER": _gather,
}  # fmt: skip
"""Who writes an operator, by its name in the schema."""
