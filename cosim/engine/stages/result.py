"""The end of a student's point: its score on the test part, and what it did there."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from cosim.datasets.contiguous_segments import contiguous_segments
from cosim.engine.fold_data import (
    FLOAT_BITS,
    FoldData,
    Inputs,
    fold_of,
    input_bits,
    outputs_of,
    part_score,
    spread,
    stream_of,
)
from cosim.engine.result_file import write_result
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.versions import versions
from cosim.preprocessing.post_filter import BesselFilter
from energy_models.workload import Workload
from students.counting import observe
from students.models.build import mode
from students.models.store import load_extra, load_student
from students.spec import Quantised, StudentSpec

AFTER = "after"  # of the stage's configuration: a filter of the estimates


def work(workspace: Workspace) -> None:
    """Score a student on the test part and count what it did there."""
    data = fold_of(workspace)
    config, source = workspace.stage.config, workspace.parent("student")
    model, spec = load_student(source)
    extra = load_extra(source)
    quantised = spec.form if isinstance(spec.form, Quantised) else None
    counted = observe(
        model,
        _observed(data, cast(int, config["observed"])),
        name=spec.label,
        mode=mode(spec),
        step_rate_hz=spec.shape.step_rate_hz,
        input_bits=input_bits(spec.form, data.dataset, cast(Inputs, config["inputs"])),
        pipeline_work=data.dataset.pipeline_work,
        device=workspace.device,
    )
    after = None if AFTER not in config else BesselFilter.model_validate(config[AFTER])
    origin = {"spec": spec.digest, "dataset": data.dataset.digest, **versions()}
    workload = _filtered(counted.replace(provenance={**counted.provenance, **origin}), after, spec)
    validation = float(extra["validation_score"])
    if after is not None:
        validation = part_score(data, "validation", outputs_of(model, data, "validation", workspace.device, after))
    facts = {
        "validation_score": validation,
        "distilled_from": extra["distilled_from"],
        "spec_digest": spec.digest,
        "parameters": stored_numbers(counted),
        "weight_bits": quantised.weight_bits if quantised else FLOAT_BITS,
        "activation_bits": quantised.activation_bits if quantised else FLOAT_BITS,
    }
    outputs = outputs_of(model, data, "test", workspace.device, after)
    write_result(workspace.folder, data, outputs, workload, facts)


def _filtered(workload: Workload, after: BesselFilter | None, spec: StudentSpec) -> Workload:
    """Return the work of a student and the filter after it."""
    if after is None:
        return workload
    arithmetic = "integer" if isinstance(spec.form, Quantised) else "float"
    row = after.work(spec.shape.outputs, workload.decodes, arithmetic)
    return workload.replace(
        layers=(*workload.layers, row), delay_s=after.delay_s(workload.step_rate_hz),
        lag_s=after.lag_s(workload.step_rate_hz),
        provenance={**workload.provenance, "after": after.title},
    )  # fmt: skip


def stored_numbers(workload: Workload) -> int:
    """Return how many weights and biases the decoder keeps, shared ones once, preprocessing left out."""
    kept = {layer.weights_key: layer for layer in workload.layers if layer.weights_key}
    return sum(layer.weights + layer.biases for layer in kept.values() if not layer.name.startswith("pipeline."))


def _observed(data: FoldData, wanted: int) -> Tensor:
    """Return held-out inputs to count on: windows spread over the test part, or the longest contiguous segment."""
    if data.dataset.task == "classification":
        test = data.part("test").inputs
        return test[spread(len(test), wanted)]
    longest = max(contiguous_segments(data.dataset, data.fold.test), key=len)
    return stream_of(data.dataset, longest[:wanted])


RESULT = StageKind(
    "result",
    parents=("fold", "student"),
    work=work,
)
