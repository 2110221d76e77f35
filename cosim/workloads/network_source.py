"""Finds the network a command line names: a saved student, a network file, an architecture, or a Python function."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from cosim.engine.stored_data import PIPELINE
from energy_models.errors import StudentError, unknown_name
from energy_models.workload import LayerWork, Workload, read_workload
from students.architectures import architecture_names, architecture_workload
from students.interchange import SUFFIXES, as_stream, example_shape, read_network
from students.models.build import mode as mode_of
from students.models.store import SPEC, load_student

Mode = Literal["window", "stream"]
ARCHITECTURE_SUFFIX = ".toml"
CONTINUOUS_SUFFIX = ".nir"
EXPORT_TORCH = (
    "Export it in Python with torch.onnx.export(model, example, 'model.onnx') and name that file, or name the function "
    "that builds it as module:function"
)
EXPORT_KERAS = "Convert it with tf2onnx (python -m tf2onnx.convert) and name the .onnx file"
OTHER_FORMATS: Mapping[str, tuple[str, str]] = {
    ".pt": ("a PyTorch file, which may run any code when it is opened", EXPORT_TORCH),
    ".pth": ("a PyTorch file, which may run any code when it is opened", EXPORT_TORCH),
    ".ckpt": ("a PyTorch checkpoint, which may run any code when it is opened", EXPORT_TORCH),
    ".pkl": ("a Python pickle, which may run any code when it is opened", EXPORT_TORCH),
    ".safetensors": ("weights without the network", EXPORT_TORCH),
    ".h5": ("a Keras or HDF5 file", EXPORT_KERAS),
    ".hdf5": ("a Keras or HDF5 file", EXPORT_KERAS),
    ".keras": ("a Keras file", EXPORT_KERAS),
    ".pb": ("a TensorFlow graph", EXPORT_KERAS),
    ".mlmodel": ("a Core ML file", "Export the network it was made from to ONNX and name that file"),
    ".mat": ("a MATLAB file", "Export the network with exportONNXNetwork in MATLAB and name that file"),
    ".py": ("a Python file", "Name the function in it that returns the network as module:function"),
    ".npy": ("an array, no network", "Name the network, and give examples with --inputs"),
    ".npz": ("arrays, no network", "Name the network, and give examples with --inputs"),
}
"""What people give as a network and is none here: what it is, and the way."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that can be run, with what its own description says of its input; None where it says nothing.

    Parameters
    ----------
    name : str
    model : nn.Module
    input_shape : tuple of int, or None
        Of one example.
    step_rate_hz : float or None
    mode : {'window', 'stream'}
    from_file : bool
        Its file says which shapes of an example it takes.
    input_bits : int or None
        Width of an input element as it reaches the network [bits].
    pipeline_work : tuple of LayerWork
        What is done to the recording before the network.
    """

    name: str
    model: nn.Module
    input_shape: tuple[int, ...] | None = None
    step_rate_hz: float | None = None
    mode: Mode = "window"
    from_file: bool = False
    input_bits: int | None = None
    pipeline_work: tuple[LayerWork, ...] = ()

    def example_shape(self, wanted: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Return the shape of one example where a user wants one, or none in particular; None where nothing says it."""
        return example_shape(self.model, wanted) if self.from_file else wanted or self.input_shape


def find_network(
    source: str, step_rate_hz: float | None, euler_step: float | None = None, mode: Mode | None = None
) -> Network | Workload:
    """Return a network that can be run, or the finished workload of one that is only described.

    Parameters
    ----------
    source : str
        Folder of a saved student; an ``.onnx``, ``.nir`` or ``.tflite`` file; the name or ``.toml`` file of an
        architecture; ``package.module:function`` for a Python function without arguments that returns an ``nn.Module``.
    step_rate_hz : float or None
        Rate of the steps [Hz], for a file whose neurons live in continuous time.
    euler_step : float or None
        Length of one step of such neurons, in the unit of the file's time constants; None: one over the rate.
    mode : {'window', 'stream'} or None
        How a file is run that takes a state and returns the next; None: as a stream, which hands it on.

    Raises
    ------
    StudentError
        There is no such network, or it cannot be read.
    """
    path = Path(source)
    if euler_step is not None and path.suffix.lower() != CONTINUOUS_SUFFIX:
        raise StudentError(
            "a step of its neurons' equations is given", where=source,
            remedy=f"Leave it out: only files ending in {CONTINUOUS_SUFFIX} hold neurons in continuous time",
        )
    if os.path.isdir(path):
        return _student(path)
    if path.suffix == ".json":
        raise StudentError("no network", where=source, remedy="A workload is counted already: cosim estimate prices it")
    if path.suffix.lower() in SUFFIXES:
        step_s = euler_step
        if step_s is None and step_rate_hz and path.suffix.lower() == CONTINUOUS_SUFFIX:
            step_s = 1.0 / step_rate_hz
        return _from_file(path.stem, read_network(path, step_s), mode)
    if path.suffix.lower() in OTHER_FORMATS and path.suffix.lower() not in SUFFIXES:
        what, way = OTHER_FORMATS[path.suffix.lower()]
        raise StudentError(f"it is {what}", where=source, remedy=way)
    if path.suffix == ARCHITECTURE_SUFFIX or source in architecture_names():
        return architecture_workload(source)
    if ":" in source:
        return Network(source.rpartition(":")[2], _called(source))
    known = f"a folder with {SPEC}, a file ending in {', '.join((*SUFFIXES, ARCHITECTURE_SUFFIX))}, module:function"
    raise StudentError(
        "there is no such network", where=source,
        remedy=f"Name {known}, or an architecture. {unknown_name('architectures', source, architecture_names())}",
    )


def _from_file(name: str, model: nn.Module, mode: Mode | None) -> Network:
    loop = None if mode == "window" else as_stream(model)
    if loop is None:
        return Network(name, model, from_file=True)
    return Network(name, loop, mode="stream", from_file=True)


def _student(folder: Path) -> Network:
    if not (folder / SPEC).is_file():
        raise StudentError(
            f"no saved student: the folder has no {SPEC}", where=str(folder),
            remedy="Name one that a run keeps below stages/result, or a network's file",
        )
    model, spec = load_student(folder)
    shape = (spec.shape.channels, spec.shape.steps)
    before = read_workload(folder / PIPELINE) if (folder / PIPELINE).is_file() else None
    return Network(
        spec.label, model, shape, spec.shape.step_rate_hz, mode_of(spec),
        input_bits=None if before is None else before.input_bits, pipeline_work=() if before is None else before.layers,
    )


def _called(source: str) -> nn.Module:
    module, _, function = source.partition(":")
    try:
        found: Callable[[], object] = getattr(importlib.import_module(module), function)
    except Exception as error:  # the module is a user's and may raise anything
        raise StudentError(
            f"it cannot be imported ({type(error).__name__}: {error})", where=source,
            remedy="Give package.module:function, importable from here",
        ) from error
    try:
        model = found()
    except TypeError as error:
        raise StudentError(
            f"it cannot be called without arguments ({error})", where=source, remedy="Wrap it in a function that can"
        ) from error
    except Exception as error:
        raise StudentError(
            f"it raised {type(error).__name__}: {error}", where=source, remedy="Repair it: it has to return a network"
        ) from error
    if not isinstance(model, nn.Module):
        raise StudentError(
            f"it returned a {type(model).__name__}", where=source, remedy="Return a torch.nn.Module"
        )
    return model
