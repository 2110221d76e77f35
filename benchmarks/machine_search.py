"""How long a search over a million structurally different machines takes, and what the found machine saves.

    OMP_NUM_THREADS=1 python benchmarks/machine_search.py

Every machine of the search differs from every other in its array, banks or words; node and supply are the same. Beside
it `estimate` prices a sample of the same machines one by one. Exits with 1 where the search takes more than 2 s of a
processor a million machines, or where the machine found for EEGNet-8,2 at w4a4, 65 nm and 0.5 decodes a second draws
more than half of what it draws on `asic65_near_memory`.
"""

from __future__ import annotations

import sys
import time
from importlib.resources import files
from pathlib import Path

from energy_models.design import KIB, Choices, Task, search
from energy_models.hardware import load_profile
from energy_models.pricing import estimate
from energy_models.workload import at_widths, read_workload

MOST_S, MOST_SHARE = 2.0, 0.5
RATE_HZ, DEADLINE_S = 0.5, 0.5
SAMPLE = 200
EACH = tuple(range(1, 33))


def main() -> int:
    """Print the times and the powers; return 1 where a bar is missed."""
    path = Path(str(files("energy_models.data"))) / "workloads" / "eegnet_8_2.json"
    work = at_widths(read_workload(path), weight_bits=4, activation_bits=4)
    task = [Task(work, RATE_HZ, DEADLINE_S)]
    choices = Choices(
        styles=("weight_stationary_array",), supplies_v=(0.6,), rows=tuple(2 * row for row in EACH), columns=EACH,
        weight_cells=("sram",), data_cells=("sram",), gated=(True,), word_bits=(8, 16, 32, 48, 64),
        bank_bits=tuple(KIB * size for size in (1, 2, 4, 8, 16, 32, 64)),
    )
    search(task, Choices(supplies_v=(0.6,), gated=(True,)))  # tables are read and fitted once
    started = time.process_time()
    found = search(task, choices)
    spent = time.process_time() - started
    per_million = 1e6 * spent / found.considered
    started = time.process_time()
    for _ in range(SAMPLE):
        estimate(work, found.best.profile, None, decode_rate_hz=RATE_HZ)
    alone = (time.process_time() - started) / SAMPLE
    print(f"{found.considered:,} machines in {spent:.2f} s of a processor: {per_million:.2f} s a million")
    print(f"estimate alone: {alone * 1e3:.2f} ms a machine, {alone * 1e6 / per_million:,.0f} times as long")
    shipped = estimate(work, load_profile("asic65_near_memory"), None, decode_rate_hz=RATE_HZ).decoder_power_w.nominal
    best = search(task, Choices()).best
    print(f"EEGNet-8,2 w4a4: {best.power_w * 1e6:.2f} uW on its own machine of {best.area_m2 * 1e6:.2f} mm2, "
          f"{shipped * 1e6:.2f} uW on asic65_near_memory")
    return int(per_million > MOST_S or best.power_w > MOST_SHARE * shipped)


if __name__ == "__main__":
    sys.exit(main())
