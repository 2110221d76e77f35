"""Runs a quantised student with spikes: integrate-and-fire neurons in place of its activations, exactly equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cosim.api.export import check_quantised, codes_for_tests, student_named
from cosim.api.student import Student, student_of_stages
from cosim.api.train import quantize
from cosim.tables.widths import PIPELINE
from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.deploy import execute, lower
from students.deploy.conversion import SpikingNetwork, simulate, spiking_workload
from students.deploy.conversion import convert as converted
from students.deploy.conversion.simulate import check_equal, spikes_of
from students.spec import Quantised, Training
from students.spec.trainable import LEAST_BITS


@dataclass(frozen=True, slots=True, repr=False)
class ConvertedStudent:
    """A quantised student as a spiking network.

    Parameters
    ----------
    network : SpikingNetwork
    workload : Workload
        Its work on the examples, preprocessing included.
    compared : int
        Outputs that were compared with those of the integers, and are equal.
    vectors : str
        Where the examples are from.
    spikes : mapping of str to int
        Of each layer of neurons, over all examples.
    student : Student
        Whose integers they are: the one that was given, or of fewer time steps the one that was trained for them.
    """

    network: SpikingNetwork
    workload: Workload
    compared: int
    vectors: str
    spikes: dict[str, int]
    student: Student

    @property
    def synaptic_operations(self) -> float:
        """Products of spikes with weights that are not zero, per decode."""
        layers = (layer.products for layer in self.workload.layers if layer.products is not None)
        return sum(products.effective.accumulate.mean for products in layers)

    def rows(self) -> list[dict[str, object]]:
        """Return what it is, as a table."""
        said: dict[str, object] = {
            "integers of": self.student.spec.label,
            "examples": self.vectors,
            "outputs that differ from the integers": f"0 of {self.compared:,}",
            "time steps a decode": self.network.latency_steps,
            "synaptic operations a decode": f"{self.synaptic_operations:,.0f}",
        }
        updates = {layer.name: layer.updates_active for layer in self.workload.layers if layer.kind == "neuron"}
        for name, spikes in self.spikes.items():
            count = updates[name]
            share = 0.0 if count is None or not count.total else spikes / count.total
            said[f"  {name}"] = f"{self.network.steps[name]} steps, {share:.3f} spikes a neuron and step"
        return [{"what": what, "value": value} for what, value in said.items()]

    def to_dict(self) -> dict[str, object]:
        """Return the same as plain numbers."""
        return {
            "form": str(self.student.spec.form), "examples": self.vectors,
            "outputs_compared": self.compared, "outputs_differing": 0,
            "time_steps": self.network.latency_steps, "time_steps_by_layer": dict(self.network.steps),
            "spikes_by_layer": dict(self.spikes), "synaptic_operations": self.synaptic_operations,
        }  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"<ConvertedStudent: {self.network.latency_steps} time steps a decode, "
            f"{self.synaptic_operations:,.0f} synaptic operations, equal to its integers>"
        )


def convert(
    student: Student | str | Path, *, examples: int = 16, timesteps: int | None = None,
    training: Mapping[str, Any] | Training | None = None,
) -> ConvertedStudent:
    """Return a quantised student as a spiking network that decides exactly as its integers do.

    An activation of b bits becomes integrate-and-fire neurons that fire in ``2^b - 1`` time steps. A layer fires once
    all of its input has come, so that a decode takes the time steps of all layers together. Nothing is trained, unless
    fewer time steps a layer are asked for: then the float student that the given one was made of is trained on with
    activations of as many levels, and that one training gives both the integers (`ConvertedStudent.student`) and, equal
    to them, the spiking network (Bu et al. 2022, arXiv 2303.04347).

    Parameters
    ----------
    student : Student, str or Path
        A quantised student, the folder of one, or ``RUN:DECODER``.
    examples : int
        Held-out examples on which it is run, compared and counted.
    timesteps : int or None
        Of a layer: 3, 7, 15 .. below those of the student's activations; None: theirs.
    training : mapping or Training, optional
        Of the training for fewer time steps; default: that of the student.

    Raises
    ------
    CosimError
        A student that is not quantised, or a layer other than convolutions, linear layers, ReLU and pools, by name;
        time steps that no width of activations has, or of a student that was copied.
    """
    if examples < 1:
        raise StudentError(f"{examples} examples", where="cosim.convert", remedy="Ask for at least one")
    found = student if isinstance(student, Student) else student_named(str(student))
    check_quantised(found)
    if timesteps is not None and isinstance(found.spec.form, Quantised):
        found = _of_fewer_steps(found, found.spec.form, timesteps, training)
    elif training is not None:
        raise StudentError("training, for which there is none", where="cosim.convert", remedy="Give timesteps too")
    codes, given, source = codes_for_tests(found, examples)
    shape = found.spec.shape
    network = converted(lower(found.model, shape, codes=codes))
    simulated = simulate(network, given)
    expected = execute(network.graph, given)[network.graph.nodes[-1].name]
    check_equal(network.graph, simulated.outputs, expected)
    counted = found.counted
    before = None if counted is None else [row for row in counted.layers if row.name.startswith(PIPELINE)]
    work = spiking_workload(
        network, simulated, name=f"{found.spec.label} (spikes)", step_rate_hz=shape.step_rate_hz, preprocessing=before
    )
    return ConvertedStudent(network, work, int(np.size(expected)), source, spikes_of(network, simulated), found)


def _of_fewer_steps(
    student: Student, form: Quantised, timesteps: int, training: Mapping[str, Any] | Training | None
) -> Student:
    """Return the student that is trained on from the same float one with activations of fewer levels."""
    widest = max(form.activation_bits, *(bits.activation_bits for _, bits in form.overrides), LEAST_BITS)
    able = {2**bits - 1: bits for bits in range(LEAST_BITS, widest + 1)}
    if timesteps not in able:
        raise StudentError(
            f"{timesteps} time steps of a student in {form}", where="cosim.convert, timesteps",
            remedy=f"It can have {', '.join(map(str, able))}",
        )
    bits = able[timesteps]
    if bits == widest:
        return student
    home = student.home
    if home is None:
        raise StudentError(
            "it was saved without the recordings it was trained on", where="cosim.convert, timesteps",
            remedy="Convert before saving, or take the student of a run",
        )
    narrower = tuple(
        (name, own.model_copy(update={"activation_bits": min(bits, own.activation_bits)}))
        for name, own in form.overrides
    )
    wanted = Quantised.model_validate(
        {**dict(form), "activation_bits": min(bits, form.activation_bits), "overrides": narrower}
    )
    origin = student_of_stages(
        home.root, home.stage.parents["float_student"], None, protocol=student.facts.get("protocol", ""),
        keeper=home.keeper,
    )
    if form.training != "qat":
        return quantize(origin, str(wanted), training=training)
    return quantize(
        origin, str(wanted), training=student.spec.training if training is None else training,
        method=student.spec.method,
    )
