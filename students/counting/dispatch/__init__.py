"""Sees every tensor operation of a forward call and hands it to the rule that counts it."""
