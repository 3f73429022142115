"""Data to train and test with: the simulated PLAX phantom, data sets and transforms."""
