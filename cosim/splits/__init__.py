"""What is held out, and what keeps the parts of a split apart."""
