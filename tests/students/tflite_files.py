"""Writes small TensorFlow Lite files with the schema's own package, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite

TYPES = {
    np.dtype(np.float32): tflite.TensorType.FLOAT32, np.dtype(np.float16): tflite.TensorType.FLOAT16,
    np.dtype(np.int8): tflite.TensorType.INT8, np.dtype(np.uint8): tflite.TensorType.UINT8,
    np.dtype(np.int16): tflite.TensorType.INT16, np.dtype(np.int32): tflite.TensorType.INT32,
    np.dtype(np.int64): tflite.TensorType.INT64,
}  # fmt: skip


@dataclass
class Flat:
    """A file being written: tensors and operators in order; both are named by their place."""

    tensors: list[dict[str, Any]] = field(default_factory=list)
    operators: list[tuple[str, list[int], list[int], str, dict[str, Any]]] = field(default_factory=list)

    def tensor(
        self, shape=(), dtype=np.float32, *, values=None, steps=None, axis=0, variable=False, open_axis=-1
    ) -> int:
        """Add a tensor: a constant where it has values; `steps` are (scales, zero points), `open_axis` of any size."""
        if values is not None:
            values = np.asarray(values)
            shape, dtype = values.shape, values.dtype
        self.tensors.append(
            {"shape": tuple(shape), "dtype": np.dtype(dtype), "values": values, "steps": steps, "axis": axis,
             "variable": variable, "open": open_axis}
        )  # fmt: skip
        return len(self.tensors) - 1

    def operator(self, name: str, inputs: list[int], outputs: list[int], options: str = "", **values: Any) -> None:
        self.operators.append((name, inputs, outputs, options, values))

    def write(self, path: Path, inputs: list[int], outputs: list[int]) -> Path:
        b = flatbuffers.Builder(4096)
        buffers = [self._buffer(b, None), *(self._buffer(b, one["values"]) for one in self.tensors)]
        tensors = [self._tensor(b, place, one) for place, one in enumerate(self.tensors)]
        names = list(dict.fromkeys(one[0] for one in self.operators))
        operators = [self._operator(b, names, one) for one in self.operators]
        codes = [self._code(b, name) for name in names]
        parts = {
            "Tensors": self._offsets(b, tflite.SubGraphStartTensorsVector, tensors),
            "Operators": self._offsets(b, tflite.SubGraphStartOperatorsVector, operators),
            "Inputs": b.CreateNumpyVector(np.array(inputs, np.int32)),
            "Outputs": b.CreateNumpyVector(np.array(outputs, np.int32)),
        }
        tflite.SubGraphStart(b)
        for name, offset in parts.items():
            getattr(tflite, f"SubGraphAdd{name}")(b, offset)
        graphs = self._offsets(b, tflite.ModelStartSubgraphsVector, [tflite.SubGraphEnd(b)])
        code_vector = self._offsets(b, tflite.ModelStartOperatorCodesVector, codes)
        buffer_vector = self._offsets(b, tflite.ModelStartBuffersVector, buffers)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, code_vector)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddBuffers(b, buffer_vector)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        path.write_bytes(bytes(b.Output()))
        return path

    @staticmethod
    def _offsets(b, start, offsets):
        start(b, len(offsets))
        for one in reversed(offsets):
            b.PrependUOffsetTRelative(one)
        return b.EndVector()

    @staticmethod
    def _buffer(b, values):
        data = None if values is None else b.CreateNumpyVector(np.ascontiguousarray(values).reshape(-1).view(np.uint8))
        tflite.BufferStart(b)
        if data is not None:
            tflite.BufferAddData(b, data)
        return tflite.BufferEnd(b)

    @staticmethod
    def _tensor(b, place, one):
        name = b.CreateString(f"t{place}")
        shape = b.CreateNumpyVector(np.array(one["shape"], np.int32))
        signature = None
        if one["open"] >= 0:
            sizes = [-1 if axis == one["open"] else size for axis, size in enumerate(one["shape"])]
            signature = b.CreateNumpyVector(np.array(sizes, np.int32))
        quantisation = None
        if one["steps"] is not None:
            scales, zeros = (np.atleast_1d(part) for part in one["steps"])
            scale = b.CreateNumpyVector(scales.astype(np.float32))
            zero = b.CreateNumpyVector(zeros.astype(np.int64))
            tflite.QuantizationParametersStart(b)
            tflite.QuantizationParametersAddScale(b, scale)
            tflite.QuantizationParametersAddZeroPoint(b, zero)
            tflite.QuantizationParametersAddQuantizedDimension(b, one["axis"])
            quantisation = tflite.QuantizationParametersEnd(b)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, TYPES[one["dtype"]])
        tflite.TensorAddBuffer(b, place + 1 if one["values"] is not None else 0)
        tflite.TensorAddName(b, name)
        tflite.TensorAddIsVariable(b, one["variable"])
        if signature is not None:
            tflite.TensorAddShapeSignature(b, signature)
        if quantisation is not None:
            tflite.TensorAddQuantization(b, quantisation)
        return tflite.TensorEnd(b)

    @staticmethod
    def _operator(b, names, one):
        name, inputs, outputs, options, values = one
        table = None
        if options:
            lists = {key: np.array(one, np.int32) for key, one in values.items() if isinstance(one, list)}
            arrays = {key: b.CreateNumpyVector(one) for key, one in lists.items()}
            getattr(tflite, f"{options}Start")(b)
            for key, value in (values | arrays).items():
                getattr(tflite, f"{options}Add{key}")(b, value)
            table = getattr(tflite, f"{options}End")(b)
        ins, outs = (b.CreateNumpyVector(np.array(part, np.int32)) for part in (inputs, outputs))
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, names.index(name))
        tflite.OperatorAddInputs(b, ins)
        tflite.OperatorAddOutputs(b, outs)
        if table is not None:
            tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, options))
            tflite.OperatorAddBuiltinOptions(b, table)
        return tflite.OperatorEnd(b)

    @staticmethod
    def _code(b, name):
        number = getattr(tflite.BuiltinOperator, name)
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(b, number)
        return tflite.OperatorCodeEnd(b)
