"""Recordings through MNE-Python: the only folder of this package that reads with it."""

from cosim.datasets.mne_files.annotations import Annotation, bad_stretches
from cosim.datasets.mne_files.continuous import Continuous, read_continuous, read_event_file

__all__ = ["Annotation", "Continuous", "bad_stretches", "read_continuous", "read_event_file"]
