"""Networks of other precisions: float16 and INT8, made from a bundle's own float32 graphs."""
