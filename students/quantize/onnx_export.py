"""A quantised network as QONNX, or as ONNX with QuantizeLinear, Clip and DequantizeLinear, written by Brevitas."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from energy_models.errors import StudentError
from students.neurons import OWN_NEURONS
from students.quantize.linear_attention import IntegerLinearAttention
from students.quantize.recurrent import IntegerRecurrent
from students.quantize.rows import SIGNAL_PRODUCTS, IntegerNorm, IntegerSoftmax

Dialect = Literal["qonnx", "qcdq"]
DIALECTS: tuple[Dialect, ...] = ("qonnx", "qcdq")
OPSET = 17
"""Operator set of ONNX."""
ROWS = (*SIGNAL_PRODUCTS, IntegerSoftmax, IntegerNorm, IntegerLinearAttention)
RECURRENT = (IntegerRecurrent, nn.RNNBase, nn.RNNCellBase)


def onnx_of(model: nn.Module, example: torch.Tensor, *, dialect: Dialect, properties: Mapping[str, object]) -> bytes:
    """Return a quantised network as the bytes of an ONNX file; the network is not changed.

    Parameters
    ----------
    model : nn.Module
    example : Tensor, shape (1, channels, steps)
        The shape that the file takes.
    dialect : {'qonnx', 'qcdq'}
        Grids as ``Quant`` nodes of QONNX, or as standard ONNX in integers of 8 bits, narrower ones clipped.
    properties : mapping of str to object
        Kept in the file's metadata, as JSON.

    Raises
    ------
    StudentError
        The extra `export` is not installed, or a layer has no form in ONNX, as spiking neurons and recurrent cells.
    """
    name = str(properties.get("student", type(model).__name__))
    _check_stateless(model, f"{name} as {dialect}")
    try:
        onnx = import_module("onnx")
        import_module("onnxoptimizer")  # Brevitas's exporter needs it
        from brevitas.export import export_onnx_qcdq, export_qonnx
    except ModuleNotFoundError as error:
        raise StudentError(
            f"writing ONNX needs the package {error.name}", where="onnx_of", remedy="pip install 'cosim[export]'"
        ) from error
    write = export_qonnx if dialect == "qonnx" else export_onnx_qcdq
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # torch's exporter tells of its own successor at every call
        path = str(Path(folder) / "network.onnx")
        try:
            write(
                copy.deepcopy(model).eval(), example, path, dynamo=False, opset_version=OPSET, input_names=["input"],
                output_names=["output"], keep_initializers_as_inputs=False,
            )  # fmt: skip
            found = onnx.load_model(path)
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise StudentError(
                f"it has no form in ONNX ({_first_line(error)})", where=f"{name} as {dialect}",
                remedy="Write C instead (format c); layers in loops have no grids in ONNX",
            ) from error
    for key, value in properties.items():
        entry = found.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    return found.SerializeToString()


def _check_stateless(model: nn.Module, where: str) -> None:
    """Refuse layers whose state goes from step to step, of which the exporter would leave the work out."""
    for path, module in model.named_modules():
        if isinstance(module, OWN_NEURONS):
            raise StudentError(
                f"spiking neurons have no form in ONNX ('{path}', {type(module).__name__}): it has no operator with "
                "their state", where=where,
                remedy="Write C instead (format c), of a form with state bits such as w8a8s8",
            )
        if isinstance(module, ROWS):
            raise StudentError(
                f"attention and norms of rows in integers have no form in ONNX ('{path}', {type(module).__name__})",
                where=where, remedy="Write C instead (format c)",
            )
        if isinstance(module, RECURRENT):
            raise StudentError(
                f"recurrent cells have no form in ONNX ('{path}', {type(module).__name__}): its own compute gates in "
                "float, these look them up in integers", where=where,
                remedy="Write C instead (format c)",
            )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
