"""A finished run for people: one self-contained HTML page, answer first, and a digest to keep beside the code."""

from cosim.report.digest import write_digest
from cosim.report.headline import answer_line
from cosim.report.inputs import opened
from cosim.report.page import write_report

__all__ = ["answer_line", "opened", "write_digest", "write_report"]
