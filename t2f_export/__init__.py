"""Freezes trained T2F models into bundles and proves that they draw the same pictures."""
