"""EchoKeypoints inside 3D Slicer, without any Qt: scene design, controller, and the way to the engine's process.

State lives in the MRML scene and is found by node references, so that a saved scene is complete. The engine
(``echo_keypoints``) is the one of the command line; `engine` says where it lies.
"""

from EchoKeypointsLib import engine

engine.enable()
