"""Trains T2F: data, model, losses, schedule and the training loop (PyTorch)."""
