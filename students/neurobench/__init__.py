"""NeuroBench rows: another tool's definitions, for its leaderboards."""

from students.neurobench.run import SynapticOperations
from students.neurobench.view import NeuroBenchRow, Wrapper, neurobench_row

__all__ = ["NeuroBenchRow", "SynapticOperations", "Wrapper", "neurobench_row"]
