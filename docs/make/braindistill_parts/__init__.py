"""Parts of the page on BrainDistill's power: its words, and the tables of its network on machines."""
