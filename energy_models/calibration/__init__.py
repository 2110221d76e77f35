"""A programmable core fitted to a table of board measurements, with its cross-validated error."""
