"""The names of the engines, and the order in which "auto" tries them."""

from typing import Final, Literal

from t2f_runtime.bundle.engine_index import Flavour
from t2f_runtime.bundle.manifest_fields import Precision

EngineName = Literal[
    "tensorrt", "tensorrt-rtx", "onnx-cuda", "onnx-tensorrt", "onnx-cpu", "openvino"
]
"""What can run a bundle's networks."""

AUTO: Final = "auto"
"""Takes the first of `AUTO_ORDER` that works; as a precision, the first of `AUTO_PRECISIONS`."""

AUTO_ORDER: Final[tuple[EngineName, ...]] = (
    "tensorrt",
    "tensorrt-rtx",
    "onnx-cuda",
    "onnx-cpu",
    "openvino",
)
"""Fastest first. TensorRT for RTX comes after TensorRT, which was timed on the very GPU. OpenVINO
comes last, though it may draw faster than ONNX Runtime: it starts later and takes more memory.
"onnx-tensorrt" is left out, because it builds its engines when it loads, which takes minutes."""

FLAVOURS: Final[dict[EngineName, Flavour]] = {"tensorrt": "tensorrt", "tensorrt-rtx": "rtx"}
"""The engines that run what `t2f engine` built, and the library of each."""

PROVIDERS: Final[dict[EngineName, str]] = {
    "onnx-cuda": "CUDAExecutionProvider",
    "onnx-tensorrt": "TensorrtExecutionProvider",
}
"""The engines that are ONNX Runtime on a GPU, and what it calls each."""

CPU_ENGINES: Final[tuple[EngineName, ...]] = ("onnx-cpu", "openvino")
"""The engines that need no GPU."""

AUTO_PRECISIONS: Final[dict[EngineName, tuple[Precision, ...]]] = {
    "tensorrt": ("float16", "float32"),
    "tensorrt-rtx": ("float16", "float32"),
    "onnx-cuda": ("float16", "float32"),
}
"""What "auto" takes as the precision, best first; `float32` where an engine is not listed. float16
halves the work of a GPU, and draws what float32 draws to a level or two. int8 and fp8 can be seen
to draw otherwise, so they are taken only by name. A processor has nothing faster than float32; and
TensorRT as a provider of ONNX Runtime may compute in float16 what the float16 networks keep in
float32 on purpose."""
