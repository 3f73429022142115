"""The trackers to compare: one protocol, one registry (`registry.TRACKERS`)."""
