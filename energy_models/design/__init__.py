"""Machines sized to networks: free choices, laws to constants, very many priced at once, the best of them."""
