"""For which GPUs TensorRT for RTX builds engines ahead of time, and why not for the others."""

import re
from typing import Final

from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.manifest import Precision
from t2f_runtime.engines.choice import RTX_TARGETS

_THERE = "builds its own with TensorRT; run there: t2f engine BUNDLE --flavour tensorrt"

_REFUSED: Final = {
    "sm_87": f"a Jetson Orin {_THERE}",
    "sm_101": f"a Jetson Thor {_THERE}",
    "sm_110": f"a Jetson Thor {_THERE}",
    "sm_90": f"a Hopper {_THERE}",
    "sm_100": f"a Blackwell of a data centre {_THERE}",
    "sm_103": f"a Blackwell of a data centre {_THERE}",
}
_OLDEST = 75

_FP8_TARGETS: Final = ("sm_89", "sm_120", "sm_121")


def parse_targets(text: str) -> tuple[str, ...]:
    """Reads a list of compute capabilities, such as `sm_86,sm_120`.

    Raises:
        EngineBuildError: One is misspelt or given twice, or TensorRT for RTX does not serve it.
    """
    targets = tuple(part.strip() for part in text.split(","))
    for target in targets:
        check_target(target)
    if len(set(targets)) != len(targets):
        raise EngineBuildError(f"--for {text} names a compute capability twice")
    return targets


def check_target(target: str) -> None:
    """Refuses a compute capability that TensorRT for RTX builds no engines for.

    Raises:
        EngineBuildError: With the reason, and what to do instead.
    """
    if target in RTX_TARGETS:
        return
    if re.fullmatch(r"sm_[0-9]{2,3}", target) is None:
        raise EngineBuildError(
            f"--for takes compute capabilities such as sm_86 or sm_86,sm_120, not {target!r}; "
            "NVIDIA's list of CUDA GPUs has every card's (8.6 is sm_86)"
        )
    reason = _REFUSED.get(target, "this T2F does not know it")
    if int(target.removeprefix("sm_")) < _OLDEST:
        reason = "a GPU older than Turing draws with ONNX Runtime"
    raise EngineBuildError(
        f"TensorRT for RTX builds for {', '.join(RTX_TARGETS)}, not for {target}: {reason}"
    )


def check_precision(target: str, precision: Precision, what: str) -> None:
    """Refuses, before anything is built, what the builder would refuse in its own words.

    Args:
        target: One of `RTX_TARGETS`.
        precision: Precision of the network.
        what: What errors call the network.

    Raises:
        EngineBuildError: The GPUs of that compute capability do not run it.
    """
    if precision == "float32" and target == "sm_75":
        raise EngineBuildError(
            f"{what} is float32, which TensorRT for RTX does not multiply on {target} (Turing); "
            "give a bundle with float16 and --precision float16, or leave sm_75 out"
        )
    if precision == "fp8" and target not in _FP8_TARGETS:
        raise EngineBuildError(
            f"{what} is fp8, which {target} does not have; these have it: {', '.join(_FP8_TARGETS)}"
        )
