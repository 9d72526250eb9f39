"""The queue before a generator: bounded, fair, and drawn by one thread."""

import os
import threading
import weakref
from types import TracebackType
from typing import TYPE_CHECKING

from t2f_runtime.cancellation import Cancellation, check_cancellation, is_time
from t2f_runtime.errors import ArgumentError, ClosedError, DescriptionError
from t2f_runtime.generator import MAXIMUM_FACES, FaceGenerator
from t2f_runtime.latent import Floats, check_latents, check_whole_number
from t2f_runtime.pictures.arrays import empty_pictures
from t2f_runtime.service.job import Pictures, Requester
from t2f_runtime.service.turns import Turns, work

if TYPE_CHECKING:
    from concurrent.futures import Future

MAXIMUM_CAPACITY = 100_000
"""The longest queue, in faces."""

_MAXIMUM_FACES_PER_RUN = 256


class DynamicBatcher:
    """Draws for many who ask at once, one face of each in turn.

    What it is good for. Threads that call `FaceGenerator.generate` get right pictures without it,
    but take the processors from each other; nothing bounds how many wait; and whoever asks for 18
    candidates delays all others by 18 faces. Here one thread draws; so many faces may wait, and one
    more is refused at once; requests take turns face by face; and those that are equal, which is
    what happens when a page is loaded twice, are drawn once.

    What it does not do, unless it is asked to: draw several faces in one run of the network. A face
    would then have other bytes in company than alone: with ONNX Runtime on a CPU 1 value of 49,152
    differed by one level, and a run of 16 took 1.0 ms a face in place of 1.6
    (benchmarks/batching.py); no engine promises otherwise. `faces_per_run` asks for it, for servers
    that would rather draw more faces. A GPU gains most by it, which nobody has measured here yet.

    Each requester gets pictures of its own, or an error of its own; nobody's error reaches others,
    except that of a run in which faces of several were drawn.

    Safe to use from many threads. It belongs to the process that made it, as its generator does.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.service import DynamicBatcher
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> with DynamicBatcher(generator) as batcher:
        ...     waiting = [batcher.submit("a bald man", seed=seed) for seed in range(3)]
        ...     faces = [future.result() for future in waiting]
        >>> faces[2].shape
        (8, 8, 3)

    Args:
        generator: What draws. It is not closed with the queue.
        capacity: The most faces that may wait or be drawn at a time, over all requests.
        faces_per_run: Faces that the network draws at once; 1 keeps every byte.
        wait_seconds: With several faces a run: how long a request waits for company at most.

    Raises:
        ArgumentError: A number is out of range, or a wait is wanted that could gain nothing.
    """

    def __init__(
        self,
        generator: FaceGenerator,
        *,
        capacity: int = 256,
        faces_per_run: int = 1,
        wait_seconds: float = 0.0,
    ) -> None:
        self._capacity = check_whole_number("capacity", capacity, largest=MAXIMUM_CAPACITY, least=1)
        faces_per_run = check_whole_number(
            "faces_per_run", faces_per_run, largest=_MAXIMUM_FACES_PER_RUN, least=1
        )
        if not is_time(wait_seconds):
            raise ArgumentError(f"wait_seconds is {wait_seconds!r:.50}; it must be 0 or more")
        if wait_seconds and faces_per_run == 1:
            raise ArgumentError(
                "waiting for company gains nothing while faces_per_run is 1; raise it, or leave "
                "wait_seconds out"
            )
        self._process = os.getpid()
        self._manifest = generator.manifest
        self._turns = Turns(self._capacity, faces_per_run, wait_seconds)
        # A daemon, since a program must be able to end without `close`; `finalize` sees to it that
        # the thread is not in the middle of a run then. It must not know this object, which could
        # never be let go otherwise.
        self._thread = threading.Thread(
            target=work, args=(self._turns, generator), name="t2f-batcher", daemon=True
        )
        self._thread.start()
        self._finalizer = weakref.finalize(self, _stop, self._turns, self._thread, self._process)

    def __enter__(self) -> "DynamicBatcher":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(drain=kind is None)

    @property
    def waiting_faces(self) -> int:
        """How many faces wait or are being drawn now."""
        return self._turns.waiting_faces()

    def submit(
        self,
        text: str | None = None,
        *,
        seed: int = 0,
        count: int | None = None,
        cancellation: Cancellation | None = None,
    ) -> "Future[Pictures]":
        """Asks for one face or several candidates; returns at once.

        Args:
            text: As in `FaceGenerator.generate`, and so the next two.
            seed: See there.
            count: See there.
            cancellation: Stops the waiting and, if nobody else waits for the same, the drawing. The
                time it gives includes the time in the queue.

        Returns:
            What will hold the pictures, as `FaceGenerator.generate` returns them, or the error that
            it raises. It can be cancelled until then.

        Raises:
            ArgumentError: The seed or the count is out of range, or more than the queue can hold.
            ClosedError: The queue is closed, or of another process.
            DescriptionError: The description is no text; what else is wrong with it, the future
                tells.
            QueueFullError: So many faces wait that these are over the capacity; nothing waits for
                them.
        """
        if text is not None and not isinstance(text, str):
            raise DescriptionError(f"a description must be text (str), not {type(text).__name__}")
        check_cancellation(cancellation)
        seed = check_whole_number("seed", seed)
        faces = 1
        if count is not None:
            faces = check_whole_number("count", count, largest=self._capacity, least=1)
        future, requester = self._requester(cancellation, is_single=count is None)
        self._turns.add((text, seed, faces), requester)
        return future

    def generate(
        self,
        text: str | None = None,
        *,
        seed: int = 0,
        count: int | None = None,
        cancellation: Cancellation | None = None,
    ) -> Pictures:
        """Asks, and waits for the pictures: as `submit`, and as `FaceGenerator.generate`."""
        return self.submit(text, seed=seed, count=count, cancellation=cancellation).result()

    def draw(self, latents: Floats, *, cancellation: Cancellation | None = None) -> Pictures:
        """Draws one face a latent, as `FaceGenerator.draw`, each in its turn.

        The faces wait one at a time, and may do so beyond the capacity: whoever calls this from so
        many threads has so many faces more in the queue, and is never refused halfway.

        Args:
            latents: Shape `(faces, latent)`, float32, each row of unit mean square.
            cancellation: As in `submit`.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB.

        Raises:
            ArgumentError: The array is of another shape or type, or not finite, or memory does not
                hold so many pictures.
            CancelledError: It was cancelled; as DeadlineError, its time was up.
            ClosedError: The queue is closed, or of another process.
        """
        check_latents(latents, size=self._manifest.latent_size, most=MAXIMUM_FACES)
        pictures = empty_pictures(len(latents), self._manifest.image_size)
        for place, latent in enumerate(latents):
            future, requester = self._requester(cancellation, is_single=True)
            self._turns.add(latent.tobytes(), requester, has_room=True)
            pictures[place] = future.result()
        return pictures

    def close(self, *, drain: bool = True, timeout: float | None = None) -> None:
        """Refuses new requests, and ends the thread; a second time does nothing.

        Leaving a `with` block drains, or cancels if an error leaves it. A program that ends without
        closing cancels.

        Args:
            drain: Whether what waits is drawn first; if not, it gets a CancelledError, after the
                run that is under way.
            timeout: Seconds to wait for the end at most; None waits as long as it takes.
        """
        if os.getpid() != self._process:
            return
        self._turns.close(drain=drain)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _requester(
        self, cancellation: Cancellation | None, *, is_single: bool
    ) -> "tuple[Future[Pictures], Requester]":
        from concurrent.futures import Future  # noqa: PLC0415 (it imports logging)

        if os.getpid() != self._process:
            raise ClosedError(
                f"this queue belongs to process {self._process}; its thread does not live on in a "
                "fork: make one in the new process"
            )
        future: Future[Pictures] = Future()
        return future, Requester(future, cancellation, is_single=is_single)


def _stop(turns: Turns, thread: threading.Thread, process: int) -> None:
    """Ends the thread of a queue that nobody holds any more, or of a program that ends."""
    if os.getpid() == process:
        turns.close(drain=False)
        if threading.current_thread() is not thread:
            thread.join()
