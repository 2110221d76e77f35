"""A study turned into content-addressed stages, run, kept and resumed."""
