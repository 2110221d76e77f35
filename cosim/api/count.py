"""Counts a network: what it does in one decode, whatever machine may run it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Literal, cast

from torch import nn

from cosim.api.arguments import Counted, HoldsWorkload, held_workload, rate_of
from cosim.workloads.network_source import Network
from cosim.workloads.network_workload import Examples, Observation, network_workload
from cosim.workloads.rebuilt import rebuilt_workload
from energy_models.errors import StudentError
from energy_models.workload import Workload


def count(
    model: nn.Module | Counted | HoldsWorkload | str | Path,
    x: Examples | str | Path | None = None,
    *,
    rate_hz: float | str | None = None,
    mode: Literal["window", "stream"] | None = None,
    input_bits: int | None = None,
    input_shape: Sequence[int] | None = None,
    decodes: int = 4,
    seed: int = 0,
    warm_up_steps: int = 0,
    euler_step: float | None = None,
    channels: int | None = None,
    bits: int | None = None,
) -> Workload:
    """Return what a network does in one decode: products in four conventions, other operations, storage, state.

    Parameters
    ----------
    model : nn.Module, trained student, str or Path
        A network; a student or a decoder of a run, which are counted already, on held-out recordings, with their
        preprocessing; the folder of a saved student; an ``.onnx``, ``.nir`` or ``.tflite`` file; an architecture by
        name or ``.toml`` file; or ``package.module:function`` that returns a network.
    x : array, Tensor, mapping of these by argument, str or Path, optional
        Examples, shape (examples, channels, steps) or (examples, features); a path is that of a NumPy file. None:
        `decodes` examples of standard normal noise in `input_shape`; the densities are then not data.
    rate_hz : float or str
        Rate of the input samples or bins [Hz], or a text with a unit; what is described elsewhere states its own.
        That of decisions is asked for where a price is.
    mode : {'window', 'stream'}, optional
        One decode a window (default for a module), or one a step with state kept in between.
    input_bits : int, optional
        Width of an input element as it reaches the network [bits]; default: the student's own, or 16.
    input_shape : sequence of int, optional
        Of one made-up example, such as ``(22, 1000)``.
    decodes, seed : int
        Made-up examples, and the seed of their noise.
    warm_up_steps : int
        First steps of a stream, counted apart.
    euler_step : float, optional
        Length of one step of neurons that a NIR file describes in continuous time, in the unit of its time constants;
        default: one over the rate.
    channels, bits : int, optional
        Build it again with other input channels, or other bits of weights and activations, and count it on made-up
        inputs, not trained: an architecture or the folder of a saved student.

    Raises
    ------
    CosimError
        No network, or its inputs, shape or rate are unknown or impossible.
    """
    if channels is not None or bits is not None:
        if any(one is not None for one in (x, rate_hz, mode, input_bits, input_shape, euler_step)):
            raise StudentError(
                "what is built again is counted on made-up inputs", where="cosim.count, channels or bits",
                remedy="Leave out x, rate_hz, mode, input_bits, input_shape and euler_step",
            )
        return rebuilt_workload(model, channels=channels, bits=bits, where="cosim.count")
    recordings = Path(x) if isinstance(x, str) else x
    how = Observation(
        input_shape=None if input_shape is None else _shape(input_shape),
        recordings=recordings,
        step_rate_hz=None if rate_hz is None else rate_of(rate_hz, where="cosim.count, rate_hz"),
        mode=_mode(mode),
        input_bits=None if input_bits is None else _positive(input_bits, "input_bits"),
        decodes=_positive(decodes, "decodes"),
        seed=seed,
        warm_up_steps=warm_up_steps,
        euler_step=euler_step,
    )
    if isinstance(model, str | Path):
        return network_workload(str(model), how)
    if isinstance(model, nn.Module):
        return network_workload(Network(type(model).__name__, model), how)
    held = held_workload(model)
    if held is not None:
        return _counted_already(held, how)
    raise StudentError(
        f"{model!r:.60} of type {type(model).__name__} is no network", where="cosim.count, model",
        remedy="Give a torch.nn.Module, a trained student, or the name or path of a network",
    )


def _counted_already(held: Workload, how: Observation) -> Workload:
    if how.recordings is not None or how.step_rate_hz is not None or how.mode is not None:
        raise StudentError(
            "it is counted already, on held-out recordings and with its preprocessing", where="cosim.count",
            remedy="Leave out x, rate_hz and mode, or count its network: cosim.count(student.model, x, rate_hz=...)",
        )
    return held


def _mode(mode: object) -> Literal["window", "stream"] | None:
    if mode not in (None, "window", "stream"):
        raise StudentError(f"there is no mode {mode!r}", where="cosim.count, mode", remedy="Give 'window' or 'stream'")
    return mode


def _positive(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise StudentError(f"{value!r}", where=f"cosim.count, {name}", remedy="Give a whole number from 1 up")
    return int(value)


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(cast(object, shape), list | tuple):
        raise StudentError(f"{shape!r}", where="cosim.count, input_shape", remedy="Give sizes such as (22, 1000)")
    return tuple(_positive(size, "input_shape") for size in shape)
