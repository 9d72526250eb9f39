"""The sides of `peers.py` that run in T2F's own environment, each in a process of its own.

    python benchmarks/peer_sides.py SIDE NETWORK --threads 2

All have the weights of NETWORK (see `networks.py`), T2F's tokeniser and T2F's noise, and give a
picture of bytes: what differs is what computes the networks.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from drawing_side import Draw, serve
from network_files import BUNDLE, PLAIN_ENCODER, PLAIN_GENERATOR, SIZES
from numpy.typing import NDArray

Inside = Callable[[], float]
Opened = tuple[Draw, Inside | None]
"""What draws, and what tells how long its engine has worked, where that is known."""


@dataclass(frozen=True, slots=True)
class Side:
    """One way to run the networks."""

    open: Callable[[Path, int], Opened]
    """From the network's folder and the number of threads."""
    lacks: Callable[[], str | None] = lambda: None
    """Why it cannot run here; None where it can."""
    tolerance: int = 1
    """Levels of 255 by which a value may differ from T2F's picture."""


class TimedSession:
    """A session that adds up how long it works."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 (whatever has `run`)
        self._session = session
        self.seconds = 0.0

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As `Session.run`."""
        start = time.perf_counter()
        outputs: dict[str, NDArray[Any]] = self._session.run(inputs)
        self.seconds += time.perf_counter() - start
        return outputs


def t2f_with(
    engine: Callable[[bytes, int], Any], *, convolves: bool = False
) -> Callable[[Path, int], Opened]:
    """T2F's runtime with an engine of its own choice for both networks.

    Args:
        engine: Opens a network.
        convolves: Whether it is given generator.onnx, as engines on a GPU are, in place of the form
            for processors.
    """

    def opened(folder: Path, threads: int) -> Opened:
        from t2f_runtime.bundle import manifest  # noqa: PLC0415 (one side at a time)
        from t2f_runtime.bundle.bundle import Bundle  # noqa: PLC0415
        from t2f_runtime.bundle.tokenizer import open_tokenizer  # noqa: PLC0415
        from t2f_runtime.generator import FaceGenerator  # noqa: PLC0415

        bundle = Bundle.open(folder / BUNDLE)
        encoder = TimedSession(engine(bundle.read(manifest.TEXT_ENCODER), threads))
        form = manifest.processor_generator(bundle.manifest, "float32")
        file = manifest.GENERATOR if convolves else form
        drawing = TimedSession(engine(bundle.read(file), threads))
        generator = FaceGenerator(
            bundle.manifest,
            tokenizer=open_tokenizer(bundle),
            text_encoder=encoder,
            generator=drawing,
        )
        return (
            lambda text, seed: generator.generate(text, seed=seed),
            lambda: encoder.seconds + drawing.seconds,
        )

    return opened


def onnx_runtime(content: bytes, threads: int) -> Any:  # noqa: ANN401 (a session)
    """The engine of a kiosk without a GPU."""
    from t2f_runtime.sessions.onnx_session import OnnxSession  # noqa: PLC0415

    return OnnxSession(content, threads=threads)


def openvino(content: bytes, threads: int) -> Any:  # noqa: ANN401 (a session)
    """OpenVINO, on the graphs of the bundle."""
    from t2f_runtime.sessions.openvino_session import OpenVinoSession  # noqa: PLC0415

    return OpenVinoSession(content, threads=threads)


def torch_side(form: str, device: str = "cpu") -> Callable[[Path, int], Opened]:
    """T2F's networks in torch.

    Args:
        form: `eager`, `plain` (eager, without what T2F fuses), `compiled`, `frozen` (traced and
            frozen) or `tensorrt` (Torch-TensorRT).
        device: Where they run.
    """

    def opened(folder: Path, threads: int) -> Opened:
        import torch  # noqa: PLC0415 (one side at a time)
        from network_model import load_model  # noqa: PLC0415
        from plain_form import PlainEncoder, PlainGenerator  # noqa: PLC0415

        from t2f_runtime.latent import draw_noise  # noqa: PLC0415
        from t2f_train.conditioning import join_latent, sample_condition  # noqa: PLC0415
        from t2f_train.model import to_pixels  # noqa: PLC0415

        warnings.filterwarnings("ignore")  # torch.jit and the compiler announce their successors
        torch.set_num_threads(threads)
        model, tokenizer, sizes = load_model(folder)
        model.to(device)
        size = model.generator.latent_size

        class Drawn(torch.nn.Module):
            """From latents to pixels."""

            def __init__(self) -> None:
                super().__init__()
                plain = PlainGenerator(model.generator, sizes.depth)
                self.generator = plain if form == "plain" else model.generator

            def forward(self, latent: torch.Tensor) -> torch.Tensor:
                if form == "plain":
                    return to_pixels(self.generator(latent))
                return to_pixels(self.generator(latent, sizes.depth))

        encode: Any = PlainEncoder(model).eval()
        generate: Any = Drawn().eval()
        latent = torch.zeros(1, size, device=device)
        tokens = torch.ones(1, 9, dtype=torch.int64, device=device)
        if form == "compiled":
            generate = torch.compile(generate)
        elif form == "frozen":
            encode, generate = _frozen(encode, tokens), _frozen(generate, latent)
        elif form == "tensorrt":
            generate = importlib.import_module("torch_tensorrt").compile(generate, inputs=[latent])

        @torch.inference_mode()
        def draw(text: str, seed: int) -> NDArray[np.uint8]:
            read = torch.from_numpy(tokenizer.tokens(text)[np.newaxis]).to(device)
            noise = torch.from_numpy(draw_noise(seed, 0, size)[np.newaxis]).to(device)
            mean, log_variance = encode(read)
            epsilon, rest = noise.split([mean.shape[1], size - mean.shape[1]], dim=1)
            condition = sample_condition(mean, log_variance, epsilon)
            picture: NDArray[np.uint8] = generate(join_latent(condition, rest))[0].cpu().numpy()
            return picture

        return draw, None

    return opened


def _frozen(module: Any, example: Any) -> Any:  # noqa: ANN401 (torch is not imported yet)
    import torch  # noqa: PLC0415 (one side at a time)

    with torch.inference_mode():
        traced = torch.jit.trace(module, (example,))  # type: ignore[no-untyped-call]
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def plain_side(provider: str) -> Callable[[Path, int], Opened]:
    """The plain export of both networks in ONNX Runtime, with its settings left as they are.

    Another process exports them: who runs ONNX Runtime has no torch in memory.
    """

    def opened(folder: Path, threads: int) -> Opened:
        from t2f_runtime.bundle.manifest import TOKENIZER  # noqa: PLC0415 (one side at a time)
        from t2f_runtime.latent import draw_latent  # noqa: PLC0415
        from t2f_runtime.text.tokenizer import Tokenizer  # noqa: PLC0415

        longest = json.loads((folder / SIZES).read_text(encoding="utf-8"))["maximum_tokens"]
        vocabulary = (folder / BUNDLE / TOKENIZER).read_bytes()
        tokenizer = Tokenizer(vocabulary, maximum_tokens=longest)
        with tempfile.TemporaryDirectory() as scratch:
            script = Path(__file__).with_name("plain_form.py")
            command = [sys.executable, str(script), str(folder), scratch]
            subprocess.run(command, check=True, stdout=sys.stderr)
            reads, draws = (
                _session((Path(scratch) / file).read_bytes(), threads, provider)
                for file in (PLAIN_ENCODER, PLAIN_GENERATOR)
            )
        size = draws.get_inputs()[0].shape[1]

        def draw(text: str, seed: int) -> NDArray[np.uint8]:
            tokens = tokenizer.tokens(text)[np.newaxis]
            mean, log_variance = reads.run(None, {"tokens": tokens})
            noise_size = size - mean.shape[1]
            latent = draw_latent(
                mean[0], log_variance[0], seed=seed, index=0, noise_size=noise_size
            )
            image = draws.run(None, {"latent": latent[np.newaxis]})[0][0]
            levels = np.clip(image * 127.5 + 128.0, 0.0, 255.0).astype(np.uint8)
            return np.ascontiguousarray(levels.transpose(1, 2, 0))

        return draw, None

    return opened


def t2f_engine(name: str) -> Callable[[Path, int], Opened]:
    """One of T2F's engines for GPUs, as a kiosk loads it, in float32 as all sides are."""

    def opened(folder: Path, threads: int) -> Opened:
        from t2f_runtime import FaceGenerator  # noqa: PLC0415 (one side at a time)

        bundle = folder / BUNDLE
        if name == "tensorrt":
            program = "from t2f_runtime.cli import main; main()"
            words = ["engine", str(bundle), "--flavour", name, "--precision", "float32"]
            subprocess.run([sys.executable, "-c", program, *words], check=True, stdout=sys.stderr)
        generator = FaceGenerator.load(bundle, engine=name, precision="float32", threads=threads)
        return lambda text, seed: generator.generate(text, seed=seed), None

    return opened


def _session(content: bytes, threads: int, provider: str) -> Any:  # noqa: ANN401 (untyped)
    import onnxruntime  # noqa: PLC0415 (one side at a time)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=[provider])
    # It falls back on the CPU without an error.
    if session.get_providers()[0] != provider:
        raise SystemExit(f"ONNX Runtime runs on {session.get_providers()}, not on {provider}")
    return session


def lacks_package(name: str) -> Callable[[], str | None]:
    """Why a side cannot run: its package is not installed."""
    return lambda: None if importlib.util.find_spec(name) else f"{name} is not installed"


def lacks_gpu(*packages: str, with_torch: bool = True) -> Callable[[], str | None]:
    """Why a side cannot run: no NVIDIA GPU, no CUDA in torch, or a package is missing."""

    def lacks() -> str | None:
        if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/nvhost-gpu")):
            return "no NVIDIA GPU"
        missing = [name for name in packages if not importlib.util.find_spec(name)]
        if missing:
            return f"{missing[0]} is not installed"
        if not with_torch:
            return None
        import torch  # noqa: PLC0415 (only where there is a GPU)

        return None if torch.cuda.is_available() else "this torch has no CUDA"

    return lacks


OURS = "T2F in ONNX Runtime"
EAGER = "torch, eager"
PLAIN = "plain torch.onnx export in ONNX Runtime"
OPENVINO = "T2F's graphs in OpenVINO"
CONVOLVED = "T2F's convolutions in ONNX Runtime"
CONVOLVED_OPENVINO = "T2F's convolutions in OpenVINO"

SIDES: dict[str, Side] = {
    OURS: Side(t2f_with(onnx_runtime)),
    OPENVINO: Side(t2f_with(openvino), lacks_package("openvino")),
    CONVOLVED: Side(t2f_with(onnx_runtime, convolves=True)),
    CONVOLVED_OPENVINO: Side(t2f_with(openvino, convolves=True), lacks_package("openvino")),
    PLAIN: Side(plain_side("CPUExecutionProvider")),
    EAGER: Side(torch_side("eager")),
    "torch, eager, plain form": Side(torch_side("plain")),
    "torch.compile": Side(torch_side("compiled")),
    "torch.jit, traced and frozen": Side(torch_side("frozen")),
    "torch, eager, on CUDA": Side(torch_side("eager", "cuda"), lacks_gpu(), tolerance=2),
    "torch.compile on CUDA": Side(torch_side("compiled", "cuda"), lacks_gpu(), tolerance=2),
    "Torch-TensorRT": Side(
        torch_side("tensorrt", "cuda"), lacks_gpu("torch_tensorrt"), tolerance=2
    ),
    "plain torch.onnx export, CUDA provider": Side(
        plain_side("CUDAExecutionProvider"), lacks_gpu(with_torch=False), tolerance=2
    ),
    "T2F, CUDA provider": Side(t2f_engine("onnx-cuda"), lacks_gpu(with_torch=False), tolerance=2),
    "T2F, TensorRT provider": Side(
        t2f_engine("onnx-tensorrt"), lacks_gpu(with_torch=False), tolerance=2
    ),
    "T2F, TensorRT with CUDA graphs": Side(
        t2f_engine("tensorrt"), lacks_gpu("tensorrt", with_torch=False), tolerance=2
    ),
}
"""The sides by name, in the order of the table."""


def main() -> None:
    """Serves one side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("network", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    draw, inside = SIDES[options.side].open(options.network, options.threads)
    serve(draw, inside=inside)


if __name__ == "__main__":
    main()
