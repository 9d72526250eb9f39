"""The face generator: descriptions and seeds in, pictures out."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import Manifest, Precision
from t2f_runtime.bundle.tokenizer import open_tokenizer as open_tokenizer  # noqa: PLC0414 (taken from here)
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.cancellation import Cancellation
from t2f_runtime.engines.limits import check_device, check_threads
from t2f_runtime.engines.names import AUTO
from t2f_runtime.engines.running import UNKNOWN, RunningEngine
from t2f_runtime.errors import ArgumentError
from t2f_runtime.latent import Floats, check_latents, check_whole_number, draw_latent
from t2f_runtime.networks import Networks
from t2f_runtime.pictures.arrays import Pictures as Pictures  # noqa: PLC0414 (taken from here)
from t2f_runtime.pictures.arrays import empty_pictures
from t2f_runtime.reading.reader import DescriptionReader, open_words
from t2f_runtime.sessions import Session
from t2f_runtime.text.tokenizer import Tokenizer, import_library

if TYPE_CHECKING:
    from t2f_runtime.reading.description import DescriptionReading
    from t2f_runtime.reading.word_list import WordList

MAXIMUM_FACES = 10_000
"""The most faces of one call, so that a slip of the keyboard cannot fill the memory."""

_NO_CONDITION = np.empty(0, dtype=np.float32)


class FaceGenerator:
    """Draws faces from descriptions, or from seeds alone where the model has no text.

    Safe to use from many threads; no call changes it. A face depends on its description, its seed
    and its index alone: it has the same bytes drawn alone, in a batch, or among candidates.

    It cannot be pickled, and draws in the process alone that loaded it: see `Networks`.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> generator.generate("a smiling woman with grey hair", seed=7).shape
        (8, 8, 3)

    In a `with` block, it is closed at the end:

        >>> with FaceGenerator.load("tests/runtime/tiny_bundle") as generator:
        ...     generator.warm_up()
        ...     face = generator.generate("a bald man")

    Args:
        manifest: What the networks take and give.
        tokenizer: The one that the text encoder was trained with; None for a model without text.
        text_encoder: `TOKENS` to `CONDITION_MEAN` and `CONDITION_LOG_VARIANCE`; None likewise.
        generator: `LATENT` to `IMAGE`.
        engine: What runs the networks, for whoever asks.
        words: Those that the model was trained on, for `read`; None where nobody knows.

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
        engine: RunningEngine = UNKNOWN,
        words: "WordList | None" = None,
    ) -> None:
        if {tokenizer is not None, text_encoder is not None} != {manifest.takes_text}:
            raise ArgumentError(
                "a model with text has a tokenizer and a text encoder, a model without has neither"
            )
        self._manifest = manifest
        self._reader = DescriptionReader(tokenizer, words)
        self._networks = Networks(manifest, text_encoder=text_encoder, generator=generator)
        self._engine = engine

    @classmethod
    def load(
        cls,
        bundle: str | Path,
        *,
        engine: str = AUTO,
        precision: Precision | Literal["auto"] = AUTO,
        device: int = 0,
        threads: int | None = None,
        trusted: Sequence[PublicKey] | None = None,
    ) -> "FaceGenerator":
        """Loads a bundle: the slow step, to be done once.

        Args:
            bundle: The bundle's folder, or a packed bundle.
            engine: What runs the networks: `tensorrt`, `tensorrt-rtx`, `onnx-cuda`,
                `onnx-tensorrt`, `onnx-cpu` or `openvino`. `auto` takes the first that works of
                `tensorrt`, `tensorrt-rtx`, `onnx-cuda`, `onnx-cpu` and `openvino`; the property
                `engine` says which, and why not those before it.
            precision: Which of the bundle's networks: `float32`, which every bundle has,
                `float16`, `int8` or `fp8`. `auto` takes float16 where the bundle has it and the
                engine is `tensorrt`, `tensorrt-rtx` or `onnx-cuda`, and float32 elsewhere.
            device: Which GPU, from 0, of those that CUDA shows. An engine on the CPU that is named
                takes 0 alone. `auto` draws on the CPU where there is no such GPU, and
                `engine.passed_over` says so.
            threads: Threads that work on one face on a CPU; None takes `usable_cpus()`.
            trusted: Load only what one of these keys has signed; None checks no signature.

        Raises:
            ArgumentError: `device` or `threads` is out of range, or `device` is not 0 and `engine`
                is on the CPU.
            BundleError: The bundle is missing, incomplete, altered, of another schema, without
                networks of that precision, or not signed by a trusted key.
            EngineError: The engine is unknown, cannot run here, or cannot run the bundle; of
                `auto`, that none can. The message says what repairs it.
            MissingPackageError: `trusted` is given, and the package that checks is not installed.
        """
        keep: Precision = "float32" if precision == AUTO else precision
        with Bundle.opening(bundle, keep=keep, trusted=trusted) as opened:
            return cls.from_bundle(
                opened, engine=engine, precision=precision, device=device, threads=threads
            )

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        *,
        engine: str = AUTO,
        precision: Precision | Literal["auto"] = AUTO,
        device: int = 0,
        threads: int | None = None,
    ) -> "FaceGenerator":
        """Loads a bundle that is open already; as `load` otherwise."""
        if not isinstance(bundle, Bundle):
            raise ArgumentError("bundle must be an open Bundle; of a path, use FaceGenerator.load")
        threads, device = check_threads(threads), check_device(device, engine)
        from t2f_runtime.engines.opening import open_engine  # noqa: PLC0415 (starts quicker)
        from t2f_runtime.engines.prepared import EngineWish  # noqa: PLC0415 (as above)

        wish = EngineWish(engine=engine, precision=precision, device=device, threads=threads)
        # While the files may still be verified: what the first face needs, and takes long.
        import numpy.random  # noqa: F401, PLC0415 (numpy imports it when it is first asked for)

        if bundle.manifest.text is not None:
            import_library(bundle.manifest.text.kind)
        opened = open_engine(bundle, wish)
        return cls(
            bundle.manifest,
            tokenizer=open_tokenizer(bundle),
            text_encoder=opened.text_encoder,
            generator=opened.generator,
            engine=opened.engine,
            words=open_words(bundle),
        )

    @property
    def manifest(self) -> Manifest:
        """What the bundle says about itself."""
        return self._manifest

    @property
    def engine(self) -> RunningEngine:
        """What runs the networks, and what "auto" would rather have taken."""
        return self._engine

    @property
    def image_size(self) -> int:
        """Height and width of the pictures, in pixels."""
        return self._manifest.image_size

    @property
    def takes_text(self) -> bool:
        """Whether faces are drawn from descriptions, rather than from seeds alone."""
        return self._manifest.takes_text

    def __repr__(self) -> str:
        return f"<FaceGenerator {self._manifest.name!r:.80}: {self._engine}>"

    def __enter__(self) -> "FaceGenerator":
        self._networks.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(
            "a generator cannot be pickled or copied, nor sent to another process; send the path "
            "of the bundle, and call FaceGenerator.load there"
        )

    def warm_up(self) -> None:
        """Runs the networks, so that the first face takes no longer than those that follow.

        The first runs set up memory, and on a GPU may record what they do: one of the longest
        description does that for all. Before, what loading took and no longer needs is given back
        to the system, of this process's other free memory, too.

        Raises:
            ClosedError: The generator is closed, or of another process.
            EngineError: The networks cannot be run.
        """
        self._networks.warm_up()

    def close(self) -> None:
        """Lets the engine and its memory go; from then on every call raises ClosedError.

        Returns at once: a run that another thread is in the middle of ends first, and nothing
        begins after it. A second time does nothing.
        """
        self._networks.close()

    def generate(
        self,
        text: str | None = None,
        *,
        seed: int = 0,
        count: int | None = None,
        cancellation: Cancellation | None = None,
    ) -> Pictures:
        """Draws one face of a description, or several candidates.

        Args:
            text: The description, in which a line break is a space; left out for a model without
                text.
            seed: 0 to 2**64 - 1; equal seeds draw equal faces.
            count: How many candidates; candidate 0 is the face that is drawn without `count`.
            cancellation: Stops the drawing between faces; None draws them all.

        Returns:
            Shape `(height, width, 3)`, uint8, RGB; with a `count`, `(count, height, width, 3)`.

        Raises:
            DescriptionError: The description cannot be read, is missing, or is one too many.
            ArgumentError: The seed or the count is out of range, or memory does not hold so many.
            CancelledError: It was cancelled; as DeadlineError, its time was up.
            ClosedError: The generator is closed, or of another process.
        """
        tokens = self._reader.tokens(text)
        seed = check_whole_number("seed", seed)
        if count is not None:
            count = check_whole_number("count", count, largest=MAXIMUM_FACES, least=1)
        pictures = empty_pictures(count or 1, self.image_size)
        mean, log_variance = self._encode(tokens, cancellation)
        for index in range(len(pictures)):
            pictures[index] = self._draw_face(mean, log_variance, seed, index, cancellation)
        return pictures[0] if count is None else pictures

    def generate_batch(
        self,
        texts: Sequence[str] | None = None,
        *,
        seeds: Sequence[int] | None = None,
        cancellation: Cancellation | None = None,
    ) -> Pictures:
        """Draws one face a description; of a model without text, one face a seed.

        Args:
            texts: The descriptions; left out for a model without text.
            seeds: One a description; None gives seed 0 to each, but a model without text needs
                them.
            cancellation: As in `generate`.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB.

        Raises:
            DescriptionError: A description cannot be read, they are missing, or the model takes
                none; nothing has been drawn then.
            ArgumentError: A seed is out of range, there are more seeds or fewer, or memory does not
                hold so many.
            CancelledError: As in `generate`.
            ClosedError: As in `generate`.
        """
        rows, seeds = self._read_all(texts, seeds)
        pictures = empty_pictures(len(rows), self.image_size)
        for position, (tokens, seed) in enumerate(zip(rows, seeds, strict=True)):
            mean, log_variance = self._encode(tokens, cancellation)
            pictures[position] = self._draw_face(mean, log_variance, seed, 0, cancellation)
        return pictures

    def read(self, text: str) -> "DescriptionReading":
        """Tells what is understood of a description; of one that `generate` refuses, why.

        Args:
            text: Any text, however long.

        Raises:
            DescriptionError: It is no text (str), or the model takes none.
            ClosedError: As in `generate`.
        """
        return self._reader.read(text, lambda tokens: self._encode(tokens)[0])

    def condition(self, text: str | None) -> tuple[Floats, Floats]:
        """Reads a description into the Gaussian that its condition is drawn from.

        Args:
            text: The description; None for a model without text, whose condition is empty.

        Returns:
            Mean and logarithm of the variance, each of shape `(condition,)`, float32.

        Raises:
            DescriptionError: The description cannot be read, is missing, or is one too many.
            ClosedError: As in `generate`.
        """
        return self._encode(self._reader.tokens(text))

    def draw(
        self,
        latents: Floats,
        *,
        faces_per_run: int = 1,
        cancellation: Cancellation | None = None,
    ) -> Pictures:
        """Draws one face a latent; for arithmetic on faces.

        Args:
            latents: Shape `(faces, latent)`, float32, each row of unit mean square.
            faces_per_run: Faces that a network is given at once. With more than one they are done
                sooner, except by wide networks on a CPU, and a value here and there may differ by a
                level from that of the same face drawn alone: engines sum in another order.
            cancellation: As in `generate`.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB.

        Raises:
            ArgumentError: The array is of another shape or type, or not finite, or
                `faces_per_run` is out of range, or memory does not hold so many.
            CancelledError: As in `generate`.
            ClosedError: As in `generate`.
        """
        step = check_whole_number("faces_per_run", faces_per_run, largest=MAXIMUM_FACES, least=1)
        check_latents(latents, size=self._manifest.latent_size, most=MAXIMUM_FACES)
        pictures = empty_pictures(len(latents), self.image_size)
        for start in range(0, len(latents), step):
            drawn = self._networks.draw(latents[start : start + step], cancellation)
            pictures[start : start + step] = drawn
        return pictures

    def _read_all(
        self, texts: Sequence[str] | None, seeds: Sequence[int] | None
    ) -> tuple[list[NDArray[np.int64] | None], list[int]]:
        """Checks the descriptions and seeds of many faces before anything is drawn."""
        self._reader.check_lists(texts, seeds)
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
        rows = self._reader.tokens_of_all(wanted)
        return rows, [check_whole_number("seed", seed) for seed in seeds]

    def _encode(
        self, tokens: NDArray[np.int64] | None, cancellation: Cancellation | None = None
    ) -> tuple[Floats, Floats]:
        if tokens is None:
            return _NO_CONDITION, _NO_CONDITION
        return self._networks.encode(tokens, cancellation)

    def _draw_face(
        self,
        mean: Floats,
        log_variance: Floats,
        seed: int,
        index: int,
        cancellation: Cancellation | None,
    ) -> Pictures:
        noise_size = self._manifest.noise_size
        latent = draw_latent(mean, log_variance, seed=seed, index=index, noise_size=noise_size)
        # One face a run: in a batch, ONNX Runtime's kernels sum in another order, so that a face
        # would depend on its company, by a level here and there. benchmarks/batching.py measures
        # how much, and what drawing alone costs.
        picture: Pictures = self._networks.draw(latent[np.newaxis], cancellation)[0]
        return picture
