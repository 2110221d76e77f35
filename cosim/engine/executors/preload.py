"""What takes seconds to import and is needed in workers only: imported once, in the process they are forked from."""

from __future__ import annotations

import gc
from importlib import import_module

from students.kernels.choice import numba_missing

WORK = ("cosim.engine.executors.worker", "students.models.from_float")
COMPILED = ("students.kernels.neurons.fire_numba", "students.kernels.norm_pool_numba")

# Modules are no garbage: looking for some among them takes a quarter of the time of importing them.
gc.disable()
try:
    for name in (*WORK, *(() if numba_missing() else COMPILED)):
        import_module(name)
finally:
    gc.enable()
