"""The face generator: descriptions and seeds in, pictures out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bundle import Bundle
from t2f_runtime.errors import ArgumentError, BundleError, DescriptionError, EngineError
from t2f_runtime.latent import Floats, check_whole_number, draw_latent
from t2f_runtime.manifest import (
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    IMAGE,
    LATENT,
    TOKENS,
    Graph,
    Manifest,
    Precision,
)
from t2f_runtime.sessions import Session, open_session
from t2f_runtime.text import Tokenizer
from t2f_runtime.trust import PublicKey

MAXIMUM_FACES = 10_000
"""The most faces of one call, so that a slip of the keyboard cannot fill the memory."""

_MAXIMUM_THREADS = 1024
_NO_CONDITION = np.empty(0, dtype=np.float32)

Pictures = NDArray[np.uint8]


class FaceGenerator:
    """Draws faces from descriptions, or from seeds alone where the model has no text.

    Safe to use from many threads; no call changes it. A face depends on its description, its seed
    and its index alone: it has the same bytes drawn alone, in a batch, or among candidates.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> generator.generate("a smiling woman with grey hair", seed=7).shape
        (8, 8, 3)

    Args:
        manifest: What the networks take and give.
        tokenizer: The one that the text encoder was trained with; None for a model without text.
        text_encoder: `TOKENS` to `CONDITION_MEAN` and `CONDITION_LOG_VARIANCE`; None likewise.
        generator: `LATENT` to `IMAGE`.

    Raises:
        ArgumentError: A tokenizer or a text encoder is missing, or there is one too many.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        tokenizer: Tokenizer | None,
        text_encoder: Session | None,
        generator: Session,
    ) -> None:
        if {tokenizer is not None, text_encoder is not None} != {manifest.takes_text}:
            raise ArgumentError(
                "a model with text has a tokenizer and a text encoder, a model without has neither"
            )
        self._manifest = manifest
        self._tokenizer = tokenizer
        self._text_encoder = text_encoder
        self._generator = generator

    @classmethod
    def load(
        cls,
        bundle: str | Path,
        *,
        engine: str = "onnx-cpu",
        precision: Precision = "float32",
        threads: int | None = None,
        trusted: Sequence[PublicKey] | None = None,
    ) -> "FaceGenerator":
        """Loads a bundle: the slow step, to be done once.

        Args:
            bundle: The bundle's folder, or a packed bundle.
            engine: What runs the networks: `onnx-cpu`.
            precision: Which of the bundle's networks: `float32`, which every bundle has, `float16`
                or `int8`. On a CPU the others are no faster.
            threads: Threads that work on one face; None takes the CPUs this process may use.
            trusted: Load only what one of these keys has signed; None checks no signature.

        Raises:
            BundleError: The bundle is missing, incomplete, altered, of another schema, without
                networks of that precision, or not signed by a trusted key.
            EngineError: The engine is unknown, not installed, or cannot run the bundle.
            MissingPackageError: `trusted` is given, and the package that checks is not installed.
        """
        opened = Bundle.open(bundle, keep=precision, trusted=trusted)
        return cls.from_bundle(opened, engine=engine, precision=precision, threads=threads)

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        *,
        engine: str = "onnx-cpu",
        precision: Precision = "float32",
        threads: int | None = None,
    ) -> "FaceGenerator":
        """Loads a bundle that is open already; as `load` otherwise."""
        if threads is not None:
            threads = check_whole_number("threads", threads, largest=_MAXIMUM_THREADS, least=1)
        manifest = bundle.manifest
        graphs = bundle.graphs(precision)

        def opened(graph: Graph) -> Session:
            return open_session(bundle.read(graph.file), engine=engine, threads=threads)

        return cls(
            manifest,
            tokenizer=open_tokenizer(bundle),
            text_encoder=opened(graphs.text_encoder) if graphs.text_encoder else None,
            generator=opened(graphs.generator),
        )

    @property
    def manifest(self) -> Manifest:
        """What the bundle says about itself."""
        return self._manifest

    @property
    def image_size(self) -> int:
        """Height and width of the pictures, in pixels."""
        return self._manifest.image_size

    @property
    def takes_text(self) -> bool:
        """Whether faces are drawn from descriptions, rather than from seeds alone."""
        return self._manifest.takes_text

    def generate(
        self, text: str | None = None, *, seed: int = 0, count: int | None = None
    ) -> Pictures:
        """Draws one face of a description, or several candidates.

        Args:
            text: The description; left out for a model without text.
            seed: 0 to 2**64 - 1; equal seeds draw equal faces.
            count: How many candidates; candidate 0 is the face that is drawn without `count`.

        Returns:
            Shape `(height, width, 3)`, uint8, RGB; with a `count`, `(count, height, width, 3)`.

        Raises:
            DescriptionError: The description cannot be read, is missing, or is one too many.
            ArgumentError: The seed or the count is out of range.
        """
        tokens = self._tokens(text)
        seed = check_whole_number("seed", seed)
        if count is not None:
            count = check_whole_number("count", count, largest=MAXIMUM_FACES, least=1)
        mean, log_variance = self._encode(tokens)
        pictures = self._empty(count or 1)
        for index in range(len(pictures)):
            pictures[index] = self._draw_face(mean, log_variance, seed, index)
        return pictures[0] if count is None else pictures

    def generate_batch(
        self, texts: Sequence[str] | None = None, *, seeds: Sequence[int] | None = None
    ) -> Pictures:
        """Draws one face a description; of a model without text, one face a seed.

        Args:
            texts: The descriptions; left out for a model without text.
            seeds: One a description; None gives seed 0 to each, but a model without text needs
                them.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB.

        Raises:
            DescriptionError: A description cannot be read, they are missing, or the model takes
                none; nothing has been drawn then.
            ArgumentError: A seed is out of range, or there are more seeds or fewer.
        """
        rows, seeds = self._read_all(texts, seeds)
        pictures = self._empty(len(rows))
        for position, (tokens, seed) in enumerate(zip(rows, seeds, strict=True)):
            mean, log_variance = self._encode(tokens)
            pictures[position] = self._draw_face(mean, log_variance, seed, index=0)
        return pictures

    def condition(self, text: str) -> tuple[Floats, Floats]:
        """Reads a description into the Gaussian that its condition is drawn from.

        Returns:
            Mean and logarithm of the variance, each of shape `(condition,)`, float32.

        Raises:
            DescriptionError: The description cannot be read, or the model takes none.
        """
        return self._encode(self._tokens(text))

    def draw(self, latents: Floats) -> Pictures:
        """Draws one face a latent; for arithmetic on faces.

        Args:
            latents: Shape `(faces, latent)`, float32, each row of unit mean square.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB.

        Raises:
            ArgumentError: The array is of another shape or type, or not finite.
        """
        size = self._manifest.latent_size
        found = getattr(latents, "dtype", type(latents).__name__)
        if found != np.float32:
            raise ArgumentError(f"latents must be an array of float32, not {found}")
        if latents.ndim != 2 or latents.shape[1] != size or len(latents) > MAXIMUM_FACES:
            raise ArgumentError(
                f"latents has the shape {latents.shape}; it must be (faces, {size}), "
                f"with {MAXIMUM_FACES} faces at most"
            )
        if not np.isfinite(latents).all():
            raise ArgumentError("latents holds values that are not finite")
        pictures = self._empty(len(latents))
        for position, latent in enumerate(latents):
            pictures[position] = self._draw_latent(latent)
        return pictures

    def _check_presence(self, *, is_given: bool) -> None:
        if is_given and not self.takes_text:
            raise DescriptionError("this model draws without descriptions; leave it out")
        if self.takes_text and not is_given:
            raise DescriptionError("this model draws from descriptions; give one")

    def _tokens(self, text: str | None) -> NDArray[np.int64] | None:
        """Cuts a description into tokens; None for a model without text."""
        self._check_presence(is_given=text is not None)
        return None if self._tokenizer is None or text is None else self._tokenizer.tokens(text)

    def _read(self, text: str | None, position: int) -> NDArray[np.int64] | None:
        try:
            return self._tokens(text)
        except DescriptionError as error:
            raise DescriptionError(f"description {position}, counted from 0: {error}") from error

    def _read_all(
        self, texts: Sequence[str] | None, seeds: Sequence[int] | None
    ) -> tuple[list[NDArray[np.int64] | None], list[int]]:
        """Checks the descriptions and seeds of many faces before anything is drawn."""
        if isinstance(texts, str):
            raise ArgumentError("texts is one description; give a list, or call generate")
        self._check_presence(is_given=texts is not None)
        wanted: Sequence[str | None]
        if texts is not None:
            wanted = texts
        elif seeds is not None:
            wanted = [None] * len(seeds)
        else:
            raise ArgumentError("this model draws from seeds alone; give seeds, one a face")
        if seeds is None:
            seeds = [0] * len(wanted)
        if len(wanted) > MAXIMUM_FACES:
            raise ArgumentError(
                f"there are {len(wanted)} faces to draw; {MAXIMUM_FACES} are the most of one call"
            )
        if len(seeds) != len(wanted):
            raise ArgumentError(f"there are {len(seeds)} seeds for {len(wanted)} descriptions")
        rows = [self._read(text, position) for position, text in enumerate(wanted)]
        return rows, [check_whole_number("seed", seed) for seed in seeds]

    def _empty(self, faces: int) -> Pictures:
        return np.empty((faces, self.image_size, self.image_size, 3), dtype=np.uint8)

    def _encode(self, tokens: NDArray[np.int64] | None) -> tuple[Floats, Floats]:
        if tokens is None or self._text_encoder is None:
            return _NO_CONDITION, _NO_CONDITION
        outputs = self._text_encoder.run({TOKENS: tokens[np.newaxis]})
        shape = (1, self._manifest.condition_size)
        mean = _checked(outputs, CONDITION_MEAN, np.float32, shape)
        log_variance = _checked(outputs, CONDITION_LOG_VARIANCE, np.float32, shape)
        return mean[0], log_variance[0]

    def _draw_face(self, mean: Floats, log_variance: Floats, seed: int, index: int) -> Pictures:
        noise_size = self._manifest.noise_size
        return self._draw_latent(
            draw_latent(mean, log_variance, seed=seed, index=index, noise_size=noise_size)
        )

    def _draw_latent(self, latent: Floats) -> Pictures:
        # One face a run: in a batch, ONNX Runtime's kernels sum in another order, so that a face
        # would depend on its company, by a level here and there. benchmarks/batching.py measures
        # how much, and what drawing alone costs.
        outputs = self._generator.run({LATENT: latent[np.newaxis]})
        shape = (1, self.image_size, self.image_size, 3)
        picture: Pictures = _checked(outputs, IMAGE, np.uint8, shape)[0]
        return picture


def open_tokenizer(bundle: Bundle) -> Tokenizer | None:
    """Opens the tokenizer of a bundle; None where the model has no text.

    Raises:
        BundleError: It is not the one that the manifest describes.
    """
    text = bundle.manifest.text
    if text is None:
        return None
    tokenizer = Tokenizer(
        bundle.read(text.tokenizer),
        kind=text.kind,
        maximum_tokens=text.maximum_tokens,
        maximum_characters=text.maximum_characters,
    )
    found = (tokenizer.vocabulary_size, tokenizer.padding_token)
    if found != (text.vocabulary_size, text.padding_token):
        raise BundleError(
            f"{text.tokenizer} has {found[0]} tokens and pads with {found[1]}; the manifest says "
            f"{text.vocabulary_size} and {text.padding_token}; export the run again"
        )
    return tokenizer


def _checked(
    outputs: dict[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Returns an output of a network that is what the manifest says of it."""
    array = outputs.get(name)
    if array is None:
        raise EngineError(f"the network gave no {name!r}, but {', '.join(outputs)}")
    if array.dtype != dtype or array.shape != shape:
        raise EngineError(
            f"the network gave {name!r} as {array.dtype} {array.shape}; "
            f"the manifest says {np.dtype(dtype)} {shape}; export the run again"
        )
    if not np.isfinite(array).all():
        raise EngineError(f"the network gave {name!r} with values that are not finite")
    return array
