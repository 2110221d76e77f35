"""The experiment: recordings in, accuracy versus microwatts out. Everything a notebook needs, loaded on first use.

>>> import cosim
>>> work = cosim.count("eegnet_8_2")
>>> report = cosim.estimate(work.replace(name="mine"), "gap9", "headset_pulp", decode_rate_hz=4)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosim.api.catalogue import architectures, corpora, families, machines, sites, studies
    from cosim.api.compare import ComparedDesigns, compare
    from cosim.api.convert import ConvertedStudent, convert
    from cosim.api.count import count
    from cosim.api.design import DesignedMachine, design
    from cosim.api.estimate import Estimate, estimate
    from cosim.api.export import export
    from cosim.api.finished_run import Run, load_run
    from cosim.api.recordings import load_dataset
    from cosim.api.student import Student, load_student
    from cosim.api.study import run
    from cosim.api.sweeps.sweep import SweepTable, sweep
    from cosim.api.train import learn_bits, quantize, train
    from energy_models.design import Choices
    from energy_models.errors import CosimError
    from energy_models.hardware import load_profile, load_site
    from energy_models.workload import Recalibration, Workload, read_workload, write_workload

__version__ = "0.1.0"

__all__ = [
    "Choices", "ComparedDesigns", "ConvertedStudent", "CosimError", "DesignedMachine", "Estimate", "Recalibration",
    "Run", "Student", "SweepTable", "Workload", "__version__", "architectures", "compare", "convert", "corpora",
    "count", "design", "estimate", "export", "families", "learn_bits", "load_dataset", "load_profile", "load_run",
    "load_site", "load_student", "machines", "quantize", "read_workload", "run", "sites", "studies", "sweep",
    "train", "write_workload",
]

_HOMES = {
    "cosim.api.catalogue": ("architectures", "corpora", "families", "machines", "sites", "studies"),
    "cosim.api.compare": ("ComparedDesigns", "compare"),
    "cosim.api.convert": ("ConvertedStudent", "convert"),
    "cosim.api.count": ("count",),
    "cosim.api.design": ("DesignedMachine", "design"),
    "cosim.api.estimate": ("Estimate", "estimate"),
    "cosim.api.export": ("export",),
    "cosim.api.finished_run": ("Run", "load_run"),
    "cosim.api.recordings": ("load_dataset",),
    "cosim.api.student": ("Student", "load_student"),
    "cosim.api.study": ("run",),
    "cosim.api.sweeps.sweep": ("SweepTable", "sweep"),
    "cosim.api.train": ("learn_bits", "quantize", "train"),
    "energy_models.design": ("Choices",),
    "energy_models.errors": ("CosimError",),
    "energy_models.hardware": ("load_profile", "load_site"),
    "energy_models.workload": ("Recalibration", "Workload", "read_workload", "write_workload"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Return a name of the front door, importing its module now (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    found = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return every name of the front door and of the module itself."""
    return sorted({*globals(), *__all__})
