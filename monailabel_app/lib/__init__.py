"""The parts of the MONAI Label app. Whatever knows hearts, clips or networks is the engine's, `echo_keypoints`."""
