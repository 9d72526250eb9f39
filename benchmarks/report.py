"""Makes a page of what the scripts measured, and brings results.md and quoted numbers up to date.

    python benchmarks/report.py [RESULTS] [--page-only]

Reads the JSON files in RESULTS (docs/results/bench-cpu) and writes `index.html` beside them: one
file, with charts in SVG, which loads nothing. In benchmarks/results.md it fills what stands between
`<!-- begin: NAME -->` and `<!-- end: NAME -->`, and in README.md and docs/ the numbers that
`quotes.py` tells of. The same JSON gives the same bytes.
"""

import argparse
import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from measuring import RESULTS, ROOT, SCHEMA_VERSION
from quotes import pages, refreshed
from report_sections import BUILDERS, sections_of
from tables import Section

PAGE = "index.html"
MOST_BYTES = 2 * 2**20
"""What the page may take."""

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid #8886; }
nav a { margin-right: 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 0.85rem;
  margin: 1rem 0; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #8884; text-align: right;
  vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.words { text-align: left; white-space: normal; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0.5rem 0; max-width: 100%; overflow-x: auto; }
figcaption { font-weight: 600; font-size: 0.9rem; }
svg { max-width: 100%; height: auto; }
pre { overflow-x: auto; font-size: 0.8rem; }
"""


def read_contents(folder: Path) -> dict[str, dict[str, Any]]:
    """The JSON of the scripts that have run, by script.

    Raises:
        SystemExit: If one of them cannot be understood.
    """
    found = {}
    for script in BUILDERS:
        path = folder / f"{script}.json"
        if path.exists():
            found[script] = _read_content(path, script)
    return found


def _read_content(path: Path, script: str) -> dict[str, Any]:
    again = f"run: python benchmarks/{script}.py"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SystemExit(f"{path} is no JSON: {error}; {again}") from error
    if not isinstance(content, dict) or content.get("script") != script:
        raise SystemExit(f"{path} is not what {script}.py writes; {again}")
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise SystemExit(f"{path} is of schema {version}, not {SCHEMA_VERSION}; {again}")
    return content


def page_of(sections: list[Section], bench: str | None) -> str:
    """The whole page.

    Args:
        sections: What it shows.
        bench: What `t2f bench` printed; None if it was not run.
    """
    links = "".join(f'<a href="#{s.key}">{escape(s.title)}</a> ' for s in sections)
    body = "\n".join(section.html() for section in sections)
    shown = f"<pre>{escape(bench)}</pre>" if bench else "<p>not run: t2f bench BUNDLE</p>"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>T2F: benchmarks</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>T2F: benchmarks</h1>\n<p>Absolute times of a shared machine mean little: sides are "
        "timed in turns and compared within a round. Medians, with quartiles.</p>\n"
        f"<nav>{links}</nav>\n{body}\n<section><h2>t2f bench</h2>{shown}</section>\n"
        "</body>\n</html>\n"
    )


def filled(text: str, sections: list[Section]) -> str:
    """Markdown with its marked parts filled with the sections of their names.

    Raises:
        ValueError: If a mark has no end, or no section has its name.
    """
    by_key = {section.key: section for section in sections}
    for key in re.findall(r"<!-- begin: ([\w-]+) -->", text):
        if key not in by_key:
            raise ValueError(f"no section is called {key!r}; there are: {', '.join(by_key)}")
        pattern = rf"(<!-- begin: {key} -->\n).*?(<!-- end: {key} -->)"
        written = f"\\g<1>{_literal(by_key[key].markdown())}\n\\g<2>"
        text, count = re.subn(pattern, written, text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"<!-- begin: {key} --> needs one <!-- end: {key} -->, found {count}")
    return text


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\")


def outputs_of(
    contents: Mapping[str, Mapping[str, Any]], folder: Path, root: Path, *, is_page_only: bool
) -> dict[Path, str]:
    """All files that the numbers decide, with what must be in them."""
    sections = sections_of(contents)
    bench = folder / "t2f_bench.txt"
    shown = bench.read_text(encoding="utf-8") if bench.exists() else None
    outputs = {folder / PAGE: page_of(sections, shown)}
    if is_page_only:
        return outputs
    for path in pages(root):
        text = path.read_text(encoding="utf-8")
        if path == root / "benchmarks" / "results.md":
            text = filled(text, sections)
        outputs[path] = refreshed(text, contents, source=str(path.relative_to(root)))
    return outputs


def main() -> None:
    """Writes what has changed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS)
    parser.add_argument(
        "--page-only", action="store_true", help="leave results.md, README.md and docs as they are"
    )
    options = parser.parse_args()
    contents = read_contents(options.results)
    outputs = outputs_of(contents, options.results, ROOT, is_page_only=options.page_only)
    for path, text in outputs.items():
        if path.name == PAGE and len(text.encode()) > MOST_BYTES:
            raise SystemExit(f"the page takes {len(text.encode())} bytes; {MOST_BYTES} at most")
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"written: {path}")
    missing = [script for script in BUILDERS if script not in contents]
    if missing:
        print(f"not run: {', '.join(missing)}")


if __name__ == "__main__":
    main()
