"""Shipped machines, sites and the bibliography of their numbers."""
