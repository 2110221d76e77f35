"""What NeuroBench 2.3 sees while a model runs: inputs of connection layers, outputs of activation layers."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from students.neurobench.cells import cell_operations

PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
Product = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
CONNECTIONS = (*PRODUCTS, nn.RNNBase, nn.RNNCellBase)
SNNTORCH_NEURON = ("snntorch._neurons.neurons", "SpikingNeuron")
RAISED = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class SynapticOperations:
    """Synaptic operations per sample.

    Parameters
    ----------
    dense, effective_macs, effective_acs : float
        All weights times all inputs without padding taps; those with both non-zero, in calls whose input holds
        another value than -1, 0, 1, and in the other calls.
    """

    dense: float
    effective_macs: float
    effective_acs: float


def _spiking(module: nn.Module) -> bool:
    return any((base.__module__, base.__name__) == SNNTORCH_NEURON for base in type(module).__mro__)


def _activation(module: nn.Module) -> bool:
    return isinstance(module, nn.ReLU | nn.Sigmoid) or _spiking(module)


def is_connection(module: nn.Module) -> bool:
    """Return whether NeuroBench looks for synapses in a module."""
    return isinstance(module, CONNECTIONS)


def outermost(module: nn.Module, wanted: Any, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the outermost wanted modules below a module, one under two parents twice; never the module itself."""
    for name, child in module.named_children():
        if wanted(child):
            yield path + name, child
        else:
            yield from outermost(child, wanted, f"{path}{name}.")


class Run:
    """Accumulates one run of a model, batch by batch."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.notes = model, list[str]()
        self.layers = list(outermost(model, is_connection))
        self.activations = list(outermost(model, _activation))
        self.copies: dict[nn.Module, tuple[Product, Product]] = {}
        self.dense: dict[tuple[nn.Module, torch.Size], int] = {}
        self.calls = {layer: Counter[str]() for _, layer in self.layers}
        self.operations = Counter[str]()
        self.failed = False
        self.zeros = self.elements = self.samples = 0
        self.sparsity = 0.0
        self.silent = True

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Hook the layers of the model inside the block."""
        for path, layer in self.layers:
            if isinstance(layer, PRODUCTS):
                self._copy(path, layer)
        handles = [layer.register_forward_pre_hook(self._count(path, layer)) for path, layer in self.layers]
        handles += [layer.register_forward_hook(self._watch) for _, layer in self.activations]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _copy(self, path: str, layer: Product) -> None:
        """Keep two copies of a layer: non-zero weights as ones, and all weights as ones; no bias."""
        if layer._forward_pre_hooks or hasattr(layer, "parametrizations"):
            self._fail(path, "its weight is recomputed in every call, over the one that NeuroBench sets")
            return
        try:
            marked, ones = copy.deepcopy(layer), copy.deepcopy(layer)
            for one, marks in ((marked, layer.weight != 0), (ones, torch.ones_like(layer.weight))):
                one.weight.data = marks.to(layer.weight.dtype)
                if one.bias is not None:
                    one.bias.data = torch.zeros_like(one.bias)
                if type(layer) in PRODUCTS:
                    one.float()  # counts of up to 2^24 products an output are exact
            self.copies[layer] = (marked, ones)
        except RAISED as error:
            self._fail(path, f"{type(error).__name__}: {error}")

    def _fail(self, path: str, reason: str) -> None:
        if not self.failed:
            self.notes.append(f"SynapticOperations: {path}: {reason}; reported as 0.0 or as the other layers' count")
        self.failed = True

    def _count(self, path: str, layer: nn.Module) -> Callable[[nn.Module, Any], None]:
        def before(_: nn.Module, args: Any) -> None:
            if self.failed:
                return
            try:
                effective, dense = self._call(layer, args)
            except RAISED as error:
                self._fail(path, f"{type(error).__name__}: {error}")
                return
            kind = "AC" if _spikes(args[0]) else "MAC"
            self.calls[layer][kind] += 1
            self.operations.update({kind: effective, "dense": dense})

        return before

    def _call(self, layer: nn.Module, args: tuple[Any, ...]) -> tuple[int, int]:
        if len(args) == 0:
            raise TypeError("its input was given by keyword, which NeuroBench does not see")
        if type(args[0]) not in (Tensor, nn.Parameter):
            raise TypeError(f"its input is a {type(args[0]).__name__}, which NeuroBench takes for a pair of states")
        if isinstance(layer, nn.RNNBase):
            raise NotImplementedError(f"NeuroBench does not count {type(layer).__name__}")
        if isinstance(layer, nn.RNNCellBase):
            return cell_operations(layer, args, "nonzero"), cell_operations(layer, args, "all")
        if len(args) > 1:
            raise TypeError("it was called with more than one argument")
        signal, (marked, ones) = args[0], self.copies[layer]
        marks = (signal != 0).to(marked.weight.dtype)
        if (layer, signal.shape) not in self.dense:
            # Of a batch every example has the same; a layer with its own forward is asked for them all.
            one_for_all = type(layer) in PRODUCTS and signal.dim() >= marked.weight.dim()
            part = marks[:1] if one_for_all else marks
            self.dense[layer, signal.shape] = _total(ones(torch.ones_like(part))) * (len(marks) // len(part))
        return _total(marked(marks)), self.dense[layer, signal.shape]

    def _watch(self, layer: nn.Module, _: object, output: Any) -> None:
        if isinstance(output, tuple):
            output = output[0]
        self.zeros += int((output == 0).sum())
        self.elements += output.numel()

    def end_batch(self, samples: int) -> None:
        """Record the end of a batch of so many samples."""
        self.samples += samples
        if self.elements:
            self.silent = False
            self.sparsity += samples * self.zeros / self.elements
        self.zeros = self.elements = 0

    def activation_sparsity(self) -> float | None:
        """Return the mean over batches; None, and a note, where nothing was activated."""
        if self.silent:
            self.notes.append("ActivationSparsity: no ReLU, Sigmoid or snnTorch neuron was called; reported as 0.0")
            return None
        return self.sparsity / self.samples

    def synaptic_operations(self) -> SynapticOperations | None:
        """Return the operations per sample; None, and a note, where NeuroBench fails or sees no layer."""
        if not self.failed and not any(counter.total() for counter in self.calls.values()):
            self.notes.append("SynapticOperations: no Linear, Conv or recurrent layer was called; reported as 0.0")
            self.failed = True
        if self.failed:
            return None
        dense, macs, acs = (self.operations[key] / self.samples for key in ("dense", "MAC", "AC"))
        return SynapticOperations(dense, macs, acs)

    def blind_spots(self) -> list[str]:
        """Return what the numbers leave out, count twice, or decide by the batch."""
        times = Counter(layer for _, layer in self.layers)
        paths = {layer: path for path, layer in self.layers}
        found = [f"{paths[layer]}: under {n} parents, counted {n} times" for layer, n in times.items() if n > 1]
        for layer, kinds in self.calls.items():
            if not kinds and not self.failed:
                found.append(f"{paths[layer]} is never called as a module: its products are not counted")
            elif len(kinds) == 2:
                split = f"{kinds['AC']} calls are AC and {kinds['MAC']} MAC, which depends on batch_size"
                found.append(f"{paths[layer]}: {split}")
        inside = {part for layer in times for part in layer.modules()}
        for path, module in self.model.named_modules():
            if module not in inside and not _spiking(module) and module._parameters:
                found.append(f"{path or 'the model'} ({type(module).__name__}) is not counted")
        return found


def _spikes(signal: Tensor) -> bool:
    return bool(((signal == 0) | (signal == 1) | (signal == -1)).all())


def _total(updates: Tensor) -> int:
    return int(updates.sum(dtype=torch.float64))
