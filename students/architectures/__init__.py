"""Networks described by declarative files, for systems whose code or weights are not at hand.

A file gives layers and dimensions with their source; it is built with fixed random weights and counted as any student.
"""

from students.architectures.channels import with_channels
from students.architectures.count import architecture_workload
from students.architectures.load import architecture_names, load_architecture

__all__ = ["architecture_names", "architecture_workload", "load_architecture", "with_channels"]
