"""A PLAX phantom with exact tracks: anatomy → motion → ultrasound → screen, all from one seed."""

from echo_keypoints.data.simulation.phantom import Phantom, SimulatedClip, simulate_clip

__all__ = ["Phantom", "SimulatedClip", "simulate_clip"]
