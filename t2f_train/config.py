"""The configuration of a training run: frozen values that refuse nonsense, read from TOML."""

import sys
from collections.abc import Sequence
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from t2f_runtime.text.tokenizer import TokenizerKind
from t2f_train.data.readers import ReaderName
from t2f_train.errors import ConfigError
from t2f_train.overrides import apply_overrides

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Positive = Annotated[int, msgspec.Meta(gt=0)]
LossName = Literal["wgan-gp", "logistic-r1", "hinge"]
"""Losses that can be trained with."""

EncoderName = Literal["lstm", "minilm", "none"]
"""What reads the descriptions; `none` makes a model that draws without any."""

Augmentation = Literal["colour", "translation", "cutout"]
"""What DiffAugment does to every image that the discriminator sees."""

Precision = Literal["float32", "bfloat16", "float16"]
"""Type that the networks compute in; the weights themselves stay float32."""

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Decay = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Weight = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
Images = Annotated[int, msgspec.Meta(gt=0, le=10**9)]


class DataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where faces come from."""

    reader: ReaderName
    """The layout of the data folder."""
    crop: tuple[int, int, int, int] | None = None
    """Square of the photograph to keep: left, top, right, bottom, in its pixels; None takes the
    largest square at its centre."""
    licence: str | None = None
    """Terms of the data, carried into every bundle that is made from it."""
    held_out: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.0
    """Share of the images, chosen by a hash of their names, that training never sees and that
    `t2f evaluate` compares with."""
    horizontal_flips: bool = False
    """Whether half of the images are mirrored; not for descriptions that say left or right."""


class TextSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tokeniser and the text encoder."""

    encoder: EncoderName = "lstm"
    """`lstm` is trained with the discriminator; `minilm` is a frozen pretrained sentence encoder;
    with `none` there is no text at all: a ProGAN on its own."""
    vocabulary_size: Annotated[int, msgspec.Meta(ge=300)] = 1000
    """Most tokens of the tokeniser; 259 of them are the bytes and the special ones. Little text
    gives fewer; `minilm` has a vocabulary of its own."""
    maximum_tokens: Annotated[int, msgspec.Meta(ge=8, le=512)] = 128
    """Tokens of a description that are read; training cuts longer ones here."""
    embedding_size: Positive = 128
    """Length of a token's embedding; of `lstm`."""
    sentence_size: Positive = 256
    """Length of the sentence embedding psi; of `lstm`, while `minilm` has 384."""

    @property
    def tokenizer_kind(self) -> TokenizerKind:
        """How the text encoder's descriptions are cut into tokens."""
        return "wordpiece" if self.encoder == "minilm" else "sentencepiece"


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of the generator and the discriminator."""

    condition_size: Positive = 128
    """Length of the condition, the description's part of the latent."""
    noise_size: Positive = 128
    """Length of the noise, the other part of the latent."""
    compressed_size: Positive = 128
    """Length to which the discriminator compresses the sentence embedding."""
    channel_base: Positive = 4096
    """Feature channels at resolution r are `channel_base / r`, and at most `channel_maximum`
    (ProGAN, arXiv:1710.10196, table 2, has 16384 and 512)."""
    channel_maximum: Positive = 256
    """Most feature channels at any resolution."""

    def channels_at(self, resolution: int) -> int:
        """Feature channels at a resolution whose phase does not choose its own."""
        return max(1, min(self.channel_maximum, self.channel_base // resolution))


class OptimiserSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Losses and optimiser."""

    learning_rate: Annotated[float, msgspec.Meta(gt=0.0, le=1e6)] = 0.001
    """Adam's step for both networks (ProGAN, appendix A.1)."""
    adam_betas: tuple[Decay, Decay] = (0.0, 0.99)
    """Adam's decay of the first and second moment (ProGAN, appendix A.1)."""
    loss: LossName = "wgan-gp"
    """What both networks minimise; see `t2f_train.losses`."""
    penalty: Weight = 10.0
    """Weight of the loss's penalty: for `wgan-gp` lambda (arXiv:1704.00028, section 4), for
    `logistic-r1` and `hinge` gamma / 2 at 32x32 pixels, growing with the number of pixels
    (as the heuristic of StyleGAN2-ADA's code, arXiv:2006.06676)."""
    penalty_interval: Positive = 1
    """Steps from one penalty to the next. Above 1 it is lazy regularisation (StyleGAN2,
    arXiv:1912.04958, appendix B): the penalty is an update of its own and weighs that much more,
    and the discriminator's Adam is slowed by k / (k + 1) for the more updates that it takes."""
    unconditional: Weight = 0.0
    """Weight of a second head, which judges images without their descriptions (StackGAN++,
    arXiv:1710.10916, section 3.2). Images without a description train it alone."""
    augmentations: tuple[Augmentation, ...] = ()
    """What is done to every image that the discriminator sees, real or drawn: any of `colour`,
    `translation` and `cutout` (DiffAugment, arXiv:2006.10738)."""
    drift: Weight = 0.001
    """Weight of the drift term (ProGAN, appendix A.1)."""
    condition_divergence: Weight = 0.02
    """Weight of the condition's divergence, in nats, in the generator's loss. StackGAN's code
    weighs the average over 128 dimensions by 2, which is 0.016 of the sum that is used here."""
    ema_half_life: Positive = 10_000
    """Images over which the averaged weights forget half of what they were; fewer in the first
    images of a phase, whose new layers start from chance."""


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run writes while it trains, counted in images seen."""

    log_every: Positive = 1_000
    """Images between two lines of metrics.jsonl."""
    sample_every: Positive = 10_000
    """Images between two sample sheets."""
    checkpoint_every: Positive = 20_000
    """Images between two checkpoints."""
    evaluate_every: Positive | None = None
    """Images between two evaluations, whose numbers join the log; None evaluates never."""
    frames: Positive = 96
    """Frames of the time-lapse, evenly spread over the run."""
    truncation: Share = 1.0
    """Factor of the noise on sample sheets and frames: 1 draws as the model was trained, less
    draws faces that are more usual and less varied."""


class ComputeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the networks are computed."""

    precision: Precision = "float32"
    """`bfloat16` and `float16` compute what is safe in half the bits; `float16` scales its loss."""
    channels_last: bool = False
    """Whether images lie in memory pixel by pixel, which tensor cores want."""
    compile: bool = False
    """Whether `torch.compile` fuses the networks; the first steps of every phase take longer."""


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of progressive growing: train at one resolution, fading its layers in first."""

    resolution: int
    """Side of the images in this phase, in pixels: a power of two."""
    images: Images
    """Real images that the discriminator sees in this phase, rounded up to whole batches."""
    batch_size: Annotated[int, msgspec.Meta(ge=2, le=65536)]
    """Images of one step; 2 or more, since each image needs somebody else's description."""
    fade_fraction: Share = 0.85
    """Share of `images` over which the new layers' weight grows from 0 to 1; the first phase has
    nothing to fade from."""
    channels: Positive | None = None
    """Feature channels at this resolution; None takes those of `model`."""

    def __post_init__(self) -> None:
        if not 4 <= self.resolution <= 1024 or self.resolution & (self.resolution - 1):
            raise ValueError(
                f"resolution is {self.resolution}; it must be a power of two from 4 to 1024"
            )

    @property
    def depth(self) -> int:
        """Depth of the networks: 0 for 4x4 pixels, 1 for 8x8 and so on."""
        return self.resolution.bit_length() - 3


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides how a run trains, but for the data itself."""

    data: DataSettings
    phases: tuple[Phase, ...]
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    """Decides the initial weights, the order of the data and all noise."""
    text: TextSettings = TextSettings()
    model: ModelSettings = ModelSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    output: OutputSettings = OutputSettings()
    compute: ComputeSettings = ComputeSettings()

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases is empty; a run needs one [[phases]] table at least")
        for before, after in pairwise(self.phases):
            if after.resolution != 2 * before.resolution:
                raise ValueError(
                    f"a phase of {after.resolution} pixels follows one of {before.resolution}; "
                    f"each phase must double the resolution of the one before"
                )
        # The first phase has nothing to fade from.
        for before, after in pairwise(self.phases[1:]):
            if after.fade_fraction < before.fade_fraction:
                raise ValueError(
                    f"fade_fraction falls from {before.fade_fraction} at {before.resolution} "
                    f"pixels to {after.fade_fraction} at {after.resolution}; it must rise or stay"
                )
        if self.text.encoder == "none" and self.output.truncation != 1.0:
            raise ValueError(
                "output.truncation goes towards the mean face of a description, but text.encoder "
                "is 'none'; leave it at 1"
            )
        if self.text.encoder == "none" and self.optimiser.unconditional:
            raise ValueError(
                "optimiser.unconditional weighs a second head beside the description's, but "
                "text.encoder is 'none', whose one head sees no description; leave it at 0"
            )

    @property
    def resolution(self) -> int:
        """Side of the finished model's images, in pixels."""
        return self.phases[-1].resolution

    @property
    def is_conditional(self) -> bool:
        """Whether the model draws from descriptions."""
        return self.text.encoder != "none"

    @property
    def condition_size(self) -> int:
        """Length of the condition: 0 for a model without text."""
        return self.model.condition_size if self.is_conditional else 0

    @property
    def channels(self) -> tuple[int, ...]:
        """Feature channels at 4, 8, … `resolution` pixels."""
        chosen = {p.resolution: p.channels for p in self.phases if p.channels is not None}
        sides = [4 << level for level in range(self.resolution.bit_length() - 2)]
        return tuple(chosen.get(side, self.model.channels_at(side)) for side in sides)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain dictionaries, lists, strings and numbers."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def config_from_dict(plain: object, *, source: str) -> Config:
    """Checks plain data against the configuration's schema.

    Args:
        plain: Tables as TOML or JSON give them.
        source: Where they come from, for the error.

    Raises:
        ConfigError: With the path of the first setting that is wrong.
    """
    try:
        return msgspec.convert(plain, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}; docs/training.md lists every setting") from error


def preset_names() -> list[str]:
    """Names of the configurations that come with T2F."""
    folder = resources.files("t2f_train") / "presets"
    names = [entry.name for entry in folder.iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_config(name_or_path: str, overrides: Sequence[str] = ()) -> Config:
    """Reads a preset by its name, or a configuration by the path of its file.

    Args:
        name_or_path: The preset, a TOML file, or the `run.json` of a run.
        overrides: Changes to it, each `KEY=VALUE`; see `t2f_train.overrides`.

    Raises:
        ConfigError: If there is neither, the file is not valid, or a change names no setting.
    """
    if name_or_path in preset_names():
        text = (resources.files("t2f_train") / "presets" / f"{name_or_path}.toml").read_text(
            "utf-8"
        )
    else:
        try:
            text = Path(name_or_path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{name_or_path} cannot be read as a configuration ({error}); give a TOML file "
                f"or one of the presets: {', '.join(preset_names())}"
            ) from error
    changed = apply_overrides(_read_tables(text, name_or_path), overrides, Config)
    return config_from_dict(changed, source=" ".join([name_or_path, *overrides]))


class _Record(msgspec.Struct):
    """The one part of a run's `run.json` that is read here."""

    config: dict[str, Any]


def _read_tables(text: str, source: str) -> dict[str, Any]:
    if source.endswith(".json"):
        try:
            return msgspec.json.decode(text, type=_Record).config
        except msgspec.MsgspecError as error:
            raise ConfigError(
                f"{source} holds no configuration: {error}; give a TOML file or the run.json of a "
                f"run"
            ) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {error}") from error
