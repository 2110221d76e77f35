"""What a machine and a site are: their constants, checked on reading and found by name."""
