"""What a network did, in words no machine appears in: the vocabulary shared by students and prices."""
