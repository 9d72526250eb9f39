"""The error of an engine that cannot run on this machine."""

from t2f_runtime.errors import EngineError


class UnavailableEngineError(EngineError):
    """An engine cannot run on this machine, whatever the bundle.

    Args:
        reason: Why not.
        repair: What to do about it, as an instruction.
    """

    def __init__(self, reason: str, repair: str) -> None:
        super().__init__(reason, repair)
        self.reason = reason
        self.repair = repair

    def __str__(self) -> str:
        return f"{self.reason}; {self.repair}"
