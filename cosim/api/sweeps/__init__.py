"""Sweeps: grids of points, the table of their answers, decoders trained for each."""
