"""Modules with one object each, which ``cosim new`` copies and the guides show."""
