"""A decoder's row for a NeuroBench leaderboard: that tool's own definitions (version 2.3), not this project's.

Differences from ``students.counting.observe``, all of them the tool's: a layer call is all AC or all MAC, decided by
its whole input tensor, so the split depends on the batch size; a layer's Dense leaves padding taps out; biases, norms,
neurons, pooling, attention products and functional calls cost nothing; "per sample" divides by the samples given,
whether or not each led to an inference. Where the tool reports an exception as 0.0 or None, the field is absent and a
note says why.

Source: NeuroBench 2.3.0, ``neurobench/metrics``; Yik et al., "The NeuroBench framework", Nat. Commun. 16, 1545 (2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from energy_models.errors import DataError, StudentError, unknown_name
from students.counting import restored_after
from students.layers.step_loop import reset_states
from students.neurobench.run import PRODUCTS, RAISED, Run, SynapticOperations, is_connection, outermost

Wrapper = Literal["TorchModel", "SNNTorchModel"]


@dataclass(frozen=True, slots=True)
class NeuroBenchRow:
    """One leaderboard row. None: the tool has no number for this model; `notes` says why.

    Parameters
    ----------
    footprint_bytes : int
        Parameters and buffers as stored, before the run [bytes].
    connection_sparsity : float or None
        Share of zero weights in leaf layers, to 4 decimals; the biases of recurrent layers count as weights.
    activation_sparsity : float or None
        Share of zeros in the outputs of ReLU, Sigmoid and snnTorch neurons: mean over batches, weighted by size.
    synaptic_operations : SynapticOperations or None
    samples, batch_size : int
        Samples given, and samples per call; the MAC and AC split depends on the latter.
    notes : tuple of str
        What the tool does not see, counts twice, or fails on.
    """

    footprint_bytes: int
    connection_sparsity: float | None
    activation_sparsity: float | None
    synaptic_operations: SynapticOperations | None
    samples: int
    batch_size: int
    notes: tuple[str, ...]

    def as_results(self) -> dict[str, int | float | dict[str, float]]:
        """Return the row under NeuroBench's own result names, without the fields that are absent."""
        results: dict[str, int | float | dict[str, float]] = {"Footprint": self.footprint_bytes}
        if self.connection_sparsity is not None:
            results["ConnectionSparsity"] = self.connection_sparsity
        if self.activation_sparsity is not None:
            results["ActivationSparsity"] = self.activation_sparsity
        if (work := self.synaptic_operations) is not None:
            results["SynapticOperations"] = {
                "Effective_MACs": work.effective_macs, "Effective_ACs": work.effective_acs, "Dense": work.dense,
            }  # fmt: skip
        return results


def neurobench_row(model: nn.Module, inputs: Tensor, *, batch_size: int, wrapper: Wrapper) -> NeuroBenchRow:
    """Return what NeuroBench 2.3 reports for a model on given samples.

    Numbers agree wherever the tool has one, up to its sums in float32 (from 2^24 on; here they are exact) and to
    inputs overwritten in place after use (it looks after the batch). snnTorch neurons always count as activations.

    Parameters
    ----------
    model : nn.Module
        Runs in evaluation mode; its mode and buffers are restored.
    inputs : Tensor, shape (samples, ...)
        In the order of the data loader, after preprocessing.
    batch_size : int
        Samples per call, as in the data loader of the leaderboard.
    wrapper : {'TorchModel', 'SNNTorchModel'}
        ``TorchModel``: one call per batch. ``SNNTorchModel``: the neurons are reset, then one call per step of
        inputs (samples, steps, ...).

    Raises
    ------
    DataError
        No samples.
    StudentError
        An impossible option, or a model that raises.
    """
    _check(inputs, batch_size, wrapper)
    run = Run(model)
    footprint = _footprint(model)
    sparsity = _connection_sparsity(model, run)
    with restored_after(model), torch.no_grad():
        model.eval()
        with run.hooked():
            for batch in inputs.detach().split(batch_size):
                _forward(model, batch, wrapper)
                run.end_batch(batch.shape[0])
        if (grown := _footprint(model)) != footprint:
            run.notes.append(f"buffers changed in the run: {grown} bytes afterwards, {footprint} reported")
    return NeuroBenchRow(
        footprint_bytes=footprint,
        connection_sparsity=sparsity,
        activation_sparsity=run.activation_sparsity(),
        synaptic_operations=run.synaptic_operations(),
        samples=inputs.shape[0],
        batch_size=batch_size,
        notes=(*run.notes, *run.blind_spots()),
    )


def _check(inputs: Tensor, batch_size: int, wrapper: str) -> None:
    where = "NeuroBench row"
    if inputs.dim() == 0 or 0 in inputs.shape:
        raise DataError(f"no samples in inputs of shape {tuple(inputs.shape)}", where=where, remedy="Give at least one")
    if batch_size < 1:
        raise StudentError(f"batch_size is {batch_size}", where=where, remedy="Give a positive number")
    if wrapper not in get_args(Wrapper):
        remedy = unknown_name("wrappers", wrapper, get_args(Wrapper))
        raise StudentError(f"unknown wrapper {wrapper!r}", where=where, remedy=remedy)
    if wrapper == "SNNTorchModel" and inputs.dim() < 3:
        raise StudentError(
            f"no steps in inputs of shape {tuple(inputs.shape)}", where=where, remedy="Give (samples, steps, features)"
        )


def _forward(model: nn.Module, batch: Tensor, wrapper: Wrapper) -> None:
    try:
        if wrapper == "TorchModel":
            model(batch)
            return
        own = getattr(model, "reset", None)
        own() if callable(own) else reset_states(model)
        for step in range(batch.shape[1]):
            model(batch[:, step])
    except RAISED as error:
        raise StudentError(
            f"the model raised {type(error).__name__} on inputs of shape {tuple(batch.shape)}: {error}",
            where="NeuroBench row",
            remedy="Give inputs of the shape the model was built for, and the wrapper it was written for",
        ) from error


def _footprint(model: nn.Module) -> int:
    stored = (*model.parameters(), *model.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in stored)


def _connection_sparsity(model: nn.Module, run: Run) -> float | None:
    zeros = weights = 0
    for _, layer in outermost(model, lambda module: next(module.children(), None) is None):
        if is_connection(layer):
            counted = [layer.weight] if isinstance(layer, PRODUCTS) else list(layer.parameters())
            zeros += sum(int((tensor == 0).sum()) for tensor in counted)
            weights += sum(tensor.numel() for tensor in counted)
    if not weights:
        run.notes.append("ConnectionSparsity: no leaf Linear, Conv or recurrent layer inside; reported as None")
        return None
    return round((torch.tensor(zeros) / weights).item(), 4)
