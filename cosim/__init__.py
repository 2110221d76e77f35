"""The experiment: recordings in, accuracy versus microwatts out."""

__version__ = "0.1.0"
