"""Adapters to trackers that a user installs: a checkout of their code, and a file of their weights.

Nothing of theirs is in this repository; several of their licences forbid it. ``ECHO_KEYPOINTS_PEERS`` names the folder
of the checkouts (`checkout.PEERS`; docs/reproduction.md says how to get them). Their code is run as it is: trust it
first.
"""
