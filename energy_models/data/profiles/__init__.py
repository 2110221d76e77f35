"""Shipped machines: one TOML file each, named after the machine."""
