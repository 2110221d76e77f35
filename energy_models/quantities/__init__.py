"""Numbers with bounds, unit, basis and source, and the files they are read from."""
