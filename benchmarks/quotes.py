"""Numbers that README and docs quote: read from the JSON, so that they cannot drift.

In Markdown a quoted number stands between two comments, which no reader sees:

    a process has its first face <!-- bench: first-face -->0.5 s<!-- /bench --> after it starts

`report.py` writes it, and a test compares it with what the JSON says.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = re.compile(r"<!-- bench: (?P<key>[\w-]+) -->(?P<text>.*?)<!-- /bench -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Quote:
    """One number."""

    script: str
    """Whose JSON has it."""
    written: Callable[[Mapping[str, Any]], str]
    """How it is written, from that JSON."""


def _row(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    row: Mapping[str, Any] = next(row for row in content["rows"] if row["name"] == name)
    return row


def _takes(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda content: f"{_row(content, name)['t2f_takes']['median']:.2f}"


OPENVINO = "T2F's graphs in OpenVINO"

QUOTES: dict[str, Quote] = {
    "first-face": Quote(
        "start_up", lambda c: f"{_row(c, 'T2F, first face')['ms']['median'] / 1e3:.1f} s"
    ),
    "first-face-torch": Quote(
        "start_up", lambda c: f"{_row(c, 'torch, first face')['ms']['median'] / 1e3:.1f} s"
    ),
    "first-face-share": Quote("start_up", lambda c: f"{c['t2f_takes_of_torch']['median']:.2f}"),
    "first-face-memory": Quote(
        "start_up", lambda c: f"{_row(c, 'T2F, first face')['peak_mib']:.0f} MiB"
    ),
    "installed": Quote("start_up", lambda c: f"{_row_of_sizes(c, 'T2F'):.0f} MiB"),
    "installed-torch": Quote("start_up", lambda c: f"{_row_of_sizes(c, 'torch'):.0f} MiB"),
    "face-ms": Quote("peers", lambda c: f"{_row(c, 'T2F in ONNX Runtime')['ms']['median']:.0f} ms"),
    "of-peer": Quote("peers", _takes("pro-gan-pth 1.3.3.3 and a torch LSTM")),
    "of-eager": Quote("peers", _takes("torch, eager")),
    "of-plain-export": Quote("peers", _takes("plain torch.onnx export in ONNX Runtime")),
    "of-openvino": Quote("peers", _takes(OPENVINO)),
    "of-openvino-processor": Quote(
        "peers",
        lambda c: f"{_row(c, OPENVINO)['t2f_takes_processor']['median']:.2f}",
    ),
    "of-convolutions-openvino": Quote("peers", _takes("T2F's convolutions in OpenVINO")),
    "of-convolutions": Quote("peers", _takes("T2F's convolutions in ONNX Runtime")),
    "over-floor": Quote("roofline", lambda c: f"{c['over_floor']['median']:.2f}"),
    "over-own-floor": Quote("roofline", lambda c: f"{c['over_own_floor']['median']:.1f}"),
    "own-floor-ms": Quote("roofline", lambda c: f"{c['own_floor_ms']['median']:.0f} ms"),
    "product-ms": Quote("roofline", lambda c: _kind_ms(c, "product")),
    "tiles-ms": Quote("roofline", lambda c: _kind_ms(c, "tiles")),
    "moving-ms": Quote("roofline", lambda c: _kind_ms(c, "moving")),
    "passes-ms": Quote("roofline", lambda c: _kind_ms(c, "norm", "other")),
    "python-and-numpy": Quote(
        "start_up", lambda c: f"{_row(c, 'python and numpy alone')['ms']['median']:.0f} ms"
    ),
}
"""By the word in the comment."""


def _kind_ms(content: Mapping[str, Any], *kinds: str) -> str:
    """Milliseconds that all layers spend in some kinds of nodes."""
    spent = sum(row["kinds_ms"][kind] for row in content["layers"] for kind in kinds)
    return f"{spent:.0f} ms"


def _row_of_sizes(content: Mapping[str, Any], name: str) -> float:
    return float(next(row["mib"] for row in content["sizes"] if row["name"] == name))


def refreshed(text: str, contents: Mapping[str, Mapping[str, Any]], *, source: str) -> str:
    """The text with every quoted number as the JSON has it.

    Args:
        text: Markdown.
        contents: The JSON by script.
        source: What errors call the text.

    Raises:
        ValueError: If a word stands for no number, or its number was never measured.
    """

    def fresh(found: re.Match[str]) -> str:
        key = found["key"]
        quote = QUOTES.get(key)
        if quote is None:
            raise ValueError(f"{source} quotes {key!r}; benchmarks/quotes.py knows no such number")
        if quote.script not in contents:
            raise ValueError(
                f"{source} quotes {key!r} of {quote.script}.json, which is missing; run: "
                f"python benchmarks/{quote.script}.py"
            )
        return f"<!-- bench: {key} -->{quote.written(contents[quote.script])}<!-- /bench -->"

    return MARK.sub(fresh, text)


def pages(root: Path) -> list[Path]:
    """All Markdown of the repository that may quote numbers."""
    found = [root / "README.md", root / "benchmarks" / "results.md"]
    return [*found, *sorted((root / "docs").rglob("*.md"))]
