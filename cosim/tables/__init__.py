"""The tables of a run: scores, prices, summaries."""
