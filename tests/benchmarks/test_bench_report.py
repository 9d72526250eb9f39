"""The report: charts, tables, marked sections, and quoted numbers that cannot drift."""

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]

SPREAD = {"median": 2.0, "low": 1.5, "high": 2.5, "least": 1.0, "greatest": 3.0}
MACHINE = {
    "processor": "a <processor>",
    "cpus": 2,
    "python": "3.11",
    "versions": {"numpy": "2"},
    "commit": "abc",
    "date": "2026-01-01 00:00",
    "load_at_start": 0.1,
    "is_busy": False,
    "seconds": 12.0,
    "stolen_share": 0.01,
}
PEERS = {
    "script": "peers",
    "machine": MACHINE,
    "settings": {"threads": 2},
    "rows": [
        {
            "name": "T2F in ONNX Runtime",
            "ms": SPREAD,
            "t2f_takes": {**SPREAD, "median": 1.0, "low": 1.0, "high": 1.0},
            "t2f_takes_processor": SPREAD,
            "peak_mib": 80.0,
            "levels_apart": 0,
        },
        {"name": "Torch-TensorRT", "not_run": "no NVIDIA GPU"},
    ],
    "outside_share": {**SPREAD, "median": 0.02},
    "targets": [{"name": "share", "found": 0.02, "most": 0.03, "is_met": True}],
}


class Checked(HTMLParser):
    """Remembers what a page would load."""

    def __init__(self):
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        address = named.get("src") or named.get("href") or ""
        if tag in {"script", "link", "img", "iframe"} or not (address + "#").startswith("#"):
            self.loaded.append((tag, address))


@pytest.fixture
def page(script):
    sections = script("report_sections").sections_of({"peers": PEERS})
    return script("report").page_of(sections, "a < b")


def test_the_page_is_one_file_that_loads_nothing(page):
    checked = Checked()
    checked.feed(page)
    assert checked.loaded == []
    checked.feed('<a href="https://example.org">x</a>')
    assert checked.loaded == [("a", "https://example.org")]
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "a &lt;processor&gt;" in page
    assert "<pre>a &lt; b</pre>" in page


def test_what_was_not_run_says_why(page):
    assert "not run: no NVIDIA GPU" in page
    assert "not run: python benchmarks/roofline.py" in page
    assert "no trained bundles and evaluations were given" in page


@pytest.mark.parametrize(
    ("changes", "is_busy"),
    [
        ({"is_busy": True}, True),
        ({"is_busy": True, "others_share": 0.01}, False),  # its own benchmarks made the load
        ({"is_busy": False, "others_share": 0.4}, True),
    ],
)
def test_a_machine_is_busy_by_what_others_took_where_that_is_known(script, changes, is_busy):
    line = script("report_sections").machine_line({**PEERS, "machine": {**MACHINE, **changes}})
    assert ("take no absolute time" in line) == is_busy


def test_ratios_of_a_busy_machine_are_not_told_without_a_warning(script):
    sections = script("report_sections")
    for share, is_warned in ((0.01, False), (0.4, True)):
        content = {**PEERS, "machine": {**MACHINE, "others_share": share}}
        written = sections.peers_section(content).markdown()
        assert ("they flatter T2F" in written) == is_warned


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"script": "peers"', "is no JSON"),
        ("[]", "is not what peers.py writes"),
        ('{"script": "growth"}', "is not what peers.py writes"),
        ('{"script": "peers", "schema_version": 2}', "is of schema 2, not 1"),
    ],
)
def test_numbers_that_cannot_be_understood_are_refused(script, tmp_path, content, message):
    (tmp_path / "peers.json").write_text(content)
    with pytest.raises(SystemExit, match=rf"peers\.json {message}.*; run: python"):
        script("report").read_contents(tmp_path)


def test_a_report_without_any_numbers_is_still_a_report(script):
    sections = script("report_sections").sections_of({})
    assert "no script has written its numbers" in script("report").page_of(sections, None)


def test_charts_are_valid_and_equal_for_equal_data(script):
    charts = script("charts")
    drawn = [
        charts.bars([charts.Bar("a & b", 2.0, 1.0, 3.0)], unit="ms"),
        charts.stacks(
            [charts.Stack("a", (1.0, 2.0), 2.5)], names=("x", "y"), mark="floor", unit="ms"
        ),
        charts.lines(
            [charts.Line("a", ((1, 2.0, 1.5, 2.5), (512, 9.0, 8.0, 9.5)))],
            x_title="tokens",
            y_title="ms",
        ),
        charts.dots(
            [charts.Dot("a", 2.0, 0.8), charts.Dot("b", 9.0, 0.7, 1)],
            groups=("a", "b"),
            x_title="ms",
            y_title="accuracy",
        ),
        charts.dots([charts.Dot("a", 2.0, 0.8)], groups=("a",), x_title="ms", y_title="y"),
    ]
    for chart in drawn:
        assert ET.fromstring(chart).tag == "{http://www.w3.org/2000/svg}svg"
        assert "nan" not in chart
    assert drawn[0] == charts.bars([charts.Bar("a & b", 2.0, 1.0, 3.0)], unit="ms")


def test_a_bar_twice_as_long_is_twice_as_much(script):
    charts = script("charts")
    rows = [charts.Bar("a", 2.0, 2.0, 2.0), charts.Bar("b", 4.0, 4.0, 4.0)]
    root = ET.fromstring(charts.bars(rows, unit="ms"))
    lengths = [float(one.get("width")) for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.01)


def test_a_line_of_a_power_is_straight(script):
    charts = script("charts")
    points = tuple((x, x**1.5, x**1.5, x**1.5) for x in (1.0, 10.0, 100.0))
    root = ET.fromstring(charts.lines([charts.Line("a", points)], x_title="x", y_title="y"))
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    (x0, y0), (x1, y1), (x2, y2) = (
        map(float, pair.split(",")) for pair in line.get("points").split()
    )
    assert (x1 - x0, y1 - y0) == pytest.approx((x2 - x1, y2 - y1), abs=0.2)


def test_ticks_are_round_numbers(script):
    charts = script("charts")
    assert charts.round_ticks(0.9, 60.0) == [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]
    assert charts.even_ticks(0.62, 0.81) == pytest.approx([0.65, 0.7, 0.75, 0.8])


def test_a_table_is_the_same_in_markdown_and_in_a_page(script):
    table = script("tables").Table(("side", "ms"), (("a | b", "1.0"), ("<c>", "not run: why")))
    assert table.markdown().splitlines() == [
        "| side | ms |",
        "| --- | ---: |",
        "| a \\| b | 1.0 |",
        "| <c> | not run: why |",
    ]
    assert "<td>a | b</td><td>1.0</td>" in table.html()
    assert '<td>&lt;c&gt;</td><td class="words" colspan="1">not run: why</td>' in table.html()


def test_marked_sections_are_filled_and_the_text_around_them_stays(script):
    report, tables = script("report"), script("tables")
    section = tables.Section("peers", "Peers", ["ours \\1", tables.Table(("a",), (("1",),))])
    text = "before\n<!-- begin: peers -->\nold\n<!-- end: peers -->\nafter\n"
    once = report.filled(text, [section])
    assert once == (
        "before\n<!-- begin: peers -->\nours \\1\n\n| a |\n| --- |\n| 1 |\n"
        "<!-- end: peers -->\nafter\n"
    )
    assert report.filled(once, [section]) == once
    with pytest.raises(ValueError, match="no section is called 'other'"):
        report.filled("<!-- begin: other -->\n<!-- end: other -->", [section])
    with pytest.raises(ValueError, match="needs one <!-- end: peers -->, found 0"):
        report.filled("<!-- begin: peers -->\n", [section])


def test_quoted_numbers_are_read_from_the_json(script):
    quotes = script("quotes")
    text = "it takes <!-- bench: face-ms -->9 ms<!-- /bench -->, not more"
    fresh = quotes.refreshed(text, {"peers": PEERS}, source="README.md")
    assert fresh == "it takes <!-- bench: face-ms -->2 ms<!-- /bench -->, not more"
    with pytest.raises(
        ValueError, match=r"README\.md quotes 'nothing'; benchmarks/quotes\.py knows"
    ):
        quotes.refreshed(text.replace("face-ms", "nothing"), {}, source="README.md")
    with pytest.raises(ValueError, match=r"of peers\.json, which is missing"):
        quotes.refreshed(text, {}, source="README.md")


def test_a_mark_never_begins_a_line(script):
    """There, it would begin a block of HTML and end the paragraph."""
    for path in script("quotes").pages(ROOT):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line.lstrip().startswith("<!-- bench:"), (path, line)


def test_what_is_quoted_and_shown_is_what_the_json_says(script):
    """Where this fails, run: python benchmarks/report.py."""
    report, measuring = script("report"), script("measuring")
    contents = report.read_contents(measuring.RESULTS)
    outputs = report.outputs_of(contents, measuring.RESULTS, ROOT, is_page_only=False)
    for path, text in outputs.items():
        assert path.read_text(encoding="utf-8") == text, path
        if path.name == report.PAGE:
            assert len(text.encode()) < report.MOST_BYTES


def test_all_results_of_this_repository_are_small(script):
    folder = script("measuring").RESULTS
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2 * 2**20
    for path in folder.glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["script"] == path.stem


def test_readme_quotes_how_long_a_kiosk_waits(script):
    found = script("quotes").MARK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert "first-face" in [key for key, _ in found]
