"""ProGAN on its own: a model of any folder of images, without text, in five lines of Python."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from t2f_runtime.cache_folder import cache_folder
from t2f_runtime.latent import check_whole_number
from t2f_train.config import Config, config_from_dict, load_config
from t2f_train.devices import open_device
from t2f_train.errors import ConfigError, RunError
from t2f_train.metrics.pictures import Pictures
from t2f_train.metrics.run_artist import open_run
from t2f_train.progress import ProgressReporter, Reporter
from t2f_train.run_folder import RunFolder
from t2f_train.schedule import Schedule
from t2f_train.training_loop import prepare_run

PRESET = "progan"
"""The preset that has every setting but the sizes."""

LARGEST_DEPTH = 9
"""1024x1024 pixels."""

FULL_WIDTH_PIXELS = 32
"""Up to this resolution every layer has `feature_size` features; they halve from the next one on
(ProGAN, arXiv:1710.10196, table 2, where 512 features halve from 64x64 on)."""

SMALLER_BATCHES = {256: 14, 512: 6, 1024: 3}
"""Batches at high resolutions, where memory is short (ProGAN, appendix A.1)."""


class ProGAN:
    """A progressively grown model of images, without text: only its sizes to say.

    A thin layer over runs: what it trains is a run folder like every other, with its log, samples
    and checkpoints; `t2f export` makes a bundle of it.

    Example:
        >>> from t2f_train.progan import ProGAN
        >>> gan = ProGAN(depth=5, feature_size=96)
        >>> gan.image_size
        64
        >>> gan.train("photos", out="runs/photos")  # doctest: +SKIP
        >>> pictures = gan.sample(16, seed=7)  # doctest: +SKIP

    Args:
        depth: Number of resolutions, from 4x4 pixels on: 5 draws 64x64 pixels, 9 draws 1024x1024.
        feature_size: Features of the layers up to 32x32 pixels, half of them at 64x64, a quarter
            at 128x128 and so on; also the length of the latent.
        settings: Settings that shall be other than in the preset `progan`, as a TOML file has
            them: `{"optimiser": {"learning_rate": 0.001}}`. `phases` are given all or none.

    Raises:
        ArgumentError: If a size is no whole number, or out of range.
        ConfigError: If a setting is misspelt or out of range, or the phases have another depth.

    Attributes:
        config: The whole configuration, as a run records it.
    """

    def __init__(
        self, *, depth: int, feature_size: int, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.config = progan_config(depth, feature_size, settings)
        self._run: Path | None = None

    @classmethod
    def load(cls, run: str | Path) -> "ProGAN":
        """Opens a run to sample from it, or to train it on.

        Args:
            run: The run folder of a model without text, made by `train` or by `t2f train`.

        Raises:
            RunError: If it holds no run, or one whose model draws from descriptions.
        """
        folder = RunFolder(Path(run))
        config = folder.read_record().config
        if config.is_conditional:
            raise RunError(
                f"{folder.path} draws from descriptions; draw from it with: "
                f"t2f export {folder.path} -o BUNDLE, then t2f generate BUNDLE"
            )
        gan = cls(
            depth=config.phases[-1].depth + 1,
            feature_size=config.model.channel_maximum,
            settings=config.to_dict(),
        )
        gan._run = folder.path
        return gan

    @property
    def image_size(self) -> int:
        """Height and width of the finished model's pictures, in pixels."""
        return self.config.resolution

    @property
    def run(self) -> Path | None:
        """The run folder that `sample` draws from; None before anything is trained."""
        return self._run

    def train(
        self,
        data: str | Path,
        *,
        out: str | Path,
        device: str = "cpu",
        cache: str | Path | None = None,
        reporter: Reporter | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Grows the model on a folder of images; called again, continues an interrupted run.

        Args:
            data: The images (.jpg, .jpeg, .png or .webp, in folders or not), of any sizes from
                that of the model's pictures on; the largest square at the centre is learnt.
            out: The run folder.
            device: A device of torch: `cpu`, `cuda`, `cuda:1`.
            cache: Folder for decoded images; None takes the one that `t2f train` takes.
            reporter: Is told how the run goes on; None shows it as `t2f train` does.
            stop: Set from another thread, saves and stops the run. An interrupted one goes on
                from its last checkpoint.

        Raises:
            DataError: If images are broken, too small, or fewer than a batch.
            RunError: If `out` holds another run, or cannot be written.
            DivergedError: If a loss or a weight stops being finite.
        """
        shown = ProgressReporter(Schedule(self.config.phases), self.config.channels)
        with nullcontext(reporter) if reporter else shown as telling:
            run = prepare_run(
                self.config,
                data=Path(data),
                out=Path(out),
                cache=Path(cache) if cache else cache_folder(),
                device=open_device(device),
                reporter=telling,
            )
            self._run = Path(out)
            run.train(stop or threading.Event())

    def sample(self, count: int, *, seed: int = 0, device: str = "cpu") -> Pictures:
        """Draws pictures with the averaged weights of the run's latest checkpoint.

        Args:
            count: How many.
            seed: 0 to 2**64 - 1; equal seeds draw equal pictures, the same as
                `t2f generate BUNDLE --seed SEED --count COUNT` draws from the exported run.
            device: A device of torch.

        Returns:
            Shape `(count, side, side, 3)`, uint8, RGB. The side is `image_size`, or that of the
            phase where an unfinished run stands.

        Raises:
            ArgumentError: If the count or the seed is out of range.
            RunError: If nothing is trained yet.
        """
        count = check_whole_number("count", count, least=1)
        seed = check_whole_number("seed", seed)
        if self._run is None:
            raise RunError(
                "this model is not trained yet: call train, or open a run with ProGAN.load(RUN)"
            )
        artist = open_run(self._run, open_device(device)).artist
        return artist.draw([""] * count, seed=seed, indices=range(count))


def progan_config(
    depth: int, feature_size: int, settings: Mapping[str, Any] | None = None
) -> Config:
    """The configuration of a ProGAN: the preset `progan` in other sizes.

    Args:
        depth: Number of resolutions, as in `ProGAN`.
        feature_size: Features, as in `ProGAN`.
        settings: What shall be other than in the preset, as in `ProGAN`.

    Raises:
        ArgumentError: If a size is no whole number, or out of range.
        ConfigError: If a setting is misspelt or out of range, or the phases have another depth.
    """
    depth = check_whole_number("depth", depth, largest=LARGEST_DEPTH, least=1)
    feature_size = check_whole_number("feature_size", feature_size, largest=2**16, least=1)
    plain = load_config(PRESET).to_dict()
    plain["phases"] = _phases(plain["phases"], depth)
    plain["model"] |= {
        "noise_size": feature_size,
        "channel_maximum": feature_size,
        "channel_base": FULL_WIDTH_PIXELS * feature_size,
    }
    for name, value in (settings or {}).items():
        has_parts = isinstance(value, Mapping) and isinstance(plain.get(name), Mapping)
        plain[name] = {**plain[name], **value} if has_parts else value
    config = config_from_dict(plain, source="the settings of the ProGAN")
    _check_is_progan(config, depth)
    return config


def _phases(preset: Sequence[dict[str, Any]], depth: int) -> list[dict[str, Any]]:
    """The preset's phases up to a depth; deeper ones are like its last, in smaller batches."""
    phases = list(preset[:depth])
    for level in range(len(phases), depth):
        side = 4 << level
        batch_size = SMALLER_BATCHES.get(side, preset[-1]["batch_size"])
        phases.append({**preset[-1], "resolution": side, "batch_size": batch_size})
    return phases


def _check_is_progan(config: Config, depth: int) -> None:
    if config.is_conditional:
        raise ConfigError(
            f"text.encoder is {config.text.encoder!r}, but a ProGAN draws without text; leave it "
            f"out, or train with: t2f train"
        )
    if config.phases[-1].depth + 1 != depth:
        raise ConfigError(
            f"the phases end at {config.resolution} pixels, but depth {depth} is "
            f"{2 << depth} pixels; let both say the same"
        )
