"""Who runs stages."""
