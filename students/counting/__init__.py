"""Exact counting of what a network does when it decodes: `observe` runs it and returns its `Workload`."""

from students.counting.inputs import Inputs
from students.counting.module_snapshot import restored_after
from students.counting.observe import observe

__all__ = ["Inputs", "observe", "restored_after"]
