"""A site of another package."""
