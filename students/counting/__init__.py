"""Exact counting of what a network does: the parts behind `students.counting.observe`."""
