"""Runs a student on recordings and returns the exact, hardware-blind account of what it did.

The deployed form is what runs: evaluation mode, no gradients, dropout gone, batch norms folded where they fold.
Definitions in ``docs/counting.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from energy_models.errors import CosimError, StudentError, unknown_name
from energy_models.workload import LayerWork, Uncounted, Workload, tile_over_decodes
from students.counting.activity import activity_remark
from students.counting.axes import AHEAD, overruns
from students.counting.carried_state import StateSearch
from students.counting.deployed import check_model, deployed
from students.counting.dispatch import Tracer
from students.counting.garbage import old_objects_set_aside
from students.counting.inputs import Inputs, Signals, check_steps, signals_of
from students.counting.module_snapshot import restored_after
from students.counting.modules import attached
from students.counting.outputs import mixes_examples, outputs_of
from students.counting.placement import device_of, moved
from students.counting.records import WorkRecorder, total_products
from students.counting.rules import all_rules, host_scalars_tracked, note_unused
from students.counting.threads import chance_noted, threads_followed
from students.layers.step_loop import reset_states

Mode = Literal["window", "stream"]


def observe(
    model: nn.Module,
    inputs: Inputs,
    *,
    name: str,
    mode: Mode,
    step_rate_hz: float,
    input_bits: int,
    pipeline_work: tuple[LayerWork, ...] = (),
    batch_size: int = 32,
    warm_up_steps: int = 0,
    device: str | torch.device | None = None,
) -> Workload:
    """Return the work of a decoder on given inputs: every layer, all four conventions, exact integers.

    Parameters
    ----------
    model : nn.Module
        Put into evaluation mode while it runs; its mode is restored.
    inputs : Tensor, tuple of Tensor, or mapping from keyword to Tensor
        What the model is called with, by position or by keyword. The first signal has shape (decodes, channels, steps)
        or (decodes, features), any other (decodes, ...); whole numbers, such as rows of an embedding, are signals too.
        In a stream the first has shape (segments, ..., channels, steps), and every step of every segment is a decode;
        another signal runs along the steps if its last axis is as long, and else is the same in each of them.
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
        Preprocessing, counted by whoever did it, over the same decodes or, where all are alike, over one; its layers
        come first.
    batch_size : int
        Examples per forward call; the counts do not depend on it.
    warm_up_steps : int
        First steps of each streamed segment, while states and buffers fill: run and counted apart, in
        ``Workload.warm_up``; the decodes are the steps after them.
    device : str, torch.device or None
        Where it runs; None: where the model's parameters are, and the CPU where it has none. The inputs are moved
        there, and so is a copy of a model that is elsewhere.

    Returns
    -------
    Workload
        What could not be counted is in `uncounted`, never a zero.

    Raises
    ------
    DataError
        Inputs that are no tensors, empty, not finite, or of unequal numbers of examples.
    StudentError
        A wrong shape, an impossible option, weights that are missing or not finite, a device that is not there or
        holds no numbers (meta), or a model that raises.
    """
    signals = signals_of(inputs, name)
    target = device_of(model, device, name)
    check_model(model, None if device is not None else target, name)
    model, signals = moved(model, signals, target, name)
    _check_mode(signals, mode, name)
    _check_options(name, step_rate_hz, input_bits, batch_size)
    _check_warm_up(warm_up_steps, signals, mode, name)
    how = _How(mode, batch_size, input_bits, warm_up_steps)
    ran = _run(model, signals, how, name)
    if ran.batch_axis_lost and mode == "window" and batch_size > 1:
        ran = _one_by_one(model, signals, how, name, ran)
    recorder, first = ran.recorder, signals.first
    before = tuple(tile_over_decodes(layer, recorder.decodes) for layer in pipeline_work)
    products, unknown = total_products(recorder.sites, before, recorder.decodes)
    layers, uncounted = _merged(before, recorder.layers(), recorder)
    steps = 1 if mode == "stream" or first.dim() == 2 else first.shape[-1]
    halo = {"halo_steps": str(recorder.halo_steps)} if mode == "stream" else {}
    remarks = {**activity_remark(layers), **({"products": unknown} if unknown else {})}
    folded = ", ".join(f"{norm} into {product}" for norm, product in sorted(recorder.folded.items()))
    return Workload(
        name=name,
        mode=mode,
        decodes=recorder.decodes,
        steps_per_decode=steps,
        channels=math.prod(first.shape[1:-1]) if first.dim() > 2 or mode == "stream" else first.shape[1],
        step_rate_hz=step_rate_hz,
        input_bits=input_bits,
        layers=layers,
        uncounted=uncounted,
        provenance={"torch": torch.__version__, "folded": folded, **halo, **remarks},
        products=products,
        warm_up_steps=warm_up_steps,
        warm_up=() if recorder.warm_up is None else recorder.warm_up.layers(),
    )


def _check_mode(signals: Signals, mode: Mode, name: str) -> None:
    if mode not in get_args(Mode):
        raise StudentError(
            f"unknown mode {mode!r}", where=f"observing {name}", remedy=unknown_name("modes", mode, get_args(Mode))
        )
    if mode == "stream":
        check_steps(signals, name)


def _check_options(name: str, rate: float, bits: int, batch_size: int) -> None:
    if batch_size < 1 or bits < 1 or not (rate > 0 and math.isfinite(rate)):
        raise StudentError(
            f"impossible options: batch_size {batch_size}, input_bits {bits}, step_rate_hz {rate}",
            where=f"observing {name}",
            remedy="All three are positive",
        )


def _check_warm_up(steps: int, signals: Signals, mode: Mode, name: str) -> None:
    most = signals.first.shape[-1] - 1 if mode == "stream" else 0
    if not 0 <= steps <= most:
        raise StudentError(
            f"impossible options: warm_up_steps {steps} in a {mode} of {signals.first.shape[-1]} steps",
            where=f"observing {name}",
            remedy="Only a stream warms up, and at least one step of each segment must be left",
        )


@dataclass(frozen=True, slots=True)
class _How:
    """Options of a run."""

    mode: Mode
    batch_size: int
    input_bits: int
    warm_up_steps: int
    kept: int = 1  # forward calls whose outputs are kept


@dataclass(slots=True)
class _Ran:
    """The work recorded in a run, and whether the batch axis was lost in its first batch."""

    recorder: WorkRecorder
    batch_axis_lost: bool = False
    branched: bool = False
    outputs: list[list[Tensor]] = field(default_factory=list[list[Tensor]])


def _run(model: nn.Module, signals: Signals, how: _How, name: str) -> _Ran:
    """Run all batches; stop after the first where its batch axis is lost and a batch of one can be run instead."""
    ran = _Ran(WorkRecorder(signals.first.shape[-1] if how.mode == "stream" else 0, how.warm_up_steps))
    tracer = Tracer(model, ran.recorder, all_rules())
    with (
        old_objects_set_aside(),
        deployed(model),
        torch.inference_mode(),
        host_scalars_tracked(tracer),
        threads_followed(tracer),
        chance_noted(tracer),
        attached(tracer, model),
        restored_after(model) as snapshot,
    ):
        for place, batch in enumerate(signals.batches(how.batch_size)):
            if place and snapshot.restore():
                tracer.remove_marks(model)
                tracer.constants_changed()
            reset_states(model)
            examples = len(batch.first)
            ran.recorder.begin(examples)
            tracer.start(batch.known_axes(how.mode), examples, how.input_bits)
            search = StateSearch(model, examples) if place == 0 else None
            tracer.trace = None if search is None else search.trace
            outputs = _forward(tracer, model, batch, name)
            tracer.trace = None
            if search is not None:
                ran.recorder.state_memories = search.states(tracer)
                ran.recorder.add_states(search.layers(tracer, stream=how.mode == "stream"))
            if place < how.kept:
                ran.outputs.append([one.clone() for one in outputs])  # they may be views of the input
            if tracer.batch_axis_lost and how.batch_size > 1 and how.mode == "window":
                ran.batch_axis_lost, ran.branched = True, tracer.branched
                return ran
            tracer.stored.found_states(name for name, one in model.named_buffers() if tracer.is_dynamic(one))
            ran.recorder.end()
    ran.recorder.add_stored(tracer.stored)
    return ran


def _one_by_one(model: nn.Module, signals: Signals, how: _How, name: str, together: _Ran) -> _Ran:
    """Run one example at a time; list the model as uncounted where its outputs then differ from those of a batch.

    Outputs may differ where the control flow depends on numbers of the whole batch: when deployed, it depends on those
    of one example.
    """
    examples = min(how.batch_size, len(signals.first))
    ran = _run(model, signals, replace(how, batch_size=1, kept=examples), name)
    if not together.branched and mixes_examples(together.outputs[0], ran.outputs):
        reason = "its output depends on the other examples of the batch"
        ran.recorder.mark_uncounted(type(model).__name__, "batch", reason)
    return ran


def _forward(tracer: Tracer, model: nn.Module, signals: Signals, name: str) -> list[Tensor]:
    """Run the model under the tracer; return its output's tensors."""
    try:
        with tracer:
            output = signals.call(model)
    except CosimError:
        raise
    except Exception as error:
        raise StudentError(
            f"the model raised {type(error).__name__} on inputs of shape {signals.shapes}: {error}",
            where=f"observing {name}, in {(tracer.failure and tracer.failure[1]) or 'the model'}",
            remedy="Give inputs of the shape and number format the model was built for",
        ) from error
    note_unused(tracer)
    outputs = outputs_of(output)
    if not outputs:
        raise StudentError(
            f"the model returned a {type(output).__name__} that holds no tensor",
            where=f"observing {name}",
            remedy="Return a tensor, alone or in tuples, lists, mappings or dataclasses",
        )
    if any(overruns(tracer.info(tensor).axes or ()) for tensor in outputs):
        tracer.mark_uncounted("output", AHEAD)
    if not any(tracer.is_dynamic(tensor) for tensor in outputs):
        tracer.mark_uncounted("output", "it was not computed from the input by tensor operations")
    return outputs


def _merged(
    pipeline: tuple[LayerWork, ...], layers: tuple[LayerWork, ...], recorder: WorkRecorder
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
    return (*pipeline, *layers), recorder.uncounted_items()
