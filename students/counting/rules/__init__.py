"""Rules that count tensor operations, one file a topic."""
