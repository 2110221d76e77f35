"""Work recorded in one call, per layer and decode, and summed over all calls."""
