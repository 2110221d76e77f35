"""Runs a student on recordings and returns the exact, hardware-blind account of what it did.

The deployed form is what runs: evaluation mode, no gradients, dropout gone, batch norms folded where they fold.
Definitions in ``docs/counting.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from energy_models.errors import DataError, StudentError, unknown_name
from energy_models.workload import Conventions, Count, LayerWork, Uncounted, Workload
from students.counting.attach import attached
from students.counting.catalogue import all_rules
from students.counting.layout import AHEAD, overruns
from students.counting.ledger import Ledger
from students.counting.neurons import keeping_states
from students.counting.tracer import Tracer, input_layout, tensors_of
from students.counting.work import CONVENTIONS, conventions_of
from students.steps import put_at_rest

Mode = Literal["window", "stream"]


def observe(
    model: nn.Module,
    inputs: Tensor,
    *,
    name: str,
    mode: Mode,
    step_rate_hz: float,
    input_bits: int,
    pipeline_work: tuple[LayerWork, ...] = (),
    batch_size: int = 32,
    warm_up_steps: int = 0,
) -> Workload:
    """Return the work of a decoder on given inputs: every layer, all four conventions, exact integers.

    Parameters
    ----------
    model : nn.Module
        Put into evaluation mode while it runs; its mode is restored.
    inputs : Tensor, shape (decodes, channels, steps) or (decodes, features)
        In a stream, shape (segments, ..., channels, steps): every step of every segment is a decode.
    name : str
        What is observed.
    mode : {'window', 'stream'}
        ``window``: one example is one decode. ``stream``: one step is one decode, only its new work is counted,
        and convolutions over steps must be causal; their past inputs wait in a ring buffer.
    step_rate_hz : float
        Rate of input samples or bins [Hz].
    input_bits : int
        Width of an input element as it reaches the model [bits].
    pipeline_work : tuple of LayerWork
        Preprocessing, counted by whoever did it; its layers come first.
    batch_size : int
        Examples per forward call; the counts do not depend on it.
    warm_up_steps : int
        First steps of each streamed segment, while states and buffers fill: run and counted apart, in
        ``Workload.warm_up``; the decodes are the steps after them.

    Returns
    -------
    Workload
        What could not be counted is in `uncounted`, never a zero.

    Raises
    ------
    DataError
        Empty inputs, or inputs that are not finite.
    StudentError
        A wrong shape, an impossible option, or a model that raises.
    """
    _check(model, inputs, name)
    _check_mode(inputs, mode, name)
    _check_options(name, step_rate_hz, input_bits, batch_size)
    _check_warm_up(warm_up_steps, inputs, mode, name)
    inputs = inputs.detach()
    ledger = _run(model, inputs, (mode, batch_size, input_bits, warm_up_steps), name)
    if ledger is None:
        ledger = _run(model, inputs, (mode, 1, input_bits, 0), name)
        assert ledger is not None, "a single decode cannot be mixed with others"  # noqa: S101
    layers, gaps = _merged(pipeline_work, ledger.layers(), ledger)
    steps = 1 if mode == "stream" or inputs.dim() == 2 else inputs.shape[-1]
    halo = {"halo_steps": str(ledger.halo_steps)} if mode == "stream" else {}
    folded = ", ".join(f"{norm} into {product}" for norm, product in sorted(ledger.folded.items()))
    return Workload(
        name=name,
        mode=mode,
        decodes=ledger.decodes,
        steps_per_decode=steps,
        channels=math.prod(inputs.shape[1:-1]) if inputs.dim() > 2 else inputs.shape[1],
        step_rate_hz=step_rate_hz,
        input_bits=input_bits,
        layers=layers,
        uncounted=gaps,
        provenance={"torch": torch.__version__, "folded": folded, **halo},
        products=_totals(ledger, pipeline_work),
        warm_up_steps=warm_up_steps,
        warm_up=() if ledger.warm_up is None else ledger.warm_up.layers(),
    )


def _check(model: nn.Module, inputs: Tensor, name: str) -> None:
    where = f"observing {name}"
    if not isinstance(inputs, Tensor):
        raise DataError(
            f"inputs are a {type(inputs).__name__}", where=where, remedy="Convert them: torch.as_tensor(...)"
        )
    if inputs.dim() < 2 or 0 in inputs.shape:
        raise DataError(
            f"there is nothing to observe in inputs of shape {tuple(inputs.shape)}",
            where=where,
            remedy="Give at least one example of shape (channels, steps)",
        )
    # A sum is finite only where every term is, and several times faster than looking at each.
    if not bool(inputs.sum().isfinite()) and not bool(torch.isfinite(inputs).all()):
        raise DataError(
            f"{int((~torch.isfinite(inputs)).sum())} input values are not finite",
            where=where,
            remedy="Drop or repair the recordings that hold NaN or infinity",
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in model.parameters()):
        raise StudentError("a lazy layer has no weights yet", where=where, remedy="Run the model once before")


def _check_mode(inputs: Tensor, mode: Mode, name: str) -> None:
    if mode not in get_args(Mode):
        raise StudentError(
            f"unknown mode {mode!r}", where=f"observing {name}", remedy=unknown_name("modes", mode, get_args(Mode))
        )
    if mode == "stream" and inputs.dim() < 3:
        raise StudentError(
            f"a stream of shape {tuple(inputs.shape)}", where=f"observing {name}",
            remedy="Give segments of shape (segments, channels, steps)",
        )


def _check_options(name: str, rate: float, bits: int, batch_size: int) -> None:
    if batch_size < 1 or bits < 1 or not (rate > 0 and math.isfinite(rate)):
        raise StudentError(
            f"impossible options: batch_size {batch_size}, input_bits {bits}, step_rate_hz {rate}",
            where=f"observing {name}",
            remedy="All three are positive",
        )


def _check_warm_up(steps: int, inputs: Tensor, mode: Mode, name: str) -> None:
    most = inputs.shape[-1] - 1 if mode == "stream" else 0
    if not 0 <= steps <= most:
        raise StudentError(
            f"impossible options: warm_up_steps {steps} in a {mode} of {inputs.shape[-1]} steps",
            where=f"observing {name}",
            remedy="Only a stream warms up, and at least one step of each segment must be left",
        )


def _run(model: nn.Module, inputs: Tensor, how: tuple[Mode, int, int, int], name: str) -> Ledger | None:
    """Return the filled ledger; None where decodes of a batch could not be told apart and a batch of one will do."""
    mode, batch_size, input_bits, warm_up_steps = how
    ledger = Ledger(inputs.shape[-1] if mode == "stream" else 0, warm_up_steps)
    tracer = Tracer(model, ledger, all_rules())
    with _deployed(model), keeping_states(model), torch.inference_mode(), attached(tracer, model):
        for batch in inputs.split(batch_size):
            ledger.begin(batch.shape[0])
            put_at_rest(model)
            signal = batch.clone()
            tracer.start([(signal, input_layout(signal.shape, mode))], len(signal), input_bits)
            _forward(tracer, model, signal, name)
            if tracer.lost and batch_size > 1 and mode == "window":
                return None
            ledger.end()
    return ledger


def _forward(tracer: Tracer, model: nn.Module, signal: Tensor, name: str) -> None:
    try:
        with tracer:
            output = model(signal)
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError) as error:
        raise StudentError(
            f"the model raised {type(error).__name__} on inputs of shape {tuple(signal.shape)}: {error}",
            where=f"observing {name}, in {(tracer.failure and tracer.failure[1]) or 'the model'}",
            remedy="Give inputs of the shape the model was built for",
        ) from error
    if any(overruns(tracer.info(tensor).layout or ()) for tensor in tensors_of(output)):
        tracer.refuse("output", AHEAD)
    if not any(tracer.is_dynamic(tensor) for tensor in tensors_of(output)):
        tracer.refuse("output", "it was not computed from the input by tensor operations")


@contextmanager
def _deployed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and attention without its fused path, which shows no operations; both restored after."""
    training = {module: module.training for module in model.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    model.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, was in training.items():
            module.training = was


def _totals(ledger: Ledger, pipeline: tuple[LayerWork, ...]) -> Conventions | None:
    """Return the products of all layers summed decode by decode; None where preprocessing varies from decode to decode.

    How a varying count goes together with the model's is not known from its total and squares, so there is no spread.
    """
    sites = {f"{rule}.{kind}": Count(0, 0, ledger.decodes) for rule in CONVENTIONS for kind in ("mac", "ac")}
    sites |= ledger.sites
    for layer in pipeline:
        if layer.products is None:
            continue
        for rule in CONVENTIONS:
            part = getattr(layer.products, rule)
            for kind, count in (("mac", part.multiply_accumulate), ("ac", part.accumulate)):
                if count.squares * count.decodes != count.total**2:
                    return None
                sites[f"{rule}.{kind}"] = sites[f"{rule}.{kind}"].plus(count.total // count.decodes)
    return conventions_of(sites, ledger.decodes)


def _merged(
    pipeline: tuple[LayerWork, ...], layers: tuple[LayerWork, ...], ledger: Ledger
) -> tuple[tuple[LayerWork, ...], tuple[Uncounted, ...]]:
    """Return pipeline and model layers, names unique, and everything uncounted."""
    taken = {layer.name for layer in layers}
    clashes = [layer.name for layer in pipeline if layer.name in taken]
    if clashes:
        raise StudentError(
            f"preprocessing and model both have a layer named {clashes[0]!r}",
            where="pipeline_work",
            remedy="Give the preprocessing steps names of their own",
        )
    return (*pipeline, *layers), ledger.gaps()
