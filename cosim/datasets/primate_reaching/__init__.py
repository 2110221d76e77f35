"""The NeuroBench primate reaching sessions: their files, and how they are binned and parted."""
