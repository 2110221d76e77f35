"""Reads a TensorFlow Lite file into plain data: nothing executes, and no flatbuffer leaves this reader."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.interchange.extras import optional_package

MAGIC = b"TFL3"
PURPOSE = "reading a TensorFlow Lite file"
INSTALL = "pip install 'cosim[tflite]'"
DTYPES = {
    "FLOAT32": np.float32, "FLOAT16": np.float16, "FLOAT64": np.float64, "INT8": np.int8, "UINT8": np.uint8,
    "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "BOOL": np.bool_,
}  # fmt: skip
"""Element types that are read, by their name in the schema."""
DAMAGED = (
    struct.error, ArithmeticError, AttributeError, IndexError, KeyError, TypeError, UnicodeDecodeError, ValueError,
)  # fmt: skip
"""What reading a flatbuffer raises where its offsets lead nowhere."""
LARGEST_RANK = 8


@dataclass(frozen=True, slots=True)
class FlatTensor:
    """A tensor of a file.

    Parameters
    ----------
    name : str
    shape : tuple of int
    any_number : {'examples', 'none'}
        Whether its first axis takes any number of examples.
    dtype : numpy dtype
    values : Tensor or None
        Of a constant.
    scale, zero : Tensor or None
        Of a quantised one: one each, or one each channel of `axis`.
    axis : int
    state : {'kept', 'none'}
        Whether it keeps its numbers from one call to the next.
    """

    name: str
    shape: tuple[int, ...]
    any_number: str
    dtype: np.dtype[Any]
    values: Tensor | None
    scale: Tensor | None
    zero: Tensor | None
    axis: int
    state: str


@dataclass(frozen=True, slots=True)
class FlatOperator:
    """An operator of a file: its name, its tensors by place (-1 where absent), and its options by name."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FlatGraph:
    """The main graph of a file."""

    tensors: tuple[FlatTensor, ...]
    operators: tuple[FlatOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    source: str


def read_flat(path: Path) -> FlatGraph:
    """Return the main graph of a TensorFlow Lite file.

    Raises
    ------
    StudentError
        The package is missing, the file cannot be read, or it is damaged.
    """
    schema = optional_package("tflite", PURPOSE, INSTALL)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudentError(
            f"cannot open it ({error.strerror or error})", where=str(path), remedy="Check the path"
        ) from error
    if content[4:8] != MAGIC:
        raise _damaged(path, "it is no TensorFlow Lite file")
    try:
        return _graph(schema, content, path)
    except DAMAGED as error:
        raise _damaged(path, f"it is damaged ({type(error).__name__}: {error})") from error


def _damaged(path: Path, what: str) -> StudentError:
    return StudentError(what, where=str(path), remedy="Convert the network again")


def _graph(schema: Any, content: bytes, path: Path) -> FlatGraph:
    model = schema.Model.GetRootAs(content, 0)
    if not model.SubgraphsLength() or not model.OperatorCodesLength():
        raise _damaged(path, "it is cut short: it holds no graph")
    main = model.Subgraphs(0)
    counts = main.TensorsLength(), main.OperatorsLength(), model.OperatorCodesLength()
    if max(counts) > len(content):
        raise _damaged(path, "it is damaged: more tensors or operators than bytes")
    types = _names(schema.TensorType)
    tensors = tuple(_tensor(model, main.Tensors(place), types, path) for place in range(counts[0]))
    codes = tuple(_operator_name(schema, model.OperatorCodes(place)) for place in range(counts[2]))
    operators = tuple(_operator(schema, main.Operators(place), codes) for place in range(counts[1]))
    graph = FlatGraph(tensors, operators, _places(main, "Inputs"), _places(main, "Outputs"), str(path))
    used = [*graph.inputs, *graph.outputs, *(at for one in operators for at in (*one.inputs, *one.outputs))]
    if any(not -1 <= at < counts[0] for at in used):
        raise _damaged(path, "it is damaged: an operator reads a tensor that is not there")
    return graph


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _operator_name(schema: Any, code: Any) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    custom = code.CustomCode()
    if custom is not None and number == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM {custom.decode()}"
    return _names(schema.BuiltinOperator)[number]


def _places(owner: Any, what: str) -> tuple[int, ...]:
    found = getattr(owner, f"{what}AsNumpy")()
    return () if isinstance(found, int) else tuple(int(one) for one in found)


def _operator(schema: Any, operator: Any, codes: tuple[str, ...]) -> FlatOperator:
    name = codes[operator.OpcodeIndex()]
    kind, table = _names(schema.BuiltinOptions).get(operator.BuiltinOptionsType(), "NONE"), operator.BuiltinOptions()
    options: dict[str, Any] = {}
    if table is not None and kind != "NONE":
        read = getattr(schema, kind)()
        read.Init(table.Bytes, table.Pos)
        for field in (one for one in dir(type(read)) if one[0].isupper() and not one.startswith(("GetRoot", "Init"))):
            if f"{field}Length" in dir(type(read)) or field.endswith(("Length", "AsNumpy", "IsNone", "HasIdentifier")):
                continue
            options[field] = getattr(read, field)()
        arrays = [one for one in dir(type(read)) if one.endswith("AsNumpy")]
        options |= {one.removesuffix("AsNumpy"): getattr(read, one)() for one in arrays}
    return FlatOperator(name, _places(operator, "Inputs"), _places(operator, "Outputs"), options)


def _tensor(model: Any, tensor: Any, types: Mapping[int, str], path: Path) -> FlatTensor:
    name = (tensor.Name() or b"").decode(errors="replace")
    kind = types[tensor.Type()]
    if kind not in DTYPES:
        raise StudentError(
            f"tensor {name!r} holds {kind}", where=str(path), remedy=f"Convert it to one of {', '.join(DTYPES)}"
        )
    if tensor.Sparsity() is not None:
        raise StudentError(f"tensor {name!r} is sparse", where=str(path), remedy="Convert it with dense weights")
    shape, signature = _places(tensor, "Shape"), _places(tensor, "ShapeSignature")
    if min(shape, default=1) < 0 or len(shape) > LARGEST_RANK:
        raise _damaged(path, f"tensor {name!r} has the shape {shape}")
    dtype = np.dtype(DTYPES[kind])
    content = model.Buffers(tensor.Buffer()) if 0 < tensor.Buffer() < model.BuffersLength() else None
    stored = content.DataAsNumpy() if content is not None and content.DataLength() else None
    values = None if stored is None else torch.from_numpy(stored.view(dtype).reshape(shape).copy())
    scale, zero, axis = _steps(tensor.Quantization())
    return FlatTensor(
        name, shape, "examples" if signature[:1] == (-1,) else "none", dtype, values, scale, zero, axis,
        "kept" if tensor.IsVariable() else "none",
    )  # fmt: skip


def _steps(quantisation: Any) -> tuple[Tensor | None, Tensor | None, int]:
    if quantisation is None or not quantisation.ScaleLength():
        return None, None, 0
    scale = torch.from_numpy(quantisation.ScaleAsNumpy().astype(np.float32))
    zeros = quantisation.ZeroPointAsNumpy()
    zero = torch.zeros(len(scale)) if isinstance(zeros, int) else torch.from_numpy(zeros.astype(np.float32))
    if len(zero) != len(scale) or not bool((scale > 0).all()):
        raise ValueError("its scales and zero points do not fit")
    return scale, zero, quantisation.QuantizedDimension()
