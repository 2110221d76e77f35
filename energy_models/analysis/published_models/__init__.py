"""Other accounts of a decoder's energy beside ours, named and sourced: products times a constant, published sums."""
