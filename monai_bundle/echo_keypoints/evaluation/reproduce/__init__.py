"""The paper's tables and figures, one command each: ``echo-keypoints reproduce NAME``."""
