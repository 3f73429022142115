"""Peers that find the landmarks in every frame alone: their networks, how they are trained, and the tracker."""
