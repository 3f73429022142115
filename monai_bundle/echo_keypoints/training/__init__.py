"""Training of the three networks, and the export of their weights."""
