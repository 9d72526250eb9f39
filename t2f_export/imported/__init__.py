"""Makes bundles of models that other programs trained."""
