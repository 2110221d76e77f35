"""NeuroBench rows: another tool's definitions, for its leaderboards."""
