"""Proves a bundle: torch, ONNX Runtime and OpenVINO beside each other."""
