"""Recordings through MNE-Python: the only folder of this package that reads with it."""

from cosim.datasets.mne_files.continuous import Continuous, read_continuous, read_event_file

__all__ = ["Continuous", "read_continuous", "read_event_file"]
