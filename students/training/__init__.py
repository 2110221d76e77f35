"""The one training loop: objective, optimisation, checkpoints."""
