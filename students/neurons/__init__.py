"""Spiking neurons, what one does in a step, what encodes their input, and the snnTorch adapter."""
