"""Counts a network: which inputs, at which rate, and what to say where they are made up."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import is_zipfile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.datasets.array_files import check_npy, check_npz, names_in_archive
from cosim.datasets.files import reading
from cosim.workloads.network_source import Network, find_network
from energy_models.errors import DataError, StudentError, errors_placed, memory_errors
from energy_models.workload import Workload
from students.counting import Inputs, observe
from students.interchange import absent_weights, arena_of, examples_at_once

LARGEST_EXAMPLES = 1 << 28
"""Values of all made-up examples, a gigabyte."""
USELESS_WARNING = "Using padding='same' with even kernel"
"""Of torch: it may copy its input, which is of no use to who counts."""

BATCH = 32
"""Examples in one call, where a network takes any number."""
INPUT_BITS = 16
"""Width of an input element where neither the caller nor the network says one: a converter's word [bits]."""
SILENCE = (
    "Give recordings (--inputs) in the network's own unit; for neurons in continuous time check the step of their "
    "equations (--euler-step, in the unit of the file's time constants)."
)
"""What to do where no neuron fires."""
Examples = NDArray[Any] | Tensor | Mapping[str, NDArray[Any] | Tensor]


@dataclass(frozen=True, slots=True)
class Observation:
    """How to observe a network; None leaves it to what the network's own file says.

    Parameters
    ----------
    input_shape : tuple of int, or None
        Of one example: (channels, steps), or (features,).
    recordings : Path, array, Tensor, mapping of these, or None
        Examples on the first axis: one array, or one by the name of each argument the network is called with; a path
        is that of a NumPy file (.npy, or .npz with arrays by name). None: standard normal noise from `seed`.
    step_rate_hz : float or None
        Rate of input samples or bins [Hz].
    mode : {'window', 'stream'} or None
    input_bits : int or None
        Width of an input element as it reaches the network [bits]; None: what the network says, or else 16.
    decodes : int
        Made-up examples.
    seed : int
    warm_up_steps : int
        First steps of each streamed segment, counted apart.
    euler_step : float or None
        Length of one step of neurons that a file describes in continuous time, in the unit of its time constants;
        None: one over the rate.
    """

    input_shape: tuple[int, ...] | None
    recordings: Path | Examples | None
    step_rate_hz: float | None
    mode: Literal["window", "stream"] | None
    input_bits: int | None
    decodes: int
    seed: int
    warm_up_steps: int
    euler_step: float | None = None


def network_workload(source: str | Network, how: Observation) -> Workload:
    """Return the exact work of a network, or of the one that `source` names.

    Raises
    ------
    StudentError
        No such network, or its shape or rate is not known.
    DataError
        Recordings that cannot be read or hold values no decoder can use.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=USELESS_WARNING)
        with memory_errors(StudentError, source if isinstance(source, str) else source.name):
            return _network_workload(source, how)


def _network_workload(source: str | Network, how: Observation) -> Workload:
    network = find_network(source, how.step_rate_hz, how.euler_step, how.mode) if isinstance(source, str) else source
    where = source if isinstance(source, str) else network.name
    if isinstance(network, Workload):
        if any(given is not None for given in (how.input_shape, how.recordings, how.step_rate_hz, how.mode)):
            raise StudentError(
                "an architecture file states its own input and rate, and is a window", where=where,
                remedy="Leave out inputs, input shape, rate and mode",
            )
        return network
    rate = how.step_rate_hz or network.step_rate_hz
    if rate is None:
        raise StudentError(
            "its sampling rate is unknown", where=where,
            remedy="Give --sample-rate, in hertz; in Python rate_hz",
        )
    inputs, origin = _inputs(network, how, where)
    counted = observe(
        network.model, inputs, name=network.name, mode=how.mode or network.mode, step_rate_hz=rate,
        input_bits=how.input_bits or network.input_bits or INPUT_BITS, pipeline_work=network.pipeline_work,
        warm_up_steps=how.warm_up_steps, batch_size=examples_at_once(network.model) or BATCH,
    )
    found = {**counted.provenance, "inputs": origin, **_silence(counted), **_shapes_only(network), **_arena(network)}
    return counted.replace(provenance=found)


def _shapes_only(network: Network) -> dict[str, str]:
    """Return a remark on a file that holds shapes of weights and no values: what zeros save is then unknown."""
    absent = absent_weights(network.model)
    if not absent:
        return {}
    named = ", ".join(absent[:3]) + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")
    return {"weights": f"WARNING: the file holds the shapes of {named} only. Dense products are exact, effective ones "
            "and spikes are those of made-up weights without zeros."}  # fmt: skip


def _arena(network: Network) -> dict[str, str]:
    """Return what the signals of a file need at most in memory, where its format plans that."""
    size = arena_of(network.model)
    return {} if size is None else {"arena_bytes": str(size)}


def _silence(counted: Workload) -> dict[str, str]:
    """Return a remark on a network none of whose neurons fired: what follows them then looks free."""
    fired = [layer.output_events.total for layer in counted.layers if layer.output_events is not None]
    if not fired or any(fired):
        return {}
    return {"spikes": "WARNING: no neuron fired, so what their spikes cause is counted as nothing. " + SILENCE}


def _inputs(network: Network, how: Observation, where: str) -> tuple[Inputs, str]:
    if how.recordings is not None:
        given = how.recordings
        place = str(given) if isinstance(given, Path) else where
        values = _recordings(given) if isinstance(given, Path) else _given(given, place)
        first = values if isinstance(values, Tensor) else next(iter(values.values()))
        if how.input_shape is not None and tuple(first.shape[1:]) != how.input_shape:
            raise DataError(
                f"examples of shape {tuple(first.shape[1:])}, where --input-shape says {how.input_shape}",
                where=place, remedy="Leave the input shape out (input_shape in Python), or give other recordings",
            )
        return values, f"recordings {given.name}" if isinstance(given, Path) else "recordings given as arrays"
    inputs = getattr(network.model, "signals", ())
    if len(inputs) > 1:
        raise StudentError(
            f"it has {len(inputs)} inputs: {', '.join(inputs)}", where=where,
            remedy="Give --inputs, a .npz file with one array for each by name (in Python a dict of arrays)",
        )
    with errors_placed(where):
        shape = network.example_shape(how.input_shape)
    if shape is None:
        raise StudentError(
            "its input shape is unknown", where=where,
            remedy="Give --input-shape, such as 22x1000; in Python examples, or input_shape=(22, 1000)",
        )
    if (values := how.decodes * math.prod(shape)) > LARGEST_EXAMPLES:
        raise StudentError(
            f"{how.decodes:,} examples of shape {shape} are {values:,} values, {LARGEST_EXAMPLES:,} at most",
            where=where, remedy="Give a smaller --input-shape, or fewer --decodes",
        )
    generator = torch.Generator().manual_seed(how.seed)
    noise = torch.randn((how.decodes, *shape), generator=generator)
    return noise, f"standard normal noise, seed {how.seed}: densities are not data"


def _recordings(path: Path) -> Tensor | dict[str, Tensor]:
    """Return a file's array, or its arrays by name."""
    with reading(path, "it cannot be read", remedy="Name a .npy or .npz file."):
        if is_zipfile(path):
            check_npz(path, names_in_archive(path))
        else:
            check_npy(path)
        loaded: Any = np.load(path, allow_pickle=False)
        names: list[str] | None = getattr(loaded, "files", None)  # of a .npz
        if names is None:
            found: Any = np.asarray(loaded)
        else:
            with loaded:
                found = {name: loaded[name] for name in names}
    return _given(found, str(path))


def _given(examples: Examples, where: str) -> Tensor | dict[str, Tensor]:
    """Return arrays or tensors as tensors."""
    if not isinstance(examples, Mapping):
        return _numbers(examples, where)
    if not examples:
        raise DataError("it holds no array", where=where, remedy="Save arrays with numpy.savez, by argument")
    return {name: _numbers(array, f"{where}, {name}") for name, array in examples.items()}


def _numbers(given: Any, where: str) -> Tensor:
    if isinstance(given, Tensor):
        return given
    values = np.asarray(given)
    if values.dtype.kind not in "fiub":
        raise DataError(f"it holds {values.dtype}, no real numbers", where=where, remedy="Save numbers with numpy.save")
    with np.errstate(over="ignore"):  # infinities are refused later, with their number
        return torch.as_tensor(values if values.dtype.kind != "f" else values.astype(np.float32))
