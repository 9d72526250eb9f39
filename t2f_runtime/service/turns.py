"""Whose face is drawn next, and the thread that draws it."""

import threading
import time
from collections import deque

import numpy as np

from t2f_runtime.errors import CancelledError, ClosedError, QueueFullError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.latent import Floats
from t2f_runtime.service.job import Job, Key, Requester


class Turns:
    """Jobs that take turns face by face; safe to use from many threads.

    Args:
        capacity: The most faces that may wait.
        faces_per_run: The most faces of one turn.
        wait_seconds: How long a turn waits for as many.
    """

    def __init__(self, capacity: int, faces_per_run: int, wait_seconds: float) -> None:
        self._capacity = capacity
        self._faces_per_run = faces_per_run
        self._wait_seconds = wait_seconds
        # Of a lock that its own thread may take again: a signal may come while it holds it, and its
        # handler may close.
        self._changed = threading.Condition(threading.RLock())
        self._jobs: dict[Key, Job] = {}
        self._order: deque[Job] = deque()
        self._arrived: dict[Key, float] = {}
        self._is_closed = False
        self._is_cancelled = False

    def add(self, key: Key, requester: Requester, *, has_room: bool = False) -> None:
        """Lets a requester wait for the faces of a key.

        Args:
            key: The faces.
            requester: Who waits.
            has_room: Whether it may wait beyond the capacity.

        Raises:
            ClosedError: Nothing is taken any more.
            QueueFullError: The capacity is reached.
        """
        with self._changed:
            if self._is_closed:
                raise ClosedError("this queue is closed; make another")
            job = self._jobs.get(key) or Job(key)
            waiting = self._count()
            if not has_room and waiting + job.faces > self._capacity:
                raise QueueFullError(
                    f"{waiting} faces wait already, and {job.faces} more would be over the "
                    f"{self._capacity} that may; ask again later"
                )
            if key not in self._jobs:
                self._jobs[key] = job
                self._arrived[key] = time.monotonic()
                self._order.append(job)
            job.requesters.append(requester)
            self._changed.notify_all()

    def waiting_faces(self) -> int:
        """How many faces wait or are being drawn."""
        with self._changed:
            return self._count()

    def close(self, *, drain: bool) -> None:
        """Takes nothing any more.

        Args:
            drain: Whether what waits is still drawn.
        """
        with self._changed:
            self._is_closed = True
            self._is_cancelled = self._is_cancelled or not drain
            self._changed.notify_all()

    def take(self) -> list[tuple[Job, int]] | None:
        """Waits for faces to draw, and chooses those of the next run.

        Returns:
            Jobs, each with how many of its own faces come before in this run; None at the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._order or self._is_closed)
            self._wait_for_company()
            unwanted = self._drop_unwanted()
            chosen = self._choose()
            is_over = self._is_closed and not chosen
        # Without the lock: whoever waits may do anything on hearing of it.
        for requester, error in unwanted:
            requester.fail(error)
        return None if is_over else chosen

    def end(self, job: Job) -> bool:
        """Forgets a job that is drawn or has failed; whoever asks for the same now, begins anew.

        Returns:
            Whether it was there.
        """
        with self._changed:
            if self._jobs.get(job.key) is not job:
                return False
            del self._jobs[job.key], self._arrived[job.key]
            if job in self._order:
                self._order.remove(job)
            return True

    def _count(self) -> int:
        return sum(job.faces * len(job.requesters) for job in self._jobs.values())

    def _wait_for_company(self) -> None:
        if not self._wait_seconds or not self._order:
            return
        until = min(self._arrived.values()) + self._wait_seconds
        self._changed.wait_for(
            lambda: self._is_closed or self._undrawn() >= self._faces_per_run,
            timeout=max(0.0, until - time.monotonic()),
        )

    def _undrawn(self) -> int:
        return sum(job.faces - job.drawn for job in self._order)

    def _choose(self) -> list[tuple[Job, int]]:
        chosen: list[tuple[Job, int]] = []
        while self._order and len(chosen) < self._faces_per_run:
            job = self._order.popleft()
            ahead = sum(other is job for other, _ in chosen)
            chosen.append((job, ahead))
            if job.drawn + ahead + 1 < job.faces:
                self._order.append(job)
        return chosen

    def _drop_unwanted(self) -> list[tuple[Requester, CancelledError]]:
        """Forgets who no longer waits, and the jobs that nobody waits for."""
        closed = CancelledError("the queue was closed before this was drawn")
        unwanted: list[tuple[Requester, CancelledError]] = []
        for job in list(self._jobs.values()):
            kept: list[Requester] = []
            for requester in job.requesters:
                reason = closed if self._is_cancelled else requester.reason_to_stop()
                if reason is None:
                    kept.append(requester)
                else:
                    unwanted.append((requester, reason))
            job.requesters = kept
            if not kept:
                self.end(job)
        return unwanted


def work(turns: Turns, generator: FaceGenerator) -> None:
    """Draws what `turns` gives until its end: the body of the thread."""
    while (chosen := turns.take()) is not None:
        _draw(turns, generator, chosen)
        del chosen  # it holds pictures that others may have done with long before the next


def _draw(turns: Turns, generator: FaceGenerator, chosen: list[tuple[Job, int]]) -> None:
    jobs, latents = _read(turns, generator, chosen)
    if not jobs:
        return
    try:
        pictures = generator.draw(np.stack(latents), faces_per_run=len(latents))
    except Exception as error:  # noqa: BLE001 (whoever waits must hear of a bug too)
        for job in dict.fromkeys(jobs):
            if turns.end(job):
                job.fail(error)
        return
    for job, picture in zip(jobs, pictures, strict=True):
        job.add([picture])
        if job.drawn == job.faces and turns.end(job):
            job.finish()


def _read(
    turns: Turns, generator: FaceGenerator, chosen: list[tuple[Job, int]]
) -> tuple[list[Job], list[Floats]]:
    """The jobs whose descriptions can be read, and the latents of their faces."""
    jobs: list[Job] = []
    latents: list[Floats] = []
    for job, ahead in chosen:
        latent = _read_one(turns, generator, job, ahead)
        if latent is not None:
            jobs.append(job)
            latents.append(latent)
    return jobs, latents


def _read_one(turns: Turns, generator: FaceGenerator, job: Job, ahead: int) -> Floats | None:
    try:
        return job.next_latent(generator, ahead)
    except Exception as error:  # noqa: BLE001 (as above)
        if turns.end(job):
            job.fail(error)
        return None
