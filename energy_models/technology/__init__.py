"""Laws and tables from which constants of machines are derived: memories, operations, other nodes."""
