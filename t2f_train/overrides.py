"""Changes to a configuration from the command line: `--set phases.3.images=40000`."""

import copy
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from t2f_train.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def apply_overrides(plain: dict[str, Any], overrides: Sequence[str], kind: type) -> dict[str, Any]:
    """Replaces settings in the tables of a configuration.

    Args:
        plain: Tables as TOML gives them; left as they are.
        overrides: Each `KEY=VALUE`, where KEY is a dotted path, its numbers counted from 0, and
            VALUE is written as in TOML; a bare word stands for itself.
        kind: The structure that the tables become, which knows the names of all settings.

    Returns:
        The changed tables.

    Raises:
        ConfigError: If a setting does not exist or a value cannot be read; the message names both.
    """
    changed = copy.deepcopy(plain)
    for override in overrides:
        path, is_assignment, value = override.partition("=")
        keys = path.strip().split(".")
        if not is_assignment or not all(keys):
            raise ConfigError(f"--set {override!r} is not KEY=VALUE, such as phases.0.images=40000")
        _assign(changed, keys, read_value(value.strip(), override), kind)
    return changed


def read_value(text: str, override: str) -> object:
    """Reads a value as TOML does; what is no TOML and looks like a word is a string.

    Raises:
        ConfigError: If it is neither.
    """
    try:
        tables = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError as error:
        # A number or a list with a slip in it should not become a string.
        if text and text[0].isalpha() and "\n" not in text:
            return text
        raise ConfigError(f"--set {override!r}: the value is not valid TOML: {error}") from error
    if tables.keys() != {"value"}:
        raise ConfigError(f"--set {override!r} sets more than one thing; give --set for each")
    return tables["value"]


def _assign(plain: dict[str, Any], keys: list[str], value: object, kind: Any) -> None:  # noqa: ANN401
    place: Any = plain
    for depth, key in enumerate(keys):
        if not isinstance(place, (dict, list)):
            whole = ".".join(keys[:depth])
            found = "not set" if place is None else repr(place)
            raise ConfigError(
                f"--set {'.'.join(keys)}: {whole} is {found} and has no parts; set {whole} as a "
                f"whole"
            )
        path = ".".join(keys[: depth + 1])
        is_last = depth == len(keys) - 1
        if isinstance(place, list):
            index = _index(place, key, path)
            kind = kind.__args__[0] if getattr(kind, "__args__", ()) else Any
            if is_last:
                place[index] = value
            place = place[index]
            continue
        setting = _setting(kind, key, path)
        kind = setting.type
        if is_last:
            place[key] = value
        else:
            place = place.setdefault(key, _absent(setting))


def _setting(kind: Any, key: str, path: str) -> msgspec.structs.FieldInfo:  # noqa: ANN401
    """What the schema says of a table's setting."""
    settings = {field.name: field for field in msgspec.structs.fields(kind)}
    if key not in settings:
        raise ConfigError(
            f"--set: there is no setting {path}; there are {', '.join(sorted(settings))}"
        )
    return settings[key]


def _absent(setting: msgspec.structs.FieldInfo) -> object:
    """What a setting is where the tables leave it out, as they would write it."""
    if isinstance(setting.type, type) and issubclass(setting.type, msgspec.Struct):
        return {}
    default = None if setting.required else setting.default
    return list(default) if isinstance(default, tuple) else default


def _index(place: list[Any], key: str, path: str) -> int:
    if not key.isdecimal() or int(key) >= len(place):
        numbers = f"the number of one is 0 to {len(place) - 1}" if place else "there is none yet"
        raise ConfigError(f"--set: {path} names no entry; {numbers}")
    return int(key)
