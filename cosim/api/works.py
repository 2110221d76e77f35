"""A workload where one is expected: as it is, of a file, of a name, or of something that was trained."""

from __future__ import annotations

import os
from pathlib import Path

from cosim.api.arguments import Counted, HoldsWorkload, held_workload
from energy_models.errors import WorkloadError
from energy_models.workload import Workload, read_workload
from students.spec import StudentSpec

WORKLOAD_SUFFIX = ".json"
Work = Workload | Counted | HoldsWorkload | StudentSpec | str | Path


def workload_of(work: Work, *, where: str) -> Workload:
    """Return a workload: as it is, of a file, of an architecture's name, or of a student, trained or only described.

    Parameters
    ----------
    work : Workload, Counted, HoldsWorkload, StudentSpec, str or Path
        A path ending in ``.json`` is a workload file; ``RUN:DECODER`` is a decoder of a finished run, by the run's
        folder; another text is what `cosim.count` takes without inputs.
    where : str
        Call and argument, for messages.

    Raises
    ------
    CosimError
        Something else, or a file or name that cannot be read.
    """
    if isinstance(work, Workload):
        return work
    if isinstance(work, str) and os.path.isdir(work.rpartition(":")[0]):
        from cosim.api.finished_run import load_run

        folder, _, label = work.rpartition(":")
        return load_run(folder).decoder(label).workload()
    if isinstance(work, str | Path):
        if str(work).endswith(WORKLOAD_SUFFIX):
            return read_workload(work)
        from cosim.api.count import count  # it imports torch, which a workload does not need

        return count(work)
    if isinstance(work, StudentSpec):
        from cosim.workloads.rebuilt import rebuilt_workload

        return rebuilt_workload(work, where=where)
    held = held_workload(work)
    if held is not None:
        return held
    raise WorkloadError(
        f"{work!r:.60} of type {type(work).__name__} is no workload", where=where,
        remedy="Count a network first, work = cosim.count(model, x, rate_hz=250), or give the path of a workload file, "
        "the name of an architecture, a trained student or a decoder of a run",
    )
