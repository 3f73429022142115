"""What a user looks at: JSON, CSV, overlay video, curves; and phantoms as DICOM.

Nothing is imported eagerly: the video writer needs PyAV, the pictures pillow, the DICOM writer pydicom.
"""
