"""What the engine adds to a study's own work: time to plan 100,000 stages, overhead a stage, share of busy workers.

    OMP_NUM_THREADS=1 python benchmarks/engine_at_scale.py

Prints each figure beside its limit and exits with 1 where one is missed. Stages of known length sleep, so that eight
workers can be measured on two cores; planning is the processor's time, efficiency the clock's on a machine that is
otherwise idle.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from cosim.engine.executors.local import LocalExecutor
from cosim.engine.files import Json
from cosim.engine.local_store import LocalStore
from cosim.engine.plan import configurations, student_points, undistilled_points
from cosim.engine.points import FoldStage
from cosim.engine.record import StageTime, keep_stage
from cosim.engine.scheduler import Scheduler
from cosim.engine.stage import Stage, StageKind, Workspace, make_stage, with_ancestors
from cosim.study.schema import Study
from students.spec import Shape

PLAN_STAGES, PLAN_S, PLAN_BYTES = 100_000, 20.0, 1e9
OVERHEAD_S, EFFICIENCY = 30e-3, 0.9
FOLDS, SEEDS, WORKERS = 9, 5, (2, 4, 8)
LENGTH_S, EACH, EMPTY = 1.0, 16, 400
FORMS = ("float32", "w8a8", "w4a4", "w2a4")


def asleep(workspace: Workspace) -> None:
    """Stand in for a computation of known length."""
    time.sleep(float(str(workspace.stage.config["seconds"])))


def ready() -> None:
    """Prepare nothing."""


def compute(store: LocalStore, stage: Stage) -> StageTime:
    """Compute and keep one stage of this benchmark."""
    return keep_stage(store, stage, lambda folder: asleep(Workspace(store, stage, folder)))


def planned(count: int) -> tuple[int, float, float]:
    """Return how many stages were planned, in which processor time [s], and the process's largest memory [B]."""
    folds = [FoldStage(f"subject {one}", Stage("fold", {}, {}, f"{one:032x}", "run")) for one in range(FOLDS)]
    shape = Shape(task="classification", channels=22, steps=1000, outputs=4, step_rate_hz=250.0)
    alone = FOLDS * SEEDS * (2 * len(FORMS) + 2)  # of one student: undistilled and its result, each form and its result
    students = -(-count // alone)
    study = Study.model_validate({
        "study": {"name": "scale", "title": "Made up", "seeds": list(range(SEEDS))},
        "dataset": {"name": "synthetic_eeg"}, "split": {"method": "leave_one_group_out", "group": "subject"},
        "teacher": {"name": "ensemble", "options": {"members": [{"family": "eegnet"}]}},
        "students": [
            {"label": "EEGNet", "family": "eegnet", "options": {"temporal_filters": list(range(1, students + 1))},
             "forms": list(FORMS), "method": {"name": "kl"}},
        ],
        "hardware": {"profiles": ["gap9"], "sites": ["headset_commodity"], "decode_rate_hz": 4.0},
    })  # fmt: skip
    begun, found = time.process_time(), dict[str, Stage]()
    for configuration in configurations(study):
        for points in (student_points, undistilled_points):
            for point in points(study, configuration, folds, shape):
                found.update((stage.digest, stage) for stage in with_ancestors(point.result))
    unit = 1 if sys.platform == "darwin" else 1024
    memory = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
    return len(found), time.process_time() - begun, memory


def scheduled(workers: int, stages: int, length_s: float) -> float:
    """Return how long the scheduler, its store and its processes take for stages of one length [s]."""
    kind = StageKind("sleep", parents=(), work=asleep)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        with LocalExecutor(workers, partial(compute, store), ready, __name__) as executor:
            scheduler = Scheduler(store, executor)
            warm: dict[str, Json] = {"seconds": 0.2}
            run(scheduler, [make_stage(kind, warm | {"number": -1 - one}) for one in range(workers)])  # processes start
            begun = time.perf_counter()
            run(scheduler, [make_stage(kind, {"seconds": length_s, "number": one}) for one in range(stages)])
            return time.perf_counter() - begun


def run(scheduler: Scheduler, stages: list[Stage]) -> None:
    """Run stages to the end."""
    for stage in stages:
        scheduler.add(stage)
    while not scheduler.idle:
        scheduler.step()


def real_study(study: str, workers: int) -> tuple[float, float]:
    """Return wall time of a study's stages [s] between the first and the last, and the sum of their lengths [s]."""
    with tempfile.TemporaryDirectory() as folder:
        cosim = str(Path(sys.executable).with_name("cosim"))
        subprocess.run([cosim, "run", study, "--out", folder, "--workers", str(workers)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        found = json.loads((Path(folder) / "times.json").read_text())["stages"]
    on_workers = [one for one in found if one["kind"] not in ("data", "fold")]
    lengths = [one["seconds"] for one in on_workers]
    starts = [datetime.fromisoformat(one["started"]).timestamp() for one in on_workers]
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    return max(ends) - min(starts), sum(lengths)


def main() -> int:
    """Print the table; return 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=PLAN_STAGES, help="stages to plan")
    parser.add_argument("--study", default="", help="a study whose stages are run on two workers too")
    arguments = parser.parse_args()
    missed = 0

    def told(what: str, found: float, limit: float, unit: str, *, most: bool = True) -> None:
        nonlocal missed
        missed += found > limit if most else found < limit
        print(f"{what:58} {found:8.4g} {unit:3} {'<=' if most else '>='} {limit:g}", flush=True)

    count, seconds, memory = planned(arguments.stages)
    told(f"planning {count:,} stages: processor time", seconds, PLAN_S, "s")
    told(f"planning {count:,} stages: memory, libraries included", memory / 1e6, PLAN_BYTES / 1e6, "MB")
    for workers in (1, *WORKERS):
        wall_s = scheduled(workers, EMPTY, 0.0)
        each_ms, most_ms = 1e3 * wall_s / EMPTY, 1e3 * OVERHEAD_S
        told(f"{EMPTY} stages of no length on {workers}: overhead a stage", each_ms, most_ms, "ms")
    for workers in WORKERS:
        wall_s = scheduled(workers, EACH * workers, LENGTH_S)
        told(f"{EACH * workers} stages of {LENGTH_S:g} s on {workers} workers: efficiency", EACH * LENGTH_S / wall_s,
             EFFICIENCY, "", most=False)  # fmt: skip
    if arguments.study:
        wall_s, busy_s = real_study(arguments.study, 2)
        told(f"{arguments.study} on 2 workers: efficiency", busy_s / (2 * wall_s), EFFICIENCY, "", most=False)
    return int(missed > 0)


if __name__ == "__main__":
    import engine_at_scale  # under a name that worker processes can import

    sys.exit(engine_at_scale.main())
