"""What `networks.py` calls its files, for sides that must not load torch to know."""

BUNDLE = "bundle"
WEIGHTS = "weights.pt"
SIZES = "sizes.json"
PLAIN_ENCODER, PLAIN_GENERATOR = "plain_encoder.onnx", "plain_generator.onnx"
DESCRIPTION = "a smiling woman with grey hair, glasses and a round face"
"""What is drawn wherever the length of the text is not the question."""
