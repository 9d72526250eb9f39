"""Whether a processor loses INT8 products to saturation: weights of 8 bits beside weights of 7.

    python benchmarks/int8_saturation.py BUNDLE [--faces 24]

Processors with AVX2 and without VNNI multiply bytes in pairs and add them up in 16 bits, which two
products of full size overflow (Intel's manual of instructions, PMADDUBSW); weights of 7 bits fit.
So the INT8 generator of BUNDLE draws with the weights that it has and with half of them, their
scales doubled, in ONNX Runtime and in OpenVINO, and is held against float32: an engine that is
better with fewer bits saturates. Needs `pip install 't2f[export,verify]'`.
"""

import argparse
import platform
from importlib.metadata import version

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import IMAGE, LATENT
from t2f_runtime.latent import on_hypersphere
from t2f_runtime.sessions import Session
from t2f_runtime.sessions.onnx_session import OnnxSession
from t2f_runtime.sessions.openvino_session import OpenVinoSession

Latents = NDArray[np.float32]


def with_halved_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with weights of 7 bits."""
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in halved.graph.initializer}
    pairs = {
        tuple(node.input[:2])
        for node in halved.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in tensors
    }
    for weight, scale in pairs:
        half = np.round(numpy_helper.to_array(tensors[weight]) / 2).astype(np.int8)
        double = numpy_helper.to_array(tensors[scale]) * np.float32(2)
        tensors[weight].CopyFrom(numpy_helper.from_array(half, weight))
        tensors[scale].CopyFrom(numpy_helper.from_array(double, scale))
    return halved


def draw(session: Session, latents: Latents) -> NDArray[np.float64]:
    """Draws one face a latent."""
    pictures = [session.run({LATENT: latent[np.newaxis]})[IMAGE] for latent in latents]
    return np.concatenate(pictures).astype(np.float64)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--faces", type=int, default=24)
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle)
    normal = np.random.default_rng(0).standard_normal(
        (arguments.faces, bundle.manifest.latent_size), dtype=np.float32
    )
    latents = on_hypersphere(normal)
    plain = bundle.read(bundle.graphs("float32").generator.file)
    expected = draw(OnnxSession(plain, threads=1), latents)
    model = onnx.load_from_string(bundle.read(bundle.graphs("int8").generator.file))
    print(
        f"{platform.processor() or platform.machine()}, onnxruntime {version('onnxruntime')}, "
        f"openvino {version('openvino')}, {arguments.faces} faces"
    )
    for name, graph in (("8 bits", model), ("7 bits", with_halved_weights(model))):
        content = graph.SerializeToString()
        for engine in (OnnxSession, OpenVinoSession):
            error = draw(engine(content, threads=1), latents) - expected
            ratio = 10 * np.log10(255**2 / np.mean(error**2))
            print(f"weights of {name} in {engine.__name__:16} {ratio:5.1f} dB")


if __name__ == "__main__":
    main()
