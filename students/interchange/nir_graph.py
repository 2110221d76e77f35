"""A NIR network as a module: every node once a step, values of recurrent edges from the step before."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.interchange.nir_file import Wiring, read_wiring
from students.interchange.nir_neurons import NEURONS
from students.neurons.euler import Membrane, StepNeuron


class _Unsupported(Exception):  # noqa: N818  control flow inside the module: all are listed at once
    """A node that cannot be run."""


DELAY_ROUNDING = 1e-5
"""Of a delay in steps, relative."""
LONGEST_DELAY = 1 << 16
"""Steps that a delay may keep."""
UNBUILDABLE = (_Unsupported, ArithmeticError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)
"""Of a node that is not run, and of one whose parameters do not fit it."""


class ScaleNode(nn.Module):
    """A factor, one for all elements or one each."""

    scale: Tensor

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the scaled signal."""
        return signal * self.scale


class ThresholdNode(nn.Module):
    """The step function: 1 where the signal is above the threshold."""

    threshold: Tensor

    def __init__(self, threshold: Tensor) -> None:
        super().__init__()
        self.register_buffer("threshold", threshold)

    def forward(self, signal: Tensor) -> Tensor:
        """Return 0 or 1, shape of `signal`."""
        return (signal > self.threshold).to(signal.dtype)


class DelayNode(nn.Module):
    """A delay of whole steps, one for each value; before the first step all values were zero.

    Parameters
    ----------
    steps : Tensor of int64, one value, or one each in the shape of one decode
    """

    def __init__(self, steps: Tensor) -> None:
        super().__init__()
        self.steps = [int(one) for one in steps.flatten()]
        self.shape, self.kept = steps.shape, list[Tensor]()

    @property
    def longest(self) -> int:
        """Steps for which values are kept."""
        return max(self.steps)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the values of so many steps before, shape of `signal`."""
        kept = [*self.kept, signal] if self.kept else [*[torch.zeros_like(signal)] * self.longest, signal]
        self.kept = kept[1:] if self.longest else []
        if len(set(self.steps)) == 1:
            return kept[-1 - self.steps[0]]
        flat = [one.flatten(1) for one in kept]
        columns = [flat[-1 - steps][:, place] for place, steps in enumerate(self.steps)]
        return torch.stack(columns, dim=1).view(signal.shape)


class SumPool(nn.Module):
    """Sums over windows of ``(batch, channels, height, width)``."""

    def __init__(self, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, signal: Tensor) -> Tensor:
        """Return the sums."""
        if any(self.padding):
            high, wide = self.padding
            signal = functional.pad(signal, [wide, wide, high, high])
        windows = signal.unfold(2, self.kernel[0], self.stride[0]).unfold(3, self.kernel[1], self.stride[1])
        return windows.sum((-2, -1))


class NirNetwork(nn.Module):
    """A NIR network run over the last axis of its input, from a zero initial state.

    Parameters
    ----------
    wiring : Wiring
    step_s : float
        Length of one step [s].

    Raises
    ------
    StudentError
        Nodes that cannot be run, all of them by name; a step too long for a time constant.
    """

    def __init__(self, wiring: Wiring, step_s: float) -> None:
        super().__init__()
        self.step_s, self.wiring = step_s, wiring
        self._modules_of: dict[str, nn.Module] = {}
        problems: list[str] = []
        for name, node in wiring.nodes.items():
            try:
                self._modules_of[name] = _module(node, step_s)
                self.add_module(name.replace(".", "_"), self._modules_of[name])
            except UNBUILDABLE as why:
                problems.append(f"{name} ({type(node).__name__}: {why})")
        if problems:
            raise StudentError(
                f"{len(problems)} of {len(wiring.nodes)} nodes cannot be run: {'; '.join(problems)}",
                where=wiring.source, remedy="Export the network without them; docs/files.md lists what can be run",
            )  # fmt: skip
        self._late = {source for entry in wiring.sources.values() for source, late in entry if late}
        self._feed_back()
        shape = wiring.nodes[wiring.input].input_type["input"]
        self.input_axes: tuple[int | None, ...] = (*(int(size) for size in np.atleast_1d(shape)), None)

    def _feed_back(self) -> None:
        """Set on each recurrent or delayed product the number of values that are kept for it from step to step."""
        for name, entry in self.wiring.sources.items():
            waiting = [source for source, late in entry if late]
            delays = [one for source, _ in entry if isinstance(one := self._modules_of[source], DelayNode)]
            if waiting or delays:
                elements = sum(math.prod(self._shape_of(source)) for source in waiting)
                elements += sum(sum(one.steps) for one in delays)
                self._modules_of[name].feedback_elements = elements  # type: ignore[assignment]

    def _fires(self, name: str) -> bool:
        """True where a node's values are spikes."""
        module = self._modules_of[name]
        if isinstance(module, nn.Flatten | nn.Identity | DelayNode):
            return all(self._fires(source) for source, _ in self.wiring.sources[name]) and name != self.wiring.input
        return isinstance(module, ThresholdNode) or (isinstance(module, StepNeuron) and module.threshold is not None)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the output of every step, shape (batch, ..., steps).

        Parameters
        ----------
        signal : Tensor, shape (batch, ..., steps)
            The shape of the network's input between batch and steps.
        """
        if tuple(signal.shape[1:-1]) != self.input_axes[:-1]:
            raise StudentError(
                f"an input of shape {tuple(signal.shape)}", where=self.wiring.source,
                remedy=f"Give (batch, {', '.join(str(size) for size in self.input_axes[:-1])}, steps)",
            )  # fmt: skip
        for module in self._modules_of.values():
            if isinstance(module, StepNeuron):
                module.reset_mem()
            if isinstance(module, DelayNode):
                module.kept = []
        before: dict[str, Tensor] = self._initial_values(signal[..., 0]) if self._late else {}
        outputs: list[Tensor] = []
        for now in signal.unbind(-1):
            values = self._step(now, before)
            before = {name: values[name] for name in self._late}
            outputs.append(values[self.wiring.output])
        return torch.stack(outputs, dim=-1)

    def _step(self, now: Tensor, before: dict[str, Tensor]) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        for name in self.wiring.nodes:
            if name == self.wiring.input:
                values[name] = now
                continue
            total: Tensor | None = None
            for source, late in self.wiring.sources[name]:
                one = before[source] if late else values[source]
                total = one if total is None else total + one
            values[name] = self._modules_of[name](total)
        return values

    def _initial_values(self, now: Tensor) -> dict[str, Tensor]:
        """Return zeros for what the first step reads from the step before it, in the shapes these values have.

        They are made from the input, because counting follows what depends on it, and the first step of a recurrent
        product is work like every other.
        """
        zero = now.flatten(1)[:, :1]
        initial: dict[str, Tensor] = {}
        for name in self._late:
            shape = self._shape_of(name)
            if self._fires(name):
                none = torch.logical_and(zero, torch.zeros_like(zero)).to(now.dtype)
            else:
                none = torch.masked_fill(zero, torch.ones_like(zero, dtype=torch.bool), 0.0)
            initial[name] = none.reshape(now.shape[0], *[1] * len(shape)).expand(now.shape[0], *shape)
        return initial

    def _shape_of(self, name: str) -> tuple[int, ...]:
        shape = self.wiring.nodes[name].output_type["output"]
        if shape is None:
            raise StudentError(
                f"the shape of the recurrent node {name!r} is not in the file", where=self.wiring.source,
                remedy="Write the network with its types inferred",
            )
        return tuple(int(size) for size in np.atleast_1d(shape))


def read_nir(path: Path, step_s: float | None = None) -> NirNetwork:
    """Return the network of a NIR file, in evaluation mode.

    Parameters
    ----------
    path : Path
    step_s : float or None
        Length of one step [s]; needed where the file's metadata name no ``dt``.

    Raises
    ------
    StudentError
        A file that cannot be read, nodes that cannot be run (all of them at once), no step or two different ones.
    """
    if step_s is not None and not (step_s > 0 and math.isfinite(step_s)):
        raise StudentError(f"a step of {step_s:g}", where=str(path), remedy="Give a finite step above 0")
    wiring = read_wiring(path)
    if step_s is not None and wiring.step_s is not None and step_s != wiring.step_s:
        raise StudentError(
            f"a step of {step_s:g} s, where the file says dt = {wiring.step_s:g} s", where=str(path),
            remedy="Leave it out, or give the file's own (--euler-step on the command line)",
        )
    step = step_s if step_s is not None else wiring.step_s
    timeless = not any(type(node).__name__ in NEURONS for node in wiring.nodes.values())
    if step is None and timeless:
        step = 1.0  # nothing in it depends on time
    if step is None or not step > 0:
        raise StudentError(
            "its neurons live in continuous time, and no step length is known", where=str(path),
            remedy="Give the rate of the steps in hertz (cosim workload --sample-rate) or their length in seconds "
            "(read_network's step_s), or write dt into the file's metadata",
        )
    return NirNetwork(wiring, step).eval()


def _tensor(array: Any) -> Tensor:
    """Return an array as a float tensor; one value repeated for every neuron is that one value."""
    values = torch.as_tensor(np.asarray(array, dtype=np.float32).copy())
    return values.flatten()[0] if values.numel() and bool((values == values.flatten()[0]).all()) else values


def _pair(value: Any) -> tuple[int, int]:
    sizes = [int(size) for size in np.atleast_1d(value)]
    return (sizes[0], sizes[-1])


def _delay(node: Any, step_s: float) -> nn.Module:
    """Return a delay, which has to be whole steps up to the rounding of the file's numbers."""
    steps = np.atleast_1d(np.asarray(node.delay, dtype=np.float64)) / step_s
    whole = np.rint(steps)
    if not (np.abs(steps - whole) < DELAY_ROUNDING * np.maximum(whole, 1)).all() or (whole < 0).any():
        raise _Unsupported(f"delays of other than whole steps of {step_s} s")
    if whole.max() > LONGEST_DELAY:
        raise _Unsupported(f"a delay of {whole.max():.0f} steps, more than {LONGEST_DELAY}")
    return DelayNode(torch.as_tensor(whole.astype(np.int64)))


def _module(node: Any, step_s: float) -> nn.Module:
    """Return the module that runs a node once."""
    kind = type(node).__name__
    if kind == "Delay":
        return _delay(node, step_s)
    if kind in NEURONS:
        return StepNeuron(_membrane(node, kind, step_s))
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise _Unsupported("not implemented")
    return builder(node)


def _membrane(node: Any, kind: str, step_s: float) -> Membrane:
    """Return the constants of one step; the equations are in the text of `neurons`."""
    fires = kind.endswith("IF")
    ends: dict[str, Any] = {}
    if fires:
        ends = {"threshold": _tensor(node.v_threshold), "reset": _tensor(node.v_reset)}
    resistance = np.asarray(node.r, dtype=np.float64)
    if kind in {"IF", "I"}:
        return Membrane(_tensor(1.0), _gain(step_s * resistance), _tensor(0.0), **ends)
    rate = _rate(node.tau_mem if kind.startswith("Cuba") else node.tau, step_s)
    decay, gain, offset = _tensor(1 - rate), _gain(rate * resistance), _tensor(rate * np.asarray(node.v_leak))
    if not kind.startswith("Cuba"):
        return Membrane(decay, gain, offset, **ends)
    synaptic = _rate(node.tau_syn, step_s)
    into = _gain(synaptic * np.asarray(node.w_in))
    current: dict[str, Any] = {"synaptic_decay": _tensor(1 - synaptic), "synaptic_gain": into}
    return Membrane(decay, gain, offset, **ends, **current)


def _gain(factor: Any) -> Tensor:
    """Return a gain; where it is 1 up to the rounding of the file's single-precision constants, it is 1."""
    values = np.asarray(factor, dtype=np.float64)
    return _tensor(np.where(np.abs(values - 1) < 4 * np.finfo(np.float32).eps, 1.0, values))


def _rate(tau: Any, step_s: float) -> Any:
    """Return ``dt / tau``, which forward Euler needs in 0..1."""
    with np.errstate(divide="ignore"):  # 0 is refused below
        rate = step_s / np.asarray(tau, dtype=np.float64)
    if not ((rate > 0) & (rate <= 1)).all():
        raise _Unsupported(f"a step of {step_s} s for time constants down to {float(np.min(tau))} s")
    return rate


def _product(node: Any) -> nn.Module:
    weight = torch.as_tensor(np.asarray(node.weight, dtype=np.float32).copy())
    if weight.dim() != 2:
        raise _Unsupported(f"weights of shape {tuple(weight.shape)}")
    bias = getattr(node, "bias", None)
    return _filled(nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None), weight, bias)


def _filled(module: Any, weight: Tensor, bias: Any) -> nn.Module:
    module.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        stored = torch.as_tensor(np.asarray(bias, dtype=np.float32).copy()).flatten()
        module.bias = nn.Parameter(stored, requires_grad=False)
    return module


def _convolution(kind: Any, axes: int) -> Callable[[Any], nn.Module]:
    def build(node: Any) -> nn.Module:
        weight = torch.as_tensor(np.asarray(node.weight, dtype=np.float32).copy())

        def sizes(value: Any) -> Any:
            if isinstance(value, str | bytes):
                return value if isinstance(value, str) else value.decode()
            found = [int(size) for size in np.atleast_1d(value)]
            return tuple(found * axes if len(found) == 1 else found)

        groups = int(node.groups)
        bias = node.bias if np.any(node.bias) else None  # NIR has no convolution without one
        module = kind(
            weight.shape[1] * groups, weight.shape[0], tuple(weight.shape[2:]), sizes(node.stride),
            sizes(node.padding), sizes(node.dilation), groups, bias is not None,
        )  # fmt: skip
        return _filled(module, weight, bias)

    return build


def _flatten(node: Any) -> nn.Module:
    """NIR counts axes without the batch."""
    start, end = (int(axis) + (int(axis) >= 0) for axis in (node.start_dim, node.end_dim))
    return nn.Flatten(start, end)


_BUILDERS: dict[str, Callable[[Any], nn.Module]] = {
    "Input": lambda _: nn.Identity(),
    "Output": lambda _: nn.Identity(),
    "_Pass": lambda _: nn.Identity(),
    "Affine": _product,
    "Linear": _product,
    "Conv1d": _convolution(nn.Conv1d, 1),
    "Conv2d": _convolution(nn.Conv2d, 2),
    "Flatten": _flatten,
    "SumPool2d": lambda node: SumPool(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding)),
    "AvgPool2d": lambda node: nn.AvgPool2d(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding)),
    "Scale": lambda node: ScaleNode(_tensor(node.scale)),
    "Threshold": lambda node: ThresholdNode(_tensor(node.threshold)),
}
