"""From a quantised network to the deployed graph: one file for each kind of operation."""

from students.deploy.lowering.network import lower

__all__ = ["lower"]
