"""Reads an ONNX file into plain data: nothing executes, nothing outside the file's folder is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.interchange.control_flow import LAYER, has_control_flow, written_out
from students.interchange.extras import optional_package
from students.interchange.graph import DEFAULT_DOMAINS, Graph, Node, Port
from students.interchange.shape_only import made_up

VERSIONS = range(4, 28)
"""Operator set versions whose definitions are implemented."""

COMPUTABLE = frozenset(("float16", "bool", "int8", "int16", "int32", "int64", "uint8"))
"""Element types, beside float and double, that torch computes with."""

UNREAD = ("INT4", "UINT4", "INT2", "UINT2", "FLOAT8", "FLOAT4", "COMPLEX", "STRING")
"""Begins of the names of element types that are not read."""
UNREAD_REMEDY = ("Export integers of 8 bits, whose width is that of a Clip before DequantizeLinear (-8 to 7: 4 "
                 "bits), or QONNX, or floats")  # fmt: skip
FREE_TEXTS = frozenset(("doc_string", "metadata_props"))
"""Fields that name nothing."""
LARGEST_SIZE = 1 << 24
"""Of a padding, a kernel, an axis or a factor."""
SIZE_ATTRIBUTES = frozenset((
    "pads", "kernel_shape", "strides", "dilations", "output_padding", "output_shape", "hidden_size", "shape",
))  # fmt: skip
SCALED = frozenset(("Resize", "Upsample"))
SHAPED = SCALED | {"Expand", "Tile", "Pad", "ConstantOfShape", "Reshape", "Range"}
"""Operators whose stored inputs are sizes; of those that are scaled, factors."""
TENSOR_ATTRIBUTES = {"value", "value_float", "value_int", "value_floats", "value_ints"}


def read_graph(path: Path) -> Graph:
    """Return the graph an ONNX file describes.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Graph
        Functions written out, constants beside the initialisers, nodes in the file's order.

    Raises
    ------
    StudentError
        The package is missing, the file cannot be read or is no ONNX file, its operator set is unknown, or its weights
        lie outside its folder.
    """
    onnx = optional_package("onnx", "reading an ONNX file")
    model = _load(onnx, path)
    versions = _versions(model, path)
    if model.functions:
        model = _inlined(model, path)
    if has_control_flow(model):
        model = written_out(onnx, model)
    constants = {one.name: _tensor(onnx, one, path) for one in model.graph.initializer}
    if model.graph.sparse_initializer:
        raise _damaged(path, "it stores weights in a sparse form", "Export dense weights")
    ports = tuple(_port(onnx, one) for one in model.graph.input if one.name not in constants)
    outputs = tuple(one.name for one in model.graph.output)
    nodes = _nodes(onnx, model, (constants, versions, outputs), path)
    _check_sizes(nodes, constants, path)
    results = tuple(_port(onnx, one) for one in model.graph.output)
    absent = tuple(one.name for one in model.graph.initializer if _values_absent(onnx, one, path))
    return Graph(nodes, constants, ports, outputs, str(path), results, absent)


def _check_sizes(nodes: tuple[Node, ...], constants: Mapping[str, Tensor], path: Path) -> None:
    """Refuse sizes that no network has before anything of them is allocated."""
    for node in nodes:
        sizes = {name: value for name, value in node.attributes.items() if name in SIZE_ATTRIBUTES}
        stored = {name: constants[name] for name in node.inputs if name in constants and node.operator in SHAPED}
        sizes |= {name: one for name, one in stored.items() if node.operator in SCALED or not one.is_floating_point()}
        for name, value in sizes.items():
            try:
                found = torch.as_tensor(value).double().abs()
            except (TypeError, ValueError, RuntimeError) as error:  # text, or of a kind that ONNX does not know
                said = f"{node.name} ({node.operator}): {name} is no number"
                raise _damaged(path, said, "Export the network again") from error
            if found.numel() and (largest := float(found.max())) > LARGEST_SIZE:
                said = f"{node.name} ({node.operator}): {name} is {largest:.4g}, {LARGEST_SIZE:,} at most"
                raise _damaged(path, said, "Export the network again")


def check_file(path: Path) -> None:
    """Let ONNX's own checker look at a file whose operators are all known.

    Raises
    ------
    StudentError
        What it finds.
    """
    onnx = optional_package("onnx", "reading an ONNX file")
    model = _load(onnx, path)
    known = {one.domain for one in model.opset_import}
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    # Older exporters name an operator's domain and leave it out of their imports.
    for domain in sorted({node.domain for body in bodies for node in body} - known - DEFAULT_DOMAINS):
        model.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    _without_values(onnx, model.graph, path)
    for port in model.graph.output:
        if port.type.HasField("tensor_type"):
            port.type.tensor_type.shape.SetInParent()  # the checker wants a shape; runtimes do without
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise _damaged(path, f"it is no valid ONNX graph ({str(error).strip()})", "Export the network again") from error


def _without_values(onnx: Any, graph: Any, path: Path) -> None:
    """Turn weights in other files, or nowhere, into inputs of their type and shape: the reader has seen to them."""
    inputs = {one.name for one in graph.input}
    for stored in list(graph.initializer):
        if stored.data_location == onnx.TensorProto.EXTERNAL or _values_absent(onnx, stored, path):
            if stored.name not in inputs:
                graph.input.append(onnx.helper.make_tensor_value_info(stored.name, stored.data_type, list(stored.dims)))
            graph.initializer.remove(stored)


def _inlined(model: Any, path: Path) -> Any:
    """Return a model with its own functions written out; those whose operator sets differ from its own are left."""
    inliner = optional_package("onnx.inliner", "reading an ONNX file")
    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, TypeError) as error:
        raise _damaged(path, f"its functions cannot be written out ({error})", "Export the network again") from error


def _damaged(path: Path, what: str, remedy: str) -> StudentError:
    return StudentError(what, where=str(path), remedy=remedy)


def _load(onnx: Any, path: Path) -> Any:
    decode_error = optional_package("google.protobuf.message", "reading an ONNX file").DecodeError
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except OSError as error:
        raise _damaged(path, f"cannot open it ({error.strerror or error})", "Check the path") from error
    except (decode_error, ValueError) as error:
        raise _damaged(path, f"it is damaged, or no ONNX file ({error})", "Export the network again") from error
    if not model.ir_version or not model.opset_import or not model.graph.node:
        raise _damaged(path, "it is cut short, or no ONNX file: it holds no graph", "Export the network again")
    if not _has_names(model):
        raise _damaged(path, "it is damaged: a name in it is no text", "Export the network again")
    return model


def _has_names(message: Any) -> bool:
    """True where every name in a message is text; bytes that are none come as bytes, and raise where they are used."""
    for field, value in message.ListFields():
        if field.name in FREE_TEXTS:
            continue
        several = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (value,)
        if field.type == field.TYPE_STRING and not all(isinstance(one, str) for one in several):
            return False
        if field.type == field.TYPE_MESSAGE and not all(map(_has_names, several)):
            return False
    return True


def _versions(model: Any, path: Path) -> Mapping[str, int]:
    versions = {one.domain: int(one.version) for one in model.opset_import}
    own = versions.get("", versions.get("ai.onnx", VERSIONS[0]))
    if own not in VERSIONS:
        raise _damaged(
            path, f"it uses operator set {own}; {VERSIONS[0]} to {VERSIONS[-1]} can be read",
            f"Export with opset_version={min(max(own, VERSIONS[0]), 17)}",
        )  # fmt: skip
    return versions


def _tensor(onnx: Any, proto: Any, path: Path) -> Tensor:
    """Return a stored tensor; one in a file beside is read only from the same folder."""
    if _values_absent(onnx, proto, path):
        dtype = _dtype(onnx, proto.data_type)
        if dtype is None:
            raise _damaged(path, f"the tensor {proto.name!r} has a type that torch has not", "Export floats")
        return made_up(tuple(proto.dims), dtype, f"{path}, {proto.name}")
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        where = {entry.key: entry.value for entry in proto.external_data}
        folder = Path(os.path.realpath(path)).parent  # unlike resolve, of a link to itself as well
        beside = Path(os.path.realpath(folder / where.get("location", "")))
        if not beside.is_relative_to(folder) or not beside.is_file():
            raise _damaged(
                path, f"the weights {proto.name!r} lie in {where.get('location')!r}, which is no file in its folder",
                "Put the file of weights beside it, or export one file",
            )  # fmt: skip
        start, length = int(where.get("offset", 0)), int(where.get("length", 0))
        with beside.open("rb") as stored:
            stored.seek(start)
            proto.raw_data = stored.read(length) if length else stored.read()
        proto.data_location = onnx.TensorProto.DEFAULT
    types = onnx.TensorProto.DataType
    kind = types.Name(proto.data_type) if proto.data_type in types.values() else ""
    if kind.startswith(UNREAD):
        raise _damaged(path, f"the tensor {proto.name!r} holds {kind}, which is not read", UNREAD_REMEDY)
    try:
        array = onnx.numpy_helper.to_array(proto)
        if kind == "BFLOAT16":  # of ml_dtypes, which torch does not take
            return torch.from_numpy(np.asarray(array).astype(np.float32)).to(torch.bfloat16)
        return _torch(array)
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, f"the tensor {proto.name!r} is damaged ({error})", "Export the network again") from error


def _values_absent(onnx: Any, proto: Any, path: Path) -> bool:
    """True where a file holds a tensor's shape and neither it nor a file in its folder the values."""
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        where = next((entry.value for entry in proto.external_data if entry.key == "location"), "")
        folder = Path(os.path.realpath(path)).parent
        beside = folder / where
        inside = bool(where) and Path(os.path.realpath(beside)).is_relative_to(folder)
        return inside and not beside.exists() and not beside.is_symlink()
    fields = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
    return bool(proto.dims) and 0 not in proto.dims and not proto.raw_data and not any(
        len(getattr(proto, name)) for name in fields
    )


def _torch(array: Any) -> Tensor:
    """Return an own copy of an array as a tensor; torch has no wide unsigned integers to compute with."""
    array = np.asarray(array)
    if array.dtype in (np.uint16, np.uint32, np.uint64):
        array = array.astype(np.int64)
    return torch.from_numpy(np.array(array, copy=True))


def _port(onnx: Any, value: Any) -> Port:
    tensor = value.type.tensor_type
    axes = tuple(
        int(axis.dim_value) if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in tensor.shape.dim
    )
    return Port(value.name, axes, _dtype(onnx, tensor.elem_type) or torch.float32)


def _dtype(onnx: Any, code: Any) -> torch.dtype | None:
    """Return the torch type of an ONNX element type, a number or, before 6, a name; None where torch has none."""
    known = onnx.TensorProto.DataType
    name = (code if isinstance(code, str) else known.Name(code) if code in known.values() else "").lower()
    names = {"float": "float32", "double": "float64"}
    return getattr(torch, names.get(name, name)) if name in names or name in COMPUTABLE else None


def _nodes(
    onnx: Any, model: Any, known: tuple[dict[str, Tensor], Mapping[str, int], tuple[str, ...]], path: Path
) -> tuple[Node, ...]:
    """Return all nodes but constants, which join the initialisers; names made unique."""
    constants, versions, outputs = known
    used = frozenset((*(name for node in model.graph.node for name in node.input), *outputs))
    names: set[str] = set()
    nodes: list[Node] = []
    for place, proto in enumerate(model.graph.node):
        attributes = {one.name: _attribute(onnx, one, path) for one in proto.attribute}
        if proto.op_type == "Constant" and TENSOR_ATTRIBUTES & set(attributes):
            constants[proto.output[0]] = torch.as_tensor(next(iter(attributes.values())))
            continue
        if proto.op_type == "Cast":
            attributes["dtype"] = _dtype(onnx, attributes.get("to"))
        name = proto.name or f"{proto.op_type}_{place}"
        while name in names:
            name += "_"
        names.add(name)
        domain = proto.domain
        version = versions.get(domain, versions.get("", VERSIONS[0]))
        ends = tuple(proto.input), tuple(proto.output)
        layer = proto.doc_string.removeprefix(LAYER) if proto.doc_string.startswith(LAYER) else ""
        nodes.append(Node(name, proto.op_type, domain, version, *ends, attributes, constants, used, layer))
    return tuple(nodes)


def _attribute(onnx: Any, proto: Any, path: Path) -> Any:
    kinds = onnx.AttributeProto
    if proto.type == kinds.TENSOR:
        return _tensor(onnx, proto.t, path)
    if proto.type in (kinds.GRAPH, kinds.GRAPHS, kinds.SPARSE_TENSOR, kinds.SPARSE_TENSORS):
        return None  # nodes with bodies are no known operators
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if proto.type == kinds.STRINGS:
        return [one.decode(errors="replace") for one in value]
    return list(value) if proto.type in (kinds.INTS, kinds.FLOATS) else value
