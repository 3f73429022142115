# Nothing to do outside of Slicer.
