"""Frozen descriptions from which a student can be rebuilt exactly."""
