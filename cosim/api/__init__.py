"""What the front door exports: each file puts one task together out of the rooms below."""
