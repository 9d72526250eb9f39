"""Our Protocols and the stand-in, held against the names of the real libraries."""

import inspect

import pytest
from fake_tensorrt import fake_library
from fake_tensorrt_names import NAMES, VERSIONS, names_of

from t2f_export.engines import tensorrt_api as api

CLASSES = {
    api.IBuilder: "Builder",
    api.BuilderFlags: "BuilderFlag",
    api.HardwareCompatibilityLevels: "HardwareCompatibilityLevel",
    api.IBuilderConfig: "IBuilderConfig",
    api.INetworkDefinition: "INetworkDefinition",
    api.IOnnxParser: "OnnxParser",
    api.IOptimizationProfile: "IOptimizationProfile",
    api.IParserError: "ParserError",
    api.ITensor: "ITensor",
    api.ITimingCache: "ITimingCache",
    api.Library: "__module__",
    api.MemoryPoolTypes: "MemoryPoolType",
    api.NetworkDefinitionCreationFlags: "NetworkDefinitionCreationFlag",
}
RTX_CLASSES = {api.RtxBuilderConfig: "IBuilderConfig", api.RtxLibrary: "__module__"}


def calls_of(protocol) -> set[str]:
    """The public names that a Protocol has, methods, properties and attributes."""
    names = {*vars(protocol), *vars(protocol).get("__annotations__", {})}
    return {name for name in names if not name.startswith("_")}


def test_every_protocol_is_compared():
    protocols = {
        value
        for _, value in inspect.getmembers(api, inspect.isclass)
        if value.__module__ == api.__name__
    }
    assert protocols == {*CLASSES, *RTX_CLASSES}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("protocol", CLASSES, ids=lambda protocol: protocol.__name__)
def test_what_we_call_is_in_every_version(protocol, version):
    calls = calls_of(protocol)
    assert calls
    assert calls <= names_of(version, CLASSES[protocol])


@pytest.mark.parametrize("protocol", RTX_CLASSES, ids=lambda protocol: protocol.__name__)
def test_what_tensorrt_for_rtx_adds_is_there_and_nowhere_else(protocol):
    calls = calls_of(protocol)
    assert calls <= names_of("tensorrt_rtx 1.7", RTX_CLASSES[protocol])
    assert not calls & names_of("tensorrt 10.3", RTX_CLASSES[protocol])
    assert not calls & names_of("tensorrt 11.4", RTX_CLASSES[protocol])


def test_the_names_of_the_installed_tensorrt_for_rtx_are_the_listed_ones():
    library = pytest.importorskip(
        "tensorrt_rtx", reason="needs TensorRT for RTX: pip install 't2f[rtx]'"
    )
    for library_class in NAMES:
        if library_class == "__module__":
            continue
        missing = names_of("tensorrt_rtx 1.7", library_class) - {
            *dir(getattr(library, library_class))
        }
        assert not missing, library_class


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stand_in_has_no_name_that_the_library_lacks(version):
    library = fake_library(version)
    assert {name for name in vars(library) if not name.startswith("_")} <= names_of(
        version, "__module__"
    )
    made = library.Builder._behaviour.classes
    for library_class, fake in made.items():
        names = {name for base in fake.__mro__ for name in vars(base) if not name.startswith("_")}
        extra = names - names_of(version, library_class) - {"library_class", "version"}
        # What only TensorRT for RTX has is defined for all, and refused when it is read.
        assert extra <= {
            "create_runtime_cache",
            "create_runtime_config",
            "deserialize",
            "serialize",
            "set_compute_capability",
            "set_runtime_cache",
        }, library_class


@pytest.mark.parametrize(
    ("version", "use"),
    [
        ("tensorrt 11.4", lambda library: library.BuilderFlag.FP16),
        ("tensorrt 11.4", lambda library: library.NetworkDefinitionCreationFlag.EXPLICIT_BATCH),
        ("tensorrt 11.4", lambda library: library.ComputeCapability),
        (
            "tensorrt 10.3",
            lambda library: library.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY,
        ),
    ],
)
def test_the_stand_in_refuses_what_a_version_lacks(version, use):
    with pytest.raises(AttributeError):
        use(fake_library(version))


def test_the_stand_in_refuses_settings_and_calls_that_a_version_lacks():
    library = fake_library("tensorrt 11.4")

    class Logger(library.ILogger):
        pass

    config = library.Builder(Logger()).create_builder_config()
    with pytest.raises(AttributeError, match=r"tensorrt 11.4 has no IBuilderConfig.int8_calibrat"):
        config.int8_calibrator = None
    with pytest.raises(AttributeError, match=r"11.4 has no IBuilderConfig.set_compute_capability"):
        config.set_compute_capability(None, 0)
    assert names_of("tensorrt 10.3", "IBuilderConfig") >= {"int8_calibrator"}
