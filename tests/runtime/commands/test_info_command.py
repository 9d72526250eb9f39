"""The command `t2f info`."""

import json
import re

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import decode_manifest


def test_info_says_what_a_bundle_is(t2f, tiny_bundle):
    result = t2f("info", tiny_bundle)
    assert result.exit_code == 0
    short_id = Bundle.open(tiny_bundle).short_id
    for line in (
        r"name: +tiny",
        rf"bundle id: +{short_id}",
        r"pictures: +8x8 pixels",
        r"latent: +8 = condition 4 \+ noise 4",
        r"text: +325 tokens known \(sentencepiece\), 64 a description",
        r"precisions: +float32",
        r"data: +made up: 0 images, 8 descriptions, licence not stated",
        r"signed: +no",
        r"size: +0.3 MiB in 4 files",
        r"file: +generator.onnx, 9078 bytes \(3.3%\), SHA-256 [0-9a-f]{64}",
    ):
        assert re.search(f"^{line}$", result.stdout, re.MULTILINE), line


def test_info_says_that_a_bundle_has_no_text(t2f, textless_bundle):
    result = t2f("info", textless_bundle)
    for line in (
        r"latent: +4 = condition 0 \+ noise 4",
        r"text: +none: faces are drawn from seeds alone",
    ):
        assert re.search(f"^{line}$", result.stdout, re.MULTILINE), line
    facts = json.loads(t2f("info", textless_bundle, "--json").stdout)
    assert facts["manifest"]["text"] is None


def test_info_shows_parity_and_metrics(t2f, bundle, change_manifest):
    parity = {
        "precision": "float32",
        "engine": "onnx-cpu",
        "against": "torch",
        "faces": 8,
        "maximum_levels": 1,
        "mean_levels": 0.0012,
        "psnr_db": 77.25,
        "tolerance_levels": 1,
        "worst_description": "a man",
        "worst_seed": 3,
    }
    change_manifest(lambda fields: fields.update(parity=[parity]))
    change_manifest(lambda fields: fields["provenance"].update(metrics={"distance": 0.5}))
    result = t2f("info", bundle)
    assert (
        "8 faces in float32 with onnx-cpu differ from torch by at most 1 level (1 allowed), "
        "0.0012 on average, PSNR 77.2 dB"
    ) in result.stdout
    assert re.search("^metrics: +distance 0.5$", result.stdout, re.MULTILINE)


def test_info_shows_no_control_characters(t2f, bundle, change_manifest):
    change_manifest(lambda fields: fields.update(name="evil\x1b[2J"))
    assert "evil\\x1b[2J" in t2f("info", bundle).stdout


def test_info_as_json_is_the_manifest(t2f, tiny_bundle, tiny_manifest):
    facts = json.loads(t2f("info", tiny_bundle, "--json").stdout)
    assert facts["bundle_id"] == Bundle.open(tiny_bundle).bundle_id
    assert decode_manifest(json.dumps(facts["manifest"]).encode()) == tiny_manifest
