"""Engines for the stand-in of TensorRT, entered in the index of a tiny bundle."""

import hashlib
import json

import msgspec
from fake_cuda import FakeCuda
from fake_tensorrt import fake_library
from fake_tensorrt_names import VERSIONS

from t2f_runtime.bundle.engine_index import (
    EngineEntry,
    EngineKey,
    EngineOptions,
    EngineTarget,
    ShapeRange,
)
from t2f_runtime.bundle.manifest import BATCH, LENGTH, MANIFEST, decode_manifest, encode_manifest
from t2f_runtime.engines.gpu import Device, this_platform
from t2f_runtime.engines.host import Host
from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.errors import MissingPackageError

ADA = Device(name="NVIDIA RTX 4070", compute_capability="sm_89", multiprocessors=46)
DTYPES = {"float32": "FLOAT", "int64": "INT64", "uint8": "UINT8"}


def flavour_of(version):
    return "rtx" if version.startswith("tensorrt_rtx") else "tensorrt"


def engine_of(version):
    return "tensorrt-rtx" if version.startswith("tensorrt_rtx") else "tensorrt"


def plan_of(version, graph, *, flags=(), source=b""):
    """What the stand-in's builder would give for a network."""
    tensors = {
        tensor.name: {
            "mode": mode,
            "dtype": DTYPES[tensor.dtype],
            "shape": [size if isinstance(size, int) else -1 for size in tensor.shape],
        }
        for mode, listed in (("INPUT", graph.inputs), ("OUTPUT", graph.outputs))
        for tensor in listed
    }
    plan = {
        "version": version,
        "flags": list(flags),
        "source": hashlib.sha256(source).hexdigest(),
        "tensors": tensors,
    }
    return json.dumps(plan).encode()


def profile_of(graph, *, maximum_tokens=64):
    """From one face and one token to sixteen faces and the longest description."""

    def shape(tensor, batch, length):
        sizes = {BATCH: batch, LENGTH: length}
        return tuple(sizes.get(size, size) for size in tensor.shape)

    return {
        tensor.name: ShapeRange(
            minimum=shape(tensor, 1, 1),
            optimum=shape(tensor, 1, 8),
            maximum=shape(tensor, 16, maximum_tokens),
        )
        for tensor in graph.inputs
    }


def add_engines(bundle, version, *, precision="float32", options=None, device=ADA):
    """Enters an engine of every network of a precision, as `t2f engine` would."""
    options = options or EngineOptions()
    manifest = decode_manifest((bundle / MANIFEST).read_bytes())
    graphs = manifest.graphs[precision]
    entries = list(manifest.engines)
    (bundle / "engines").mkdir(exist_ok=True)
    for network in ("text_encoder", "generator"):
        graph = getattr(graphs, network)
        if graph is None:
            continue
        flags = [
            flag
            for flag, is_set in (
                ("STRIP_PLAN", options.is_stripped),
                ("VERSION_COMPATIBLE", options.is_version_compatible),
            )
            if is_set
        ]
        source = (bundle / graph.file).read_bytes()
        plan = plan_of(version, graph, flags=flags, source=source)
        name = f"engines/{network}-{precision}-{flavour_of(version)}.engine"
        (bundle / name).write_bytes(plan)
        key = EngineKey(
            network=network,
            precision=precision,
            source_sha256=manifest.files[graph.file].sha256,
            flavour=flavour_of(version),
            library_version=VERSIONS[version],
            target=EngineTarget(
                compute_capability=device.compute_capability, platform=this_platform()
            ),
            profile=profile_of(graph),
            options=options,
        )
        entries.append(
            EngineEntry(
                file=name, bytes=len(plan), sha256=hashlib.sha256(plan).hexdigest(), key=key
            )
        )
    changed = msgspec.structs.replace(manifest, engines=tuple(entries))
    (bundle / MANIFEST).write_bytes(encode_manifest(changed))


def missing(package):
    """What a package that is not installed answers to being loaded."""

    def load(*_):
        raise UnavailableEngineError(f"the package '{package}' is not installed", "install it")

    return load


def fake_machine(*versions, device=ADA, cuda=None, onnxruntime=None, cache=None, **behaviour):
    """A machine with a GPU, stand-ins for versions of TensorRT, and no more than is given.

    Without `cache` it has no cache folder, so that no test writes to that of whoever runs it.
    """
    cuda = cuda or FakeCuda()
    libraries = {
        flavour_of(version): fake_library(version, cuda=cuda, **behaviour) for version in versions
    }

    def load_library(flavour):
        if flavour not in libraries:
            missing({"rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}[flavour])()
        return libraries[flavour]

    def cache_folder():
        if cache is None:
            raise MissingPackageError("this machine has no cache folder; name one in T2F_CACHE")
        return cache

    chosen = {} if onnxruntime is None else {"load_onnxruntime": onnxruntime}
    return Host(
        cache_folder=cache_folder,
        find_device=lambda index: device,
        load_library=load_library,
        load_cuda=lambda: cuda,
        **chosen,
    )
