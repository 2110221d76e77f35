"""The layers that families are built from, integer grids, and networks run step by step."""
