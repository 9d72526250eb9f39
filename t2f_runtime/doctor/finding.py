"""What the doctor finds: facts, and what is wrong with the command that repairs it."""

from typing import Literal

import msgspec

Verdict = Literal["ok", "note", "warning", "broken"]
"""`ok` is as it should be; `note` is how it is; a `warning` is wrong, and drawing works all the
same; what is `broken` prevents drawing."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    topic: str
    """What it belongs to: `installed`, `engines`, `nvidia`, `jetson`, `machine`, `bundle`."""
    subject: str
    """What was looked at."""
    verdict: Verdict
    """How it is."""
    text: str
    """What was found."""
    repair: str | None = None
    """What to do about it; None where nothing has to be done."""
