"""Landmarks in the files of others: Unity Imaging, EchoNet-LVH, 3D Slicer. Each module reads and writes one."""
