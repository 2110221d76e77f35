"""What a command line names as work: a workload file, or a network that is counted first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.options import InputShape, hertz, rate_of, shape_of

if TYPE_CHECKING:
    from energy_models.workload import Workload
    from students.spec import StudentSpec

WORKLOAD_SUFFIX = ".json"
Work = Annotated[
    str,
    typer.Argument(
        metavar="WORK",
        help="A workload file (cosim workload --json), the folder of a saved student, an .onnx, .nir or .tflite file, "
        "an architecture by name or file, module:function, or a family with --input-shape, --sample-rate and "
        "--outputs.",
    ),
]
Outputs = Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Classes or estimates, of a family.")]
SampleRate = Annotated[
    float | None, typer.Option("--sample-rate", parser=hertz("--sample-rate"), metavar="HZ",
                               help="Rate of input samples or bins in hertz, where it is not known.")
]  # fmt: skip
__all__ = ["Asked", "InputShape", "Outputs", "SampleRate", "Work", "shared_works", "work_of"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of a network's input and output, as written."""

    input_shape: str | None
    sample_rate_hz: float | None
    outputs: int | None


def work_of(name: str, asked: Asked) -> Workload | StudentSpec | str:
    """Return what `cosim.estimate` and `cosim.sweep` take: a name as it is, where it says everything.

    Raises
    ------
    CosimError
        No such network, or its shape, rate or outputs are not known, or known already.
    """
    shape, rate_hz = shape_of(asked.input_shape), rate_of(asked.sample_rate_hz)
    if name.endswith(WORKLOAD_SUFFIX):
        _refuse(name, asked)
        return name
    from students.families import family_names  # it imports torch, which a workload file does not need

    if name in family_names() or asked.outputs is not None:
        return _family(name, shape, rate_hz, asked.outputs)
    if shape is None and rate_hz is None:
        return name
    from cosim.workloads.network_workload import Observation, network_workload

    return network_workload(name, Observation(shape, None, rate_hz, None, None, decodes=4, seed=0, warm_up_steps=0))


def shared_works(names: Sequence[str], asked: Asked) -> dict[str, Workload]:
    """Return the work of several networks by name, each counted once.

    What is said of input and output holds for those that do not say it themselves.

    Raises
    ------
    CosimError
        As `work_of`, or nothing needs what is said.
    """
    from cosim.api.works import workload_of

    says = {name: _says_itself(name) for name in names}
    known = asked if all(says.values()) else Asked(None, None, None)  # asked of none that takes it: refused there
    return {name: workload_of(work_of(name, known if says[name] else asked), where=name) for name in says}


def _says_itself(name: str) -> bool:
    """Return whether a network's name or file says its input: a workload, an architecture, a saved student."""
    if name.endswith((WORKLOAD_SUFFIX, ".toml")) or os.path.isdir(name):
        return True
    from students.architectures import architecture_names

    return name in architecture_names()


def _refuse(name: str, asked: Asked) -> None:
    from energy_models.errors import WorkloadError

    if asked != Asked(None, None, None):
        raise WorkloadError(
            "a workload file says its own input and rate", where=name,
            remedy="Leave out --input-shape, --sample-rate and --outputs; decisions per second are --decode-rate",
        )


def _family(name: str, shape: tuple[int, ...] | None, rate_hz: float | None, outputs: int | None) -> StudentSpec:
    from energy_models.errors import StudentError

    if shape is None or len(shape) != 2 or rate_hz is None or outputs is None:
        raise StudentError(
            "a family is built for channels, steps, a rate and outputs", where=name,
            remedy="Give --input-shape CHANNELSxSTEPS --sample-rate HERTZ --outputs NUMBER",
        )
    from cosim.workloads.rebuilt import family_student

    return family_student(name, channels=shape[0], steps=shape[1], outputs=outputs, step_rate_hz=rate_hz)
