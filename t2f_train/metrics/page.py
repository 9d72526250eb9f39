"""The page of an evaluation: one HTML file without scripts, for people who do not know metrics."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from t2f_train.metrics.attributes import RELIABLE, StatementAccuracy
from t2f_train.metrics.evaluation import Beside, Evaluation
from t2f_train.metrics.measure_names import MeasureName, name_of
from t2f_train.metrics.picture_measures import Measure

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1d20; --soft: #62656d; --paper: #fcfcfb;
  --card: #ffffff; --line: #e2e2df; --drawn: #2f6fd0; --track: #ececea; --note: #fff6dd; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e9e6; --soft: #a0a3ab; --paper: #16171a;
  --card: #1e2024; --line: #33363c; --drawn: #6ea3f2; --track: #2d3036; --note: #38321c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 72rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 3rem 0 .4rem; font-size: 1.3rem; }
p { margin: .4rem 0 1rem; max-width: 46rem; }
.soft, caption, figcaption { color: var(--soft); }
.note { padding: .7rem 1rem; border-radius: .5rem; background: var(--note); max-width: none; }
.pair { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
figure { margin: 0; }
figcaption { margin-bottom: .35rem; font-size: .9rem; }
img { display: block; max-width: 100%; height: auto; }
.rows { display: grid; gap: .6rem 1.25rem; grid-template-columns: 14rem minmax(0, 34rem);
  align-items: center; }
.rows p { margin: 0; }
.rows img + img { margin-top: .25rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .6rem;
  background: var(--card); }
table { width: 100%; border-collapse: collapse; font-size: .95rem; }
th, td { padding: .55rem .8rem; border-top: 1px solid var(--line); text-align: left;
  vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: .85rem; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td small { display: block; max-width: 36rem; color: var(--soft); font-size: .85rem; }
tr.faint { opacity: .55; }
.bar { position: relative; width: 11rem; height: .8rem; margin-top: .35rem; border-radius: .2rem;
  background: var(--track); }
.bar i { position: absolute; top: 0; bottom: 0; left: 0; border-radius: .2rem;
  background: var(--drawn); }
.bar b { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px; background: var(--ink); }
.bar b.chance { background: none; border-left: 2px dotted var(--ink); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 44rem) { .rows { grid-template-columns: 1fr; } }
"""


def write_page(
    evaluation: Evaluation,
    rows: Sequence[str],
    distances: NDArray[np.float64],
    *,
    shows_photographs: bool = True,
) -> str:
    """Writes the page, which looks for the PNG files beside it.

    Args:
        evaluation: The numbers.
        rows: The descriptions of `row-1.png`, `row-2.png` and so on.
        distances: Those of the pairs in `nearest.png`.
        shows_photographs: Whether there are files with photographs of the data set.

    Returns:
        A whole HTML document.
    """
    title = f"What {evaluation.run} draws"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _summary(evaluation),
        *_notes(evaluation),
        _first_look(evaluation.beside, is_text=bool(rows), shows_photographs=shows_photographs),
        _rows(rows, evaluation.beside) if rows else "",
        _numbers(evaluation.measures, evaluation.beside),
        _statements(evaluation.statements, evaluation.beside) if evaluation.statements else "",
        _nearest(distances, shows_photographs=shows_photographs),
        _making(evaluation),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _summary(evaluation: Evaluation) -> str:
    return (
        f'<p class="soft">{evaluation.resolution} by {evaluation.resolution} pixels, after '
        f"{evaluation.images_seen:,} images of {escape(evaluation.data.folder)}. Measured on "
        f"{evaluation.faces:,} drawn faces, beside photographs that the measuring networks had "
        f"not seen.</p>"
    )


def _notes(evaluation: Evaluation) -> Iterable[str]:
    if evaluation.is_quick:
        yield (
            '<p class="note">A quick look: few faces, and measuring networks that were trained '
            "briefly. Its numbers do not compare with those of a whole evaluation.</p>"
        )
    if not evaluation.data.is_unseen:
        yield (
            '<p class="note">This model was trained on all photographs of its data set, the '
            f"{evaluation.data.held_out:,} that are held out here among them: they are new only "
            "to the networks that measure. Train with data.held_out to keep some from the model "
            "too.</p>"
        )
    if evaluation.fade < 1.0:
        yield (
            '<p class="note">The layers for this resolution were still fading in '
            f"({evaluation.fade:.0%}).</p>"
        )


def _first_look(beside: Beside | None, *, is_text: bool, shows_photographs: bool) -> str:
    told = (
        "Each drawn face has the description of the photograph at the same place; the "
        "photograph itself was not shown."
        if is_text
        else "Faces as the model draws them, and photographs as they come."
    )
    if not shows_photographs:
        told = (
            "Each face has the description of a photograph; no photographs are shown on this page."
            if is_text
            else "Faces as the model draws them; no photographs are shown on this page."
        )
    figures = _figure("drawn.png", "Drawn")
    if beside is not None:
        figures += _figure("beside.png", beside.name)
    if shows_photographs:
        figures += _figure("photographs.png", "Photographs")
    return f'<h2>At a glance</h2>\n<p>{told}</p>\n<div class="pair">{figures}</div>'


def _figure(name: str, caption: str) -> str:
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f'<img src="{name}" alt="{escape(caption)}"></figure>'
    )


def _rows(rows: Sequence[str], beside: Beside | None) -> str:
    names = ["row"] if beside is None else ["row", "beside-row"]
    lines = "".join(
        f"<p>{escape(text)}</p><div>{_row_pictures(names, number, text)}</div>"
        for number, text in enumerate(rows, start=1)
    )
    other = "" if beside is None else f" The lower row of each pair is of {escape(beside.name)}."
    return (
        "<h2>What descriptions change</h2>\n<p>A column has the same noise in every row: only "
        f'the description differs.{other}</p>\n<div class="rows">{lines}</div>'
    )


def _row_pictures(names: Sequence[str], number: int, text: str) -> str:
    return "".join(
        f'<img src="{name}-{number}.png" alt="Faces drawn from: {escape(text)}">' for name in names
    )


def _numbers(measures: Sequence[Measure], beside: Beside | None) -> str:
    levels = [measure for measure in measures if measure.key.startswith("swd_")]
    # A single level is the average.
    shown = [m for m in measures if m not in levels or len(levels) > 1]
    others = {} if beside is None else {measure.key: measure for measure in beside.measures}
    lines = "".join(
        _number(measure, name_of(measure.key), [others.get(measure.key)] if beside else [])
        for measure in shown
    )
    return (
        "<h2>Numbers</h2>\n<p>A number of a drawn face means little alone. Beside each stands "
        "the same number for real photographs, the best that can be expected, and what chance "
        'would give.</p>\n<div class="scroll"><table><thead><tr><th>Measure</th>'
        f'<th class="number">Drawn</th>{_column(beside)}<th class="number">Photographs</th>'
        '<th class="number">Chance</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _column(beside: Beside | None) -> str:
    return "" if beside is None else f'<th class="number">{escape(beside.name)}</th>'


def _number(measure: Measure, name: MeasureName, others: Sequence[Measure | None]) -> str:
    def written(value: float | None) -> str:
        return "" if value is None else name.written(value)

    cells = [written(measure.drawn)]
    cells += ["" if m is None else _other(m, measure.chance, written) for m in others]
    cells += [written(measure.real), written(measure.chance)]
    columns = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return (
        f"<tr><td>{escape(name.title)}<small>{escape(name.explanation)} Measured on "
        f"{measure.count:,}.</small></td>{columns}</tr>"
    )


def _other(
    found: Measure | StatementAccuracy,
    chance: float | None,
    written: Callable[[float | None], str],
) -> str:
    """Another program's number; below it, what chance gives with its pictures if that differs."""
    below = "" if found.chance == chance else f"<small>chance {written(found.chance)}</small>"
    return f"{written(found.drawn)}{below}"


def _statements(results: Sequence[StatementAccuracy], beside: Beside | None) -> str:
    others = {(r.attribute, r.asked): r for r in beside.statements} if beside else {}
    lines = "".join(
        _statement(result, [others[result.attribute, result.asked]] if beside else [])
        for result in results
    )
    return (
        "<h2>What was asked, what is seen</h2>\n<p>Of pictures whose descriptions say something, "
        "the share in which a classifier sees it. The bar is for drawn faces; the line is what "
        "it sees in the photographs of the same descriptions, the dots what it sees in drawn faces "
        "of any description. A bar at the dots means that the words change nothing. Rows are "
        f"faint where the classifier itself is unsure of photographs (below {RELIABLE:.0%} "
        'balanced accuracy).</p>\n<div class="scroll"><table><thead><tr><th>Asked for</th>'
        f'<th></th><th class="number">Drawn</th>{_column(beside)}'
        '<th class="number">Photographs</th>'
        '<th class="number">Chance</th><th class="number">Pictures</th>'
        '<th class="number">Classifier</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _statement(result: StatementAccuracy, others: Sequence[StatementAccuracy]) -> str:
    def written(share: float | None) -> str:
        return "" if share is None else f"{share:.0%}"

    words = result.attribute.replace("_", " ").lower().replace("5 o clock", "five o'clock")
    cells = [written(result.drawn), *(_other(r, result.chance, written) for r in others)]
    cells += [written(result.real), written(result.chance)]
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    bar = (
        f'<div class="bar"><i style="width:{result.drawn:.1%}"></i>'
        f'<b style="left:{result.real:.1%}"></b>'
        f'<b class="chance" style="left:{result.chance:.1%}"></b></div>'
    )
    faint = "" if result.classifier >= RELIABLE else ' class="faint"'
    return (
        f"<tr{faint}><td>{escape(words if result.asked else f'not {words}')}</td><td>{bar}</td>"
        f'{numbers}<td class="number">{result.count}</td>'
        f'<td class="number">{result.classifier:.0%}</td></tr>'
    )


def _nearest(distances: NDArray[np.float64], *, shows_photographs: bool) -> str:
    if not shows_photographs:
        return (
            "<h2>Is anybody copied?</h2>\n<p>The drawn faces that are most alike a training "
            "photograph, the nearest first: their pixels differ by "
            f"{distances[0]:.1f} to {distances[-1]:.1f} levels of 255.</p>\n"
            f"{_figure('nearest.png', 'Drawn; the photographs are not shown')}"
        )
    return (
        "<h2>Is anybody copied?</h2>\n<p>The drawn faces (above) that are most alike a training "
        "photograph (below), the nearest first: their pixels differ by "
        f"{distances[0]:.1f} to {distances[-1]:.1f} levels of 255. The same person in both rows "
        f"would be a copy.</p>\n{_figure('nearest.png', 'Drawn above, nearest photograph below')}"
    )


def _making(evaluation: Evaluation) -> str:
    data = evaluation.data
    facts = {
        "weights": f"SHA-256 {evaluation.weights_sha256}",
        "data": f"{data.folder} ({data.reader}), fingerprint {data.fingerprint}",
        "photographs": f"{data.training:,} to learn from, {data.held_out:,} held out",
        "seed": str(evaluation.seed),
        "seconds": ", ".join(f"{name} {value:.0f}" for name, value in evaluation.seconds.items()),
        "commit": evaluation.commit or "unknown",
        "versions": ", ".join(f"{name} {v}" for name, v in evaluation.versions.items()),
    }
    if evaluation.beside is not None:
        facts["beside"] = f"{evaluation.beside.name}, SHA-256 {evaluation.beside.sha256}"
    absent = {f"no {name}": reason for name, reason in evaluation.absent.items()}
    lines = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
        for name, text in {**facts, **absent}.items()
    )
    return f"<h2>How it was measured</h2>\n<dl>{lines}</dl>"
