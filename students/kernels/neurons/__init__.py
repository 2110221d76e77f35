"""Neurons over all steps at once, and what stores their spikes: plain torch, and compiled loops."""
