"""Where a run would break at very many workers: a discrete-event simulation of one coordinator and its workers.

    python benchmarks/cluster_simulation.py

Workers ask one coordinator for stages. Every stage costs the coordinator a dispatch and a completion, one after the
other, and its worker a start-up beside its work; a shared folder takes so many finished stages in a second. Stages
differ in length (log-normal). Printed: the efficiency (time of the same run without all this, over the time with it),
how busy coordinator and folder are, and up to how many workers the efficiency is 0.9. Nothing is measured here.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from dataclasses import dataclass

import numpy as np

DISPATCH_S = 4e-3
"""Of the coordinator's processor for each stage: assumed. Asking a grid of 1,000 takes 40 ms for ninety stages."""
START_S = 3e-3
"""Of a worker's processor for each stage: record, hashes, files; measured 2.7 ms by a profile of `keep_stage`."""
PUBLISHED_PER_S = 1000.0
"""Stages a second that a shared folder takes: assumed, four small files each and a few thousand acts a second."""
SPREAD = 0.5
"""Of the logarithm of a stage's length."""
STAGES_EACH = 8
TARGET, TRIED = 0.9, (20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10)


@dataclass(frozen=True, slots=True)
class Found:
    """What a simulated run comes to.

    Parameters
    ----------
    efficiency : float
        Time of a run without coordinator, start-up and folder, over that with them.
    coordinator, folder : float
        Shares of the time in which each is busy.
    """

    efficiency: float
    coordinator: float
    folder: float


def simulated(workers: int, stage_s: float, *, seed: int = 0) -> Found:
    """Return what a run of `STAGES_EACH` stages a worker comes to.

    Parameters
    ----------
    workers : int
    stage_s : float
        Mean length of a stage [s].
    seed : int
    """
    chance = np.random.default_rng(seed)
    count = workers * STAGES_EACH
    lengths = (stage_s * np.exp(SPREAD * chance.standard_normal(count) - SPREAD**2 / 2)).tolist()
    whole_s = ended(workers, lengths, DISPATCH_S, START_S, 1 / PUBLISHED_PER_S)
    free_s = ended(workers, lengths, 0.0, 0.0, 0.0)
    return Found(free_s / whole_s, count * DISPATCH_S / whole_s, count / PUBLISHED_PER_S / whole_s)


def ended(workers: int, lengths: list[float], dispatch_s: float, start_s: float, publish_s: float) -> float:
    """Return when the last of some stages is published [s]."""
    coordinator = folder = last = 0.0  # when each is free again
    events = [(0.0, "asks")] * workers
    begun = 0
    while events:
        now, what = heapq.heappop(events)
        if what == "asks" and begun < len(lengths):
            coordinator = max(coordinator, now) + dispatch_s
            heapq.heappush(events, (coordinator + start_s + lengths[begun], "publishes"))
            begun += 1
        elif what == "publishes":
            folder = max(folder, now) + publish_s
            heapq.heappush(events, (folder, "asks"))
            last = max(last, folder)
    return last


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 10.0, 60.0, 600.0], help="lengths of a stage")
    arguments = parser.parse_args()
    print("| stage | workers | efficiency | coordinator busy | folder busy | workers at 0.9 |")
    print("|---:|---:|---:|---:|---:|---:|")
    for stage_s in arguments.seconds:
        most = next((n for n in TRIED if simulated(n, stage_s).efficiency >= TARGET), 0)
        for workers in (8, 100, 1_000, 10_000):
            found = simulated(workers, stage_s)
            busy = f"{found.coordinator:.2f} | {found.folder:.2f}"
            print(f"| {stage_s:g} s | {workers:,} | {found.efficiency:.2f} | {busy} | {most:,} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
