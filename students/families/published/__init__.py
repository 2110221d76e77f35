"""Students of published distillation systems, one file per architecture; most in versions of our own."""
