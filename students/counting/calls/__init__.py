"""One tensor operation: its arguments by name, and the signature under which its work repeats."""
