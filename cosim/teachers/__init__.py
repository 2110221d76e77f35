"""Teachers: their outputs, and the gate that decides who may teach."""
