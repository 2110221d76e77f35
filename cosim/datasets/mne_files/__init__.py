"""Recordings through MNE-Python: the only folder of this package that reads with it."""

from cosim.datasets.mne_files.annotations import Annotation, bad_stretches
from cosim.datasets.mne_files.continuous import Continuous, read_continuous, read_event_file
from cosim.datasets.mne_files.epochs import holds_epochs, read_epochs

__all__ = [
    "Annotation", "Continuous", "bad_stretches", "holds_epochs", "read_continuous", "read_epochs", "read_event_file",
]  # fmt: skip
