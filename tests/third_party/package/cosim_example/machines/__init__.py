"""A machine of another package."""
