"""The study file: its schema, how it is checked, and the studies that ship."""
