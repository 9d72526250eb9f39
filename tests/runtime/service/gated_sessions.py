"""A generator whose network waits to be let on, for tests of what happens meanwhile."""

import threading

import numpy as np

from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.manifest import CONDITION_LOG_VARIANCE, CONDITION_MEAN, IMAGE, LATENT

SECONDS = 30
"""After which a test that hangs fails."""


class PlainTextEncoder:
    """Gives always the same condition."""

    def run(self, inputs):
        zeros = np.zeros((1, 4), dtype=np.float32)
        return {CONDITION_MEAN: zeros, CONDITION_LOG_VARIANCE: zeros.copy()}


class GatedPainter:
    """Paints every face in the grey of its number; waits before each run while it is shut."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.batches = []
        self.error = None
        self.is_closed = False
        self.after_run = lambda: None

    def run(self, inputs):
        latents = inputs[LATENT]
        self.entered.release()
        assert self.gate.wait(SECONDS)
        if self.error is not None:
            raise self.error
        self.batches.append(latents.copy())
        done = sum(map(len, self.batches))
        self.after_run()
        greys = np.arange(done - len(latents), done, dtype=np.uint8)
        return {IMAGE: np.broadcast_to(greys[:, None, None, None], (len(latents), 8, 8, 3)).copy()}

    def close(self):
        self.is_closed = True

    def wait_until_drawing(self):
        assert self.entered.acquire(timeout=SECONDS)


def gated_generator(manifest, tokenizer, painter):
    return FaceGenerator(
        manifest, tokenizer=tokenizer, text_encoder=PlainTextEncoder(), generator=painter
    )
