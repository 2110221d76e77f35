"""Convolutions over steps as compiled loops."""
