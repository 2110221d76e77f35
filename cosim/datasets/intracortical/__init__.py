"""Recordings of spike counts in the motor cortex, one session each, in MATLAB files."""
