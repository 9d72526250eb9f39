"""A budget of minutes for the peer's training, and how much of it is spent."""

from collections import Counter
from dataclasses import dataclass, field

SHARES = (6.0, 10.0, 17.0, 31.0, 36.0)
"""Of the time, for 4, 8, 16, 32 and 64 pixels; `peer_celeba.py` says why."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Time, divided among the resolutions."""

    seconds: float
    shares: tuple[float, ...] = SHARES
    """How much of it each resolution gets, in any unit."""
    fade_fraction: float = 0.5
    """Share of a resolution's time over which its layers fade in."""

    def place(self, spent: float) -> tuple[int, float]:
        """Depth and weight of the newest layers after so many seconds; at the end, the last."""
        start = 0.0
        last = len(self.shares) - 1
        for depth, share in enumerate(self.shares):
            length = self.seconds * share / sum(self.shares)
            if spent < start + length or depth == last:
                break
            start += length
        fading = self.fade_fraction * length
        if depth == 0 or spent >= start + fading:
            return depth, 1.0
        return depth, (spent - start) / fading


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    wall: float = 0.0
    """Seconds of training."""
    processor: float = 0.0
    """Seconds of processor time in them, of all threads."""
    steps: Counter[int] = field(default_factory=Counter)
    """Steps taken at each depth."""

    def spent(self, clock: str, threads: int) -> float:
        """Seconds of the budget: of the clock on the wall, or of each thread's processor."""
        return self.wall if clock == "wall" else self.processor / threads

    def images(self, batch_size: int) -> dict[str, int]:
        """Images seen at each resolution."""
        return {str(4 << depth): steps * batch_size for depth, steps in sorted(self.steps.items())}

    def to_dict(self) -> dict[str, float]:
        """Plain numbers."""
        steps = {f"steps_{depth}": float(count) for depth, count in self.steps.items()}
        return {"wall": self.wall, "processor": self.processor, **steps}

    @classmethod
    def from_dict(cls, plain: dict[str, float]) -> "Progress":
        """What `to_dict` gave."""
        names = [name for name in plain if name.startswith("steps_")]
        steps = Counter({int(name.removeprefix("steps_")): int(plain[name]) for name in names})
        return cls(plain["wall"], plain["processor"], steps)
