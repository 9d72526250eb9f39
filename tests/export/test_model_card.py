import re

import msgspec
import pytest
from engine_helpers import TINY_BUNDLE, TINY_BUNDLE_WITHOUT_TEXT, read_manifest
from markdown_it import MarkdownIt

from t2f_export.bundle_writer import write_bundle
from t2f_export.model_card import escape, model_card
from t2f_runtime import Bundle
from t2f_runtime.bundle.manifest import MODEL_CARD, Manifest, ParityReport

NASTY = (
    "<script>alert(1)</script>",
    "[a link](https://example.org)",
    "![a picture](https://example.org/x.png)",
    "https://example.org and www.example.org",
    "**bold** _slanted_ `code` ~~gone~~ $x$",
    "one | two | three",
    "first\n\n# A heading\n\n- a list\n\n    code\n",
    "back\\slash \\* &lt; &#35;",
    "![",
    "a_b __c__ snake_case_name",
    "\u202eevil \x1b[2J",
)


def rendered(markdown: str) -> str:
    """HTML, as an independent reader of CommonMark with tables makes it."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


def text_of(html: str) -> str:
    """What a reader sees of HTML."""
    shown = re.sub(r"<[^>]*>", "", html)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        shown = shown.replace(entity, character)
    return shown.strip()


def with_provenance(manifest: Manifest, **changes) -> Manifest:
    provenance = msgspec.structs.replace(manifest.provenance, **changes)
    return msgspec.structs.replace(manifest, provenance=provenance)


@pytest.fixture(scope="module")
def manifest():
    return read_manifest(TINY_BUNDLE)


@pytest.mark.parametrize("text", NASTY)
def test_an_escaped_text_shows_as_it_is_and_makes_no_markup(text):
    shown = " ".join(text.split()).replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
    html = rendered(f"Says {escape(text)}.")
    assert re.findall(r"<[^>]*>", html) == ["<p>", "</p>"]
    assert text_of(html) == f"Says {shown}."


def test_addresses_are_no_links_where_github_would_make_some():
    assert escape("http://x.org www.x.org") == "http\\://x.org www\\.x.org"
    assert escape("2:1, snake_case, v1.0") == "2:1, snake_case, v1.0"


@pytest.mark.parametrize("text", NASTY)
def test_nothing_from_the_configuration_or_the_data_changes_the_card(manifest, text):
    nasty = with_provenance(
        msgspec.structs.replace(manifest, name=text, licence=text, t2f_version=text),
        run_name=text,
        origin=text,
        commit=text,
        data_reader=text,
        data_fingerprint=text,
        data_licence=text,
        metrics={text: 1.5},
    )
    plain = with_provenance(
        msgspec.structs.replace(manifest, name="x", licence="x", t2f_version="x"),
        run_name="x",
        origin="x",
        commit="x",
        data_reader="x",
        data_fingerprint="x",
        data_licence="x",
        metrics={"x": 1.5},
    )
    tags = [re.findall(r"<[^>]*>", rendered(model_card(m))) for m in (nasty, plain)]
    assert tags[0] == tags[1]


def test_the_card_tells_data_licence_training_numbers_and_parity(manifest):
    report = ParityReport(
        precision="float32",
        engine="onnx-cpu",
        against="torch 2.13.0",
        faces=8,
        maximum_levels=1,
        mean_levels=0.00123,
        psnr_db=87.25,
        tolerance_levels=1,
        worst_description="a man",
        worst_seed=3,
    )
    told = with_provenance(
        msgspec.structs.replace(manifest, parity=(report,), licence="CC BY 4.0"),
        data_reader="celeba",
        data_images=9000,
        data_descriptions=27000,
        data_licence="photographs of CelebA: non-commercial research",
        images_seen=880_000,
        metrics={"attribute_accuracy": 0.87654, "loss": -1e-5},
    )
    card = model_card(told)
    for line in (
        "# Model card: tiny",
        "Draws synthetic faces of 8x8 pixels from written descriptions.",
        "| licence of the networks | CC BY 4.0 |",
        "| read as | celeba |",
        "| images | 9,000 |",
        "| descriptions | 27,000 |",
        "| licence | photographs of CelebA: non-commercial research |",
        "| images seen in training | 880,000 |",
        "| attribute_accuracy | 0.8765 |",
        "| loss | -1e-05 |",
        "| float32 | onnx-cpu against torch 2.13.0 | 8 | 1 (1 allowed) | 0.00123 | 87.2 dB |",
        't2f generate BUNDLE "a smiling woman with grey hair" -o face.png',
        "A description has 64 tokens at most; the model knows 325 different ones.",
    ):
        assert line in card.splitlines(), line
    assert card.count("## ") == 4
    assert "do not use it by itself to identify, accuse or rule out anybody" in card


def test_what_nobody_knows_is_said_to_be_unknown(manifest):
    unknown = with_provenance(
        msgspec.structs.replace(manifest, licence=None),
        origin="t2f-original",
        run_name="GAN_GEN_2.pth",
        data_reader=None,
        data_images=None,
        data_descriptions=None,
        data_fingerprint=None,
        images_seen=None,
        metrics={},
    )
    card = model_card(unknown)
    for line in (
        "| run | GAN_GEN_2.pth, imported: t2f-original |",
        "| licence of the networks | not stated |",
        "| read as | unknown |",
        "| images | unknown |",
        "| licence | not stated |",
        "| images seen in training | unknown |",
        "The files of the model do not tell its data.",
        "It logged none.",
        "Nothing was compared.",
    ):
        assert line in card.splitlines(), line


def test_the_card_of_a_model_without_text_speaks_of_seeds():
    card = model_card(read_manifest(TINY_BUNDLE_WITHOUT_TEXT))
    assert "pictures of 8x8 pixels from seeds alone, without text." in card
    assert "t2f generate BUNDLE --seed 7 -o face.png" in card
    assert "generator.generate(seed=7)" in card
    assert "tokens" not in card
    assert "a description says" not in card


def test_a_written_bundle_has_its_card_listed_and_hashed_with_the_parity_that_was_found(
    manifest, tmp_path
):
    files = {name: (TINY_BUNDLE / name).read_bytes() for name in manifest.files}
    written = write_bundle(tmp_path / "bundle", manifest, files)
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.manifest == written
    assert bundle.read(MODEL_CARD).decode() == model_card(written)
    (report,) = written.parity
    assert f"| {report.faces} | {report.maximum_levels} (1 allowed) |" in model_card(written)


def test_the_card_is_no_part_of_a_bundles_identity(manifest, tmp_path):
    files = {name: (TINY_BUNDLE / name).read_bytes() for name in manifest.files}
    write_bundle(tmp_path / "a", manifest, files)
    write_bundle(tmp_path / "b", msgspec.structs.replace(manifest, name="other"), files)
    first, second = Bundle.open(tmp_path / "a"), Bundle.open(tmp_path / "b")
    assert first.read(MODEL_CARD) != second.read(MODEL_CARD)
    assert first.bundle_id == second.bundle_id == Bundle.open(TINY_BUNDLE).bundle_id
    assert f"| bundle | {first.short_id} |" in first.read(MODEL_CARD).decode()
