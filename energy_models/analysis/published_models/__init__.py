"""Published cost models of decoders beside ours, named and sourced: products times a constant, published sums."""
