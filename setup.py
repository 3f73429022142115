"""Packages of the wheel: pyproject.toml says all the rest but cannot place a package outside of its folder.

The weights live in the bundle's ``models/``; an installed package has them as ``echo_keypoints/weights``.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages("monai_bundle", include=["echo_keypoints*"]), "echo_keypoints.weights"],
    package_dir={"": "monai_bundle", "echo_keypoints.weights": "monai_bundle/models"},
)
