"""A report held against the limits of a site."""
