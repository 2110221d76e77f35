"""Recordings, one file per corpus; loaded lazily by name through entry points."""
