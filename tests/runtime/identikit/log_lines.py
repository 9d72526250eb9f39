"""Lines of logs, to be read and rewritten."""

import json
from datetime import datetime, timedelta, timezone

NOON = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))


class Clock:
    """A second passes from each line to the next."""

    def __init__(self):
        self.time = NOON

    def __call__(self):
        self.time += timedelta(seconds=1)
        return self.time


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def rewrite(path, edit):
    """Edits the list of lines, each with its newline."""
    lines = path.read_bytes().splitlines(keepends=True)
    edit(lines)
    path.write_bytes(b"".join(lines))


def remove(*places):
    def edit(lines):
        for place in sorted(places, reverse=True):
            del lines[place - 1]

    return edit


OPERATORS = [
    ("x" * 257, "the operator has 257 characters; 256 are the most"),
    ("officer \ud800", "the operator holds a lone surrogate"),
    (1147, "the operator must be text .*, not 1147"),
]
