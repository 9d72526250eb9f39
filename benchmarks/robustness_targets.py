"""What is fuzzed: a target takes bytes from anybody, and may raise a T2FError and nothing else."""

import os
import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from robustness_bundles import (
    WORD_PIECES,
    WORDS,
    archive_target,
    bundle_target,
    engine_target,
    key_target,
    manifest_target,
    network_target,
    signature_target,
    tokenizer_target,
)
from robustness_cases import case_bytes, exercise_case, expect, log_bytes
from robustness_mutation import spoil_bytes, spoil_json
from robustness_serve import serve_target
from robustness_target import TINY_BUNDLE, Target, spoil_json_or_bytes

from t2f_runtime import FaceGenerator, T2FError
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import (
    TOKENIZER,
)
from t2f_runtime.bundle.packing import pack_bundle
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.identikit import CaseLog, load_case, repair_log, save_case, verify_log
from t2f_runtime.identikit.case_file import decode_case, encode_case
from t2f_runtime.pictures.files import save_picture
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.text.whole_words import encode_vocabulary

DESCRIPTIONS = (
    "a smiling woman with grey hair",
    "A bald man with a beard, glasses, and a scar on the left cheek.",
    "Une vieille dame aux cheveux frisés",
    "Ein Mann mit Schnurrbart; große Nase",
    "笑っている若い女性",
    "رجل عجوز بلحية",
    "смуглый мальчик",
    "👩🏽‍🦳 👴 👧",
    "ﬁne ½ Ⅷ \uff38 İstanbul ΌΣΟΣ",
    "e\u0301\u0323 \u202eright to left\u202c \u200b\ufeff",
    " ".join(["very"] * 200),
)
_ODD_CHARACTERS = "\0\t\n\r\x1b\x7f\x85\xa0\u0301\u0345\u200b\u200d\u2028\u202e\ud800\udfff\ufdfa"
_ODD_CHARACTERS += "\ufeff\ufffd\uffff\U0001f469\U000e0001\U0010ffff"


def make_target(name: str, folder: Path) -> Target:
    """Makes a target.

    Args:
        name: One of `TARGETS`.
        folder: Where it keeps its files; it is its alone.

    Raises:
        T2FError: It needs a package that is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return TARGETS[name](folder)


@lru_cache(1)
def _generator() -> FaceGenerator:
    return FaceGenerator.load(TINY_BUNDLE, engine="onnx-cpu", threads=1)


def _text(_: Path) -> Target:
    """Descriptions, to each of the three tokenizers and to a picture."""
    generator = _generator()
    model = (TINY_BUNDLE / TOKENIZER).read_bytes()
    tokenizers = (
        Tokenizer(model, maximum_tokens=64),
        Tokenizer(WORD_PIECES.encode(), kind="wordpiece", maximum_tokens=64),
        Tokenizer(encode_vocabulary(WORDS[:4]), kind="words", maximum_tokens=64),
    )

    def check(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        for tokenizer in tokenizers:
            with suppress(T2FError):
                _check_tokens(tokenizer, text)
        generator.read(text)
        picture = generator.generate(text, seed=len(data))
        expect(picture.shape == (8, 8, 3))

    seeds = [text.encode() for text in DESCRIPTIONS]
    return Target("text", lambda chance: _spoil_text(chance, seeds), check, seeds)


def _check_tokens(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.tokens(text)
    expect(tokens.dtype == np.int64)
    expect(0 < len(tokens) <= tokenizer.maximum_tokens)
    expect(bool(tokens.min() >= 0) and bool(tokens.max() < tokenizer.vocabulary_size))
    expect(tokenizer.padding_token not in tokens)


def _spoil_text(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    data = chance.choice(seeds)
    kind = chance.randrange(4)
    if kind == 0:
        return spoil_bytes(chance, data, seeds)
    text = data.decode()
    if kind == 1:  # any characters, unassigned ones and surrogates among them
        text = "".join(chr(chance.randrange(0x110000)) for _ in range(chance.randrange(80)))
    elif kind == 2:
        place = chance.randrange(len(text))
        times = chance.choice((1, 1, 2, 100, 4096))
        text = text[:place] + chance.choice(_ODD_CHARACTERS) * times + text[place:]
    else:
        text = "".join(chance.choices((*text, *_ODD_CHARACTERS, " "), k=chance.randrange(5000)))
    # Surrogates become bytes that are no UTF-8, and those become surrogates again.
    return text.encode("utf-8", "surrogatepass")


def _case(_: Path) -> Target:
    """Case files; what is read is gone on with as a session."""
    generator = _generator()
    seeds = [case_bytes(generator, is_long=is_long) for is_long in (False, True)]

    def check(data: bytes) -> None:
        found = decode_case(data)
        expect(decode_case(encode_case(found.case, found.log)) == found)
        exercise_case(found.case, generator)

    return Target("case", lambda chance: spoil_json_or_bytes(chance, seeds), check, seeds)


def _log(folder: Path) -> Target:
    """Logs of cases, verified and repaired."""
    seeds = [log_bytes(_generator(), folder / "case.log")]
    path = folder / "x.log"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        report = verify_log(path)
        expect(repair_log(path) == report.torn_bytes)
        expect(verify_log(path).torn_bytes == 0)

    def spoil(chance: random.Random) -> bytes:
        lines = seeds[0].splitlines(keepends=True)
        if chance.random() < 0.5:
            return spoil_bytes(chance, seeds[0])
        place = chance.randrange(len(lines))
        changed = chance.choice((b"", lines[place] * 2, spoil_json(chance, lines[place]) + b"\n"))
        return b"".join((*lines[:place], changed, *lines[place + 1 :]))

    return Target("log", spoil, check, seeds)


def _path(folder: Path) -> Target:
    """Paths that cannot be, to everything that reads from one or writes to one."""
    seeds = [b"face.t2f", b"a/b/../c", b"x" * 300, b"a\0b", b"dev/null", b"\xff\xfe", b"~"]
    case = decode_case(case_bytes(_generator(), is_long=False)).case
    picture = Image.new("RGB", (8, 8))
    calls: tuple[Callable[[Path], object], ...] = (
        Bundle.open,
        PublicKey.read,
        load_case,
        verify_log,
        repair_log,
        lambda path: pack_bundle(TINY_BUNDLE, path),
        lambda path: save_case(path, case),
        lambda path: save_picture(picture, path.with_name(f"{path.name}.png"), notes={}),
        CaseLog.open,
    )

    def check(data: bytes) -> None:
        name = os.fsdecode(data).replace("..", "").lstrip("/")
        refused: list[T2FError] = []
        for number, call in enumerate(calls):
            try:
                call(folder / str(number) / name)
            except T2FError as error:  # noqa: PERF203 (the next one is asked all the same)
                refused.append(error)
        for number in range(len(calls)):
            shutil.rmtree(folder / str(number), ignore_errors=True)
        if refused:
            raise refused[-1]

    return Target(
        "path", lambda chance: spoil_bytes(chance, chance.choice(seeds), seeds), check, seeds
    )


TARGETS: dict[str, Callable[[Path], Target]] = {
    "text": _text,
    "manifest": manifest_target,
    "bundle": bundle_target,
    "archive": archive_target,
    "network": network_target,
    "engine": engine_target,
    "tokenizer": tokenizer_target,
    "signature": signature_target,
    "key": key_target,
    "case": _case,
    "log": _log,
    "path": _path,
    "serve": lambda folder: serve_target(folder, _generator()),
}
"""Every target, by its name."""

NEED_CRYPTOGRAPHY = frozenset({"signature", "key"})
"""Those of them that need the extra `signing`."""
