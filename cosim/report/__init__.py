"""The page of a run: one self-contained HTML file, answer first."""

from cosim.report.page import write_report

__all__ = ["write_report"]
