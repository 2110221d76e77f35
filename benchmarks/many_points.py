"""How fast one workload is priced: one estimate, and 100,000 hardware points at once, on one core.

    OMP_NUM_THREADS=1 python benchmarks/many_points.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from energy_models.hardware import load_profile, load_site, profile_names
from energy_models.pricing import estimate, estimate_vectorised, given
from energy_models.workload import Workload
from students.counting import observe
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Quantised, Shape, StudentSpec

POINTS, REPEATS = 100_000, 5
SLOWEST_S, FEWEST_POINTS_A_SECOND = 1e-3, 100_000


def best_s(act: Callable[[], object]) -> float:
    """Return the shortest of several runs [s]."""
    found: list[float] = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        act()
        found.append(time.perf_counter() - start)
    return min(found)


def eegnet() -> Workload:
    """Return the work of an untrained EEGNet-8,2 in 8-bit integers on 22 channels and 1000 samples."""
    torch.manual_seed(0)
    shape = Shape(task="classification", channels=22, steps=1000, outputs=4, step_rate_hz=250.0)
    spec = StudentSpec(family="eegnet", shape=shape, seed=0)
    signal = torch.randn(4, 22, 1000)
    integer = spec.model_copy(update={"form": Quantised(weight=8, activation_bits=8)})
    model = quantised_from_float(integer, build(spec), signal)
    return observe(model, signal[:2], name="eegnet", mode="window", step_rate_hz=250.0, input_bits=16)


def main() -> int:
    """Print the table; return 1 where a machine misses a bar."""
    missed = 0
    workload, site, chance = eegnet(), load_site("headset_commodity"), np.random.default_rng(0)
    for name in profile_names():
        profile = load_profile(name)
        constants = {
            path: quantity.band.nominal * np.exp(0.3 * chance.standard_normal(POINTS))
            for path, quantity in given(profile, site).items()
        }
        one = best_s(lambda: estimate(workload, profile, site, decode_rate_hz=4.0))  # noqa: B023  (run at once)
        many = best_s(
            lambda: estimate_vectorised(workload, profile, site, decode_rate_hz=4.0, constants=constants)  # noqa: B023
        )
        print(f"{name:20} one estimate {one * 1e3:5.2f} ms   {POINTS / many:12,.0f} points/s")
        missed += one > SLOWEST_S or POINTS / many < FEWEST_POINTS_A_SECOND
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
