"""The time-lapse: how fixed latents grew into faces, as a film."""

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from t2f_train.errors import RunError, TimelapseError
from t2f_train.run_folder import RunFolder
from t2f_train.schedule import Moment, Schedule

FORMATS = (".mp4", ".gif", ".webp")
SHORTEST_SECONDS = 0.02
"""The least time that a frame is shown: players slow down .gif films that ask for less."""
ENCODER = "libx264"
"""The encoder of H.264 that the package 'av' brings."""
CAPTION_SHARE = 16
"""The bar with the caption takes this part of the picture's width."""
QUALITY = "23"
"""Constant rate factor of H.264: smaller is better and larger in bytes."""
LAST_FRAME_SECONDS = 2.0
"""How long the finished faces are shown."""

_INK, _PAPER = (32, 32, 32), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that a run kept."""

    path: Path
    """The picture: a grid of faces at their own resolution."""
    moment: Moment
    """The step that it was drawn after, with the fade that it was drawn with."""
    images_seen: int
    """Real images seen by then."""


def write_timelapse(run: Path, out: Path, *, seconds: float = 10.0, width: int = 768) -> int:
    """Writes the film of a run; what lay at `out` is replaced only when the new one is complete.

    Args:
        run: The run folder.
        out: `.mp4`, `.gif` or `.webp`.
        seconds: Length of the film, but for its last frame, which stays longer.
        width: Width of the film, in pixels.

    Returns:
        Number of frames in the film: fewer than the run has where time is too short for all.

    Raises:
        TimelapseError: If the ending is another, or the film cannot be written.
        RunError: If there is no run, or it has no frames yet.
    """
    if out.suffix.lower() not in FORMATS:
        raise TimelapseError(f"{out} has no ending of a film that T2F writes: {', '.join(FORMATS)}")
    if out.is_dir() or not out.parent.is_dir():
        raise TimelapseError(f"{out} cannot be written: name a new file in a folder that exists")
    frames = _shown_frames(read_frames(run), seconds)
    schedule = Schedule(RunFolder(run).read_record().config.phases)
    pictures = (compose(frame, schedule, width) for frame in frames)
    delay = seconds / len(frames)
    unfinished = out.with_name(f".{secrets.token_hex(8)}{out.suffix.lower()}")
    try:
        try:
            if out.suffix.lower() == ".mp4":
                _write_mp4(pictures, unfinished, delay)
            else:
                _write_animation(pictures, unfinished, delay)
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise TimelapseError(f"{out} cannot be written: {error}") from error
    return len(frames)


def read_frames(run: Path) -> list[Frame]:
    """The frames of a run, in their order.

    Raises:
        RunError: If there is no run, or it has no frames yet.
    """
    folder = RunFolder(run)
    schedule = Schedule(folder.read_record().config.phases)
    paths = sorted(folder.frames.glob("step-????????.png"))
    if not paths:
        raise RunError(
            f"{folder.frames} holds no frames yet; a run keeps output.frames of them as it trains"
        )
    return [_frame(path, schedule) for path in paths]


def _frame(path: Path, schedule: Schedule) -> Frame:
    step = int(path.stem.removeprefix("step-"))
    return Frame(path, schedule.at(step), schedule.at(step + 1).images_seen)


def _shown_frames(frames: list[Frame], seconds: float) -> list[Frame]:
    """Every n-th frame, so that each can be shown long enough, and the last one always."""
    every = math.ceil(len(frames) * SHORTEST_SECONDS / seconds)
    return frames[::-1][::every][::-1]


def caption(frame: Frame, schedule: Schedule) -> str:
    """What stands below a frame: resolution, phase, fade and images seen."""
    moment = frame.moment
    side = moment.phase.resolution
    fading = "" if moment.fade >= 1.0 else f", {moment.fade:.0%} faded in"
    phase = f"phase {moment.phase_index + 1} of {len(schedule.phases)}"
    return f"{side}x{side}, {phase}{fading}, {frame.images_seen:,} images"


def compose(frame: Frame, schedule: Schedule, width: int) -> Image.Image:
    """Enlarges a frame, its pixels kept square and sharp, and writes the caption below.

    Returns:
        An RGB image of the given width; its height is the same for all frames of a run and even,
        as video codecs want it.
    """
    with Image.open(frame.path) as grid:
        height = round(width * grid.height / grid.width)
        faces = grid.convert("RGB").resize((width, height), Image.Resampling.NEAREST)
    bar = width // CAPTION_SHARE
    picture = Image.new("RGB", (width - width % 2, (height + bar) // 2 * 2), _PAPER)
    picture.paste(faces, (0, 0))
    ImageDraw.Draw(picture).text(
        (bar // 4, height + bar // 2),
        caption(frame, schedule),
        fill=_INK,
        font=ImageFont.load_default(bar // 2),
        anchor="lm",
    )
    return picture


def _write_mp4(pictures: Iterator[Image.Image], path: Path, delay: float) -> None:
    try:
        import av  # noqa: PLC0415 - an extra that only this needs
    except ImportError as error:
        raise TimelapseError(
            "an .mp4 needs the package 'av'; install it with: pip install 't2f[evaluate]', or "
            "write a .gif or .webp"
        ) from error
    if ENCODER not in av.codecs_available:
        raise TimelapseError(
            f"this build of the package 'av' has no {ENCODER} to write an .mp4 with; install the "
            f"one from PyPI with: pip install --force-reinstall av, or write a .gif or .webp"
        )
    first = next(pictures)
    try:
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            rate = Fraction(1.0 / delay).limit_denominator(1000)
            stream = container.add_stream(ENCODER, rate=rate)
            stream.width, stream.height = first.size
            stream.pix_fmt = "yuv420p"  # the one that every player shows
            stream.options = {"crf": QUALITY, "preset": "slow"}
            for picture in _with_long_end(first, pictures, round(LAST_FRAME_SECONDS / delay)):
                video_frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
                container.mux(stream.encode(video_frame))
            container.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        raise TimelapseError(f"the film cannot be encoded: {error}") from error


def _with_long_end(
    first: Image.Image, rest: Iterator[Image.Image], repeats: int
) -> Iterator[Image.Image]:
    last = first
    yield first
    for picture in rest:
        last = picture
        yield picture
    for _ in range(repeats):
        yield last


def _write_animation(pictures: Iterator[Image.Image], path: Path, delay: float) -> None:
    first, *rest = pictures
    milliseconds = [round(1000 * delay)] * len(rest) + [round(1000 * LAST_FRAME_SECONDS)]
    first.save(path, save_all=True, append_images=rest, duration=milliseconds, loop=0, quality=80)
