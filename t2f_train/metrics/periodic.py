"""A quick evaluation while training goes on: a few numbers for the log, from a few pictures."""

from collections.abc import Sequence

import numpy as np

from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.metrics.ms_ssim import diversity
from t2f_train.metrics.run_artist import ModelArtist
from t2f_train.metrics.sliced_wasserstein import sliced_wasserstein
from t2f_train.model import FaceModel
from t2f_train.schedule import Moment

FACES = 256
"""Pictures of an evaluation, at most."""
_PAIRS = 1_000
"""Pairs of pictures that variety is measured on."""


class PeriodicEvaluation:
    """Measures a model at any moment of its training, always with the same descriptions and noise.

    Its numbers show how a run goes on. They are from few pictures, and the photographs may be those
    of training: compare them within a run, and runs by `t2f evaluate`.

    Args:
        faces: The faces, in the order of the pyramid.
        pyramid: Their images.
        tokenizer: Reads the descriptions; None for a model without text.
        seed: Chooses photographs, descriptions and noise.
    """

    def __init__(
        self,
        faces: Sequence[CaptionedFace],
        pyramid: ImagePyramid,
        tokenizer: Tokenizer | None,
        *,
        seed: int,
    ) -> None:
        self._pyramid = pyramid
        self._tokenizer = tokenizer
        self._seed = seed
        random = np.random.default_rng(seed)
        able = [bool(face.descriptions) or tokenizer is None for face in faces]
        chosen = random.permutation(np.flatnonzero(able))[:FACES]
        self._numbers = np.sort(chosen)  # reads the level from its start to its end
        self._descriptions = [
            "" if tokenizer is None else faces[n].descriptions[0] for n in self._numbers
        ]
        self._real_variety: dict[int, float] = {}

    def measure(self, model: FaceModel, moment: Moment) -> dict[str, float]:
        """Draws and measures.

        Args:
            model: The averaged model.
            moment: Decides resolution and fade.

        Returns:
            For the log: `swd_16`, `swd_32` … (see `sliced_wasserstein`) and their mean `swd`;
            `ms_ssim` (see `diversity`), and `ms_ssim_real` of as many photographs.
        """
        side = moment.phase.resolution
        real = self._pyramid.images(side)[self._numbers]
        artist = ModelArtist(model, self._tokenizer, depth=moment.depth, fade=moment.fade)
        drawn = artist.draw(self._descriptions, seed=self._seed, indices=range(len(real)))
        levels = sliced_wasserstein(real, drawn, seed=self._seed)
        if side not in self._real_variety:
            self._real_variety[side] = diversity(real, pairs=_PAIRS, seed=self._seed)
        return {
            "swd": float(np.mean(list(levels.values()))),
            **{f"swd_{level}": distance for level, distance in levels.items()},
            "ms_ssim": diversity(drawn, pairs=_PAIRS, seed=self._seed),
            "ms_ssim_real": self._real_variety[side],
        }
