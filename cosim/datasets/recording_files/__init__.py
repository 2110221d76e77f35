"""Recordings of every format: through MNE-Python, and readers of those that it does not read, by what a file is."""

from cosim.datasets.recording_files.opened import read_recording

__all__ = ["read_recording"]
