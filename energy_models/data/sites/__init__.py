"""Shipped sites: one TOML file each, named after the place."""
