"""Captioned faces: readers of data sets, the drawn faces, and the cached image pyramid."""
