import importlib.util
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from fake_triton import ModelConfig, Server, Tensor, TritonError, read_config, start_program
from google.protobuf import text_format
from triton_schema import ENUMS, MESSAGES

from t2f_export.cli import triton
from t2f_export.errors import ExportError
from t2f_export.triton import repository as triton_repository
from t2f_export.triton.config import to_text
from t2f_export.triton.repository import TritonSettings, write_triton_repository
from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.errors import BundleError
from t2f_runtime.latent import draw_latent, draw_noise
from t2f_runtime.text.tokenizer import Tokenizer, pad

RUNTIME_TESTS = Path(__file__).parents[1] / "runtime"
BUNDLE = RUNTIME_TESTS / "tiny_bundle"
TEXTLESS = RUNTIME_TESTS / "tiny_bundle_without_text"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    out = tmp_path_factory.mktemp("triton") / "models"
    write_triton_repository(BUNDLE, out)
    return out


@pytest.fixture(scope="module")
def textless(tmp_path_factory):
    out = tmp_path_factory.mktemp("triton") / "models"
    write_triton_repository(TEXTLESS, out, TritonSettings(name="seeds", largest_batch=8))
    return out


def request(texts=None, seeds=(0,), indices=None):
    columns = {"text": texts, "seed": seeds, "index": indices}
    types_ = {"text": object, "seed": np.uint64, "index": np.uint64}
    return [
        Tensor(name, np.array(values, types_[name])[:, None])
        for name, values in columns.items()
        if values is not None
    ]


def draw(model, *arguments, **named):
    (answer,) = model.execute([request(*arguments, **named)])
    assert not answer.has_error(), answer.error().message()
    (image,) = answer.output_tensors
    return image.array


def test_every_model_has_a_configuration_of_tritons_schema(repository, textless):
    parts = ("_text_encoder", "_latent", "_generator", "_from_tokens", "")
    names = {f"faces{part}" for part in parts}
    assert {path.name for path in repository.iterdir()} == names
    assert {path.name for path in textless.iterdir()} == {
        "seeds",
        "seeds_latent",
        "seeds_generator",
        "seeds_from_noise",
    }
    for folder in (repository, textless):
        for path in folder.iterdir():
            config = read_config(folder, path.name)
            assert config.name == path.name
            assert config.version_policy.latest.num_versions == 1
            assert (path / "1").is_dir()
            bundle = Bundle.open(BUNDLE if folder is repository else TEXTLESS)
            assert config.parameters["t2f_bundle"].string_value == bundle.bundle_id


def test_networks_are_the_bundles_byte_for_byte(repository):
    for name, file in (("generator", "generator.onnx"), ("text_encoder", "text_encoder.onnx")):
        served = repository / f"faces_{name}" / "1" / "model.onnx"
        assert served.read_bytes() == (BUNDLE / file).read_bytes()


@pytest.mark.parametrize("part", ["text_encoder", "latent", "generator"])
def test_tensors_are_those_of_the_network_without_the_batch(repository, part):
    config = read_config(repository, f"faces_{part}")
    path = repository / config.name / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for told, found in (
        (config.input, session.get_inputs()),
        (config.output, session.get_outputs()),
    ):
        assert [tensor.name for tensor in told] == [tensor.name for tensor in found]
        for ours, theirs in zip(told, found, strict=True):
            assert isinstance(theirs.shape[0], str)  # Triton needs a batch of any size
            sizes = [size if isinstance(size, int) else -1 for size in theirs.shape[1:]]
            assert list(ours.dims) == sizes


def test_networks_are_batched_and_run_where_they_should(repository):
    generator = read_config(repository, "faces_generator")
    assert (generator.backend, generator.max_batch_size) == ("onnxruntime", 16)
    assert generator.dynamic_batching.max_queue_delay_microseconds == 2000
    (group,) = generator.instance_group
    assert (group.kind, group.count) == (ENUMS["ModelInstanceGroup.Kind"]["KIND_AUTO"], 1)
    (warmup,) = generator.model_warmup
    assert warmup.inputs["latent"].random_data
    (group,) = read_config(repository, "faces_latent").instance_group
    assert group.kind == ENUMS["ModelInstanceGroup.Kind"]["KIND_CPU"]
    program = read_config(repository, "faces")
    assert (program.backend, program.instance_group[0].count) == ("python", 4)
    assert [(tensor.name, tensor.optional) for tensor in program.input] == [
        ("text", False),
        ("seed", False),
        ("index", True),
    ]
    assert not program.HasField("dynamic_batching")
    assert not read_config(repository, "faces_from_tokens").instance_group


def test_the_noted_lines_for_tensorrt_are_of_the_schema_too(repository):
    text = (repository / "faces_generator" / "config.pbtxt").read_text()
    head, _, noted = text.partition("# optimization {\n")
    assert "compare the faces with those of the float32 network" in head
    lines = ["optimization {", *(line.removeprefix("# ") for line in noted.splitlines())]
    config = text_format.Parse("\n".join(lines), ModelConfig())
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    latent = Bundle.open(BUNDLE).manifest.latent_size
    assert accelerator.name == "tensorrt"
    assert accelerator.parameters["trt_profile_max_shapes"] == f"latent:16x{latent}"


def test_the_ensemble_draws_what_a_kiosk_draws(repository):
    bundle = Bundle.open(BUNDLE, keep="float32")
    text = bundle.manifest.text
    tokenizer = Tokenizer(
        bundle.read(text.tokenizer), kind=text.kind, maximum_tokens=text.maximum_tokens
    )
    texts, seeds = ["a bald man", "a smiling woman with grey hair"], [3, 2**63]
    tokens = pad([tokenizer.tokens(each) for each in texts])
    noise = np.stack([draw_noise(seed, 0, bundle.manifest.latent_size) for seed in seeds])
    server = Server(repository)
    drawn = server.run("faces_from_tokens", {"tokens": tokens, "noise": noise})["image"]
    expected = FaceGenerator.load(BUNDLE).generate_batch(texts, seeds=seeds)
    assert np.abs(drawn.astype(int) - expected).max() <= 1
    assert np.abs(expected[0].astype(int) - expected[1]).max() > 5
    assert [name for name, _ in server.runs] == [
        "faces_from_tokens",
        "faces_text_encoder",
        "faces_latent",
        "faces_generator",
    ]


def test_the_step_between_the_networks_is_the_runtimes(repository):
    random = np.random.default_rng(0)
    sizes = Bundle.open(BUNDLE).manifest
    mean, log_variance = random.normal(0, 2, (2, 3, sizes.condition_size)).astype(np.float32)
    noise = np.stack([draw_noise(seed, 0, sizes.latent_size) for seed in range(3)])
    given = {"condition_mean": mean, "condition_log_variance": log_variance, "noise": noise}
    latents = Server(repository).run("faces_latent", given)["latent"]
    for seed, latent in enumerate(latents):
        expected = draw_latent(
            mean[seed], log_variance[seed], seed=seed, index=0, noise_size=sizes.noise_size
        )
        np.testing.assert_allclose(latent, expected, rtol=1e-5, atol=1e-6)


def test_the_program_draws_what_a_kiosk_draws(repository, monkeypatch):
    server = Server(repository)
    model = start_program(repository, "faces", server, monkeypatch)
    texts = ["a bald man", "un garçon"]
    drawn = draw(model, [text.encode() for text in texts], seeds=[7, 8], indices=[2, 0])
    generator = FaceGenerator.load(BUNDLE)
    expected = [
        generator.generate(texts[0], seed=7, count=3)[2],
        generator.generate(texts[1], seed=8),
    ]
    assert np.abs(drawn.astype(int) - np.stack(expected)).max() <= 1
    assert server.runs[-1] == ("faces_generator", 2)  # one run for both rows
    alone = draw(model, [texts[1].encode()], seeds=[8])
    assert np.abs(alone.astype(int) - expected[1]).max() <= 1


def test_a_program_without_text_draws_from_seeds(textless, monkeypatch):
    model = start_program(textless, "seeds", Server(textless), monkeypatch)
    drawn = draw(model, seeds=[5, 5], indices=[0, 1])
    expected = FaceGenerator.load(TEXTLESS).generate(seed=5, count=2)
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_an_ensemble_without_text_takes_noise_alone(textless):
    sizes = Bundle.open(TEXTLESS).manifest
    noise = draw_noise(4, 0, sizes.latent_size)[None]
    drawn = Server(textless).run("seeds_from_noise", {"noise": noise})["image"]
    assert np.abs(drawn.astype(int) - FaceGenerator.load(TEXTLESS).generate(seed=4)).max() <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"  ", "the description is empty or shows nothing"),
        (b"\xff", "the description is not UTF-8 at byte 0"),
        (b"a\x07b", "holds the control character U\\+0007"),
    ],
)
def test_a_bad_description_is_the_callers_error_and_nobody_elses(
    repository, monkeypatch, text, message
):
    model = start_program(repository, "faces", Server(repository), monkeypatch)
    refused, drawn = model.execute([request([text]), request([b"a man"])])
    assert refused.error().code == TritonError.INVALID_ARG
    with pytest.raises(ValueError, match=message):
        raise ValueError(refused.error().message())
    assert not drawn.has_error()


def test_a_network_that_fails_is_the_servers_error(repository, monkeypatch):
    server = Server(repository)
    model = start_program(repository, "faces", server, monkeypatch)
    server.repository = None
    (answer,) = model.execute([request([b"a man"])])
    assert answer.error().code == TritonError.INTERNAL
    assert answer.error().message() == "faces_text_encoder: no such model"


def test_an_altered_tokenizer_is_refused_at_the_start(tmp_path, monkeypatch):
    write_triton_repository(BUNDLE, tmp_path / "models")
    with (tmp_path / "models" / "faces" / "1" / "tokenizer.model").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError, match=r"tokenizer.model is altered; write the repository"):
        start_program(tmp_path / "models", "faces", Server(tmp_path / "models"), monkeypatch)


def test_what_cannot_be_written_is_refused(repository, tmp_path, monkeypatch):
    with pytest.raises(ExportError, match=r"models exists already; name a new folder, or remove"):
        write_triton_repository(BUNDLE, repository)
    with pytest.raises(ExportError, match=r"'a/b' cannot name models; use letters, digits"):
        TritonSettings(name="a/b")
    with pytest.raises(BundleError, match="holds no networks of precision 'fp8'"):
        write_triton_repository(BUNDLE, tmp_path / "models", TritonSettings(precision="fp8"))

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(triton_repository.Path, "write_bytes", full)
    with pytest.raises(ExportError, match=r"models cannot be written: .*No space left on device"):
        write_triton_repository(BUNDLE, tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


def test_any_text_survives_the_text_format():
    name = 'a "b"\\c\n\x00 é 男'
    config = text_format.Parse(to_text({"name": name, "max_batch_size": 3}), ModelConfig())
    assert (config.name, config.max_batch_size) == (name, 3)


def test_the_command_names_the_models_and_how_to_start(tmp_path):
    out = tmp_path / "models"
    arguments = [str(BUNDLE), "-o", str(out), "--name", "kiosk", "--max-batch", "4"]
    result = CliRunner().invoke(triton, arguments)
    assert result.exit_code == 0, result.output
    assert "kiosk_text_encoder, kiosk_latent, kiosk_generator, kiosk_from_tokens" in result.output
    assert f"--model-repository={out}" in result.output
    assert read_config(out, "kiosk_generator").max_batch_size == 4


def published_schema():
    spec = importlib.util.find_spec("tritonclient")
    if spec is None:
        pytest.skip("needs Triton's published schema: pip install --no-deps tritonclient")
    path = Path(spec.origin).parent / "grpc" / "model_config_pb2.py"
    module_spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module.DESCRIPTOR


@pytest.mark.filterwarnings("ignore:Protobuf gencode version")
def test_the_tests_schema_is_part_of_the_published_one(repository, textless):
    published = published_schema()
    pool = published.pool
    ours = ModelConfig.DESCRIPTOR.file.pool
    for name, fields in MESSAGES.items():
        theirs = pool.FindMessageTypeByName(f"inference.{name}").fields_by_name
        mine = ours.FindMessageTypeByName(f"inference.{name}").fields_by_name
        for field in fields:
            for fact in ("number", "type", "is_repeated"):
                assert getattr(theirs[field], fact) == getattr(mine[field], fact), (name, field)
    for name, values in ENUMS.items():
        theirs = pool.FindEnumTypeByName(f"inference.{name}").values_by_name
        assert {value: theirs[value].number for value in values} == values
    from google.protobuf import message_factory  # noqa: PLC0415 (as above)

    whole = message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))
    for folder in (repository, textless):
        for path in folder.iterdir():
            text_format.Parse((path / "config.pbtxt").read_text(), whole())
