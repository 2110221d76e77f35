"""From a description to a network, from a float network to a quantised one, and to files and back."""
