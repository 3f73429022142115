"""Folders of clips: a work-list that survives everything, workers here or on a cluster, an index page."""
