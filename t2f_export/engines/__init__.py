"""Engines of TensorRT and TensorRT for RTX, built from the networks of a bundle."""
