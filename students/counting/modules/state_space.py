"""State-space layers: one recurrence a step, counted from what the layer says of one step."""

from __future__ import annotations

from torch import Tensor

from students.counting.axes import BatchAxisError, is_labelled
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.records import FLOAT_ACCUMULATOR_BITS, Work
from students.counting.rules import element_bits
from students.layers.state_space import DiagonalStateSpace, SelectiveScan


def count_scan(tracer: Tracer, module: SelectiveScan | DiagonalStateSpace, signal: Tensor, output: object) -> None:
    """Count the steps of a state-space layer: every site is dense, its state is read and written each step.

    The state is real-valued, so every site is a multiply-accumulate with a non-zero operand.
    """
    info = tracer.read(signal)
    if info.axes is not None and any(is_labelled(axis) for axis in info.axes[1:]):
        raise BatchAxisError
    axis = 1 if isinstance(module, SelectiveScan) else -1
    steps, stored = signal.shape[axis], sum(parameter.numel() for parameter in module.parameters())
    sites = module.sites_per_step * steps
    channels = (signal.shape[2 if axis == 1 else 1],)
    bits = element_bits(signal)
    conventions = ("dense_full", "dense_valid", "effective_input", "effective")
    work = Work(
        kind="recurrent",
        input_shape=channels,
        output_shape=channels,
        calls=steps,
        counts={
            **{f"{rule}.mac": sites for rule in conventions},
            **{f"{rule}.ac": 0 for rule in conventions},
            **{f"op:{name}": number * steps for name, number in module.operations_per_step.items()},
            "input_events": tracer.sums(signal != 0, info.axes),
        },
        reduction=module.sites_per_step // channels[0],
        weights=stored,
        weights_nonzero=sum(int(parameter.count_nonzero()) for parameter in module.parameters()),
        weights_key=tracer.path,
        weight_bits=bits,
        activation_bits=bits,
        output_bits=FLOAT_ACCUMULATOR_BITS,
        accumulator_bits=FLOAT_ACCUMULATOR_BITS,
        state_bits=bits,
        state_elements=module.state_words,
        state_reads=module.state_words * steps,
        state_writes=module.state_words * steps,
    )
    tracer.record(tracer.path, work)
    tracer.set_info(tensors_of(output)[0], Info(info.axes))
