"""Work recorded per layer and decode, call by call, and summed over all calls."""
