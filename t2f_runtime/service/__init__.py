"""Drawing for many who ask at once: a bounded queue, and a protocol for any other program."""

from t2f_runtime.service.batcher import DynamicBatcher

__all__ = ["DynamicBatcher"]
