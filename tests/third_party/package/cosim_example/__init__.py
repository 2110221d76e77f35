"""One plug-in of every kind, as another package would add them."""
