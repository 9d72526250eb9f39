"""What is understood of a description before anything is drawn; see `FaceGenerator.read`."""

from t2f_runtime.reading.description import DescriptionReading

__all__ = ["DescriptionReading"]
