"""The report as one HTML page that opens from disk: no script, no link to elsewhere, pictures
embedded."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean

from .chart import chart
from .markdown import (
    CUT_HEADER,
    advice_of,
    attack_header,
    attack_row,
    cut_row,
    method_of,
    note_of,
    shown_rows,
    title_of,
)
from .record import Audit, CutAudit
from .strength import FAMILIES

STYLE = Path(__file__).with_name("report.css")
#: Columns of words, which stand to the left; long ones are broken into lines.
_WORDS = {"attack": "words", "was given": "long", "Pareto front": "long"}


def as_page(audit: Audit, pictures: Mapping[str, bytes]) -> str:
    """The whole report. `pictures` holds a PNG by cut."""
    return "\n".join(_parts(audit, pictures)) + "\n"


def _parts(audit: Audit, pictures: Mapping[str, bytes]) -> Iterator[str]:
    title = escape(title_of(audit))
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>"
    yield f"<style>\n{STYLE.read_text('utf-8')}</style>\n</head>\n<body>\n<main>"
    yield f"<h1>{title}</h1>"
    yield '<div class="advice">'
    yield from (f"<p>{escape(sentence)}</p>" for sentence in advice_of(audit))
    yield "</div>\n<h2>Cuts</h2>"
    if audit.cuts:
        yield _scrolling("Leakage by cut, a chart", chart(audit))
    yield _table(
        "What each cut leaks and costs",
        CUT_HEADER,
        [cut_row(audit, cut) for cut in audit.cuts],
        marked={cut.at for cut in audit.cuts if cut.at in audit.front},
        links={cut.at: f"#cut-{number}" for number, cut in enumerate(audit.cuts, 1)},
    )
    yield f'<p class="note">{escape(note_of(audit))}</p>'
    for number, cut in enumerate(audit.cuts, 1):
        yield f'<h2 id="cut-{number}">Behind {escape(cut.at)}</h2>'
        yield from _cut(audit, cut, pictures.get(cut.at))
    yield "<h2>How it was measured</h2>\n<ul>"
    yield from (f"<li>{escape(sentence)}</li>" for sentence in method_of(audit))
    yield "</ul>\n</main>\n<footer><p>Made by splitzoo audit.</p></footer>\n</body>\n</html>"


def _cut(audit: Audit, cut: CutAudit, picture: bytes | None) -> Iterator[str]:
    if picture is not None:
        yield _figure(cut, picture)
    rows = [attack_row(each) for each in (*cut.attacked, audit.floor)]
    yield _table(f"Attacks on what is sent behind {cut.at}", attack_header(audit), rows)
    if cut.left_out:
        yield '<ul class="note">'
        yield from (f"<li>left out: {escape(each)}</li>" for each in cut.left_out)
        yield "</ul>"


def _figure(cut: CutAudit, picture: bytes) -> str:
    rows = shown_rows(cut)
    found = "; ".join(
        f"{FAMILIES[each.family]}, mean SSIM {fmean(each.ssim):.2f}" for each in cut.attacked
    )
    words = f"From top to bottom: {', '.join(rows)}."
    data = base64.b64encode(picture).decode()
    width = int.from_bytes(picture[16:20], "big")  # of the PNG's header
    return (
        f'<figure style="max-width: {min(3 * width, 1100)}px">'
        f'<img src="data:image/png;base64,{data}" alt="Scored images and what was recovered of '
        f'them behind {escape(cut.at)}. {escape(words)} {escape(found)}">'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def _table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    marked: Iterable[str] = (),
    links: Mapping[str, str] | None = None,
) -> str:
    """A table in a frame that scrolls, the first column its rows' heads."""
    kinds = [f' class="{_WORDS[each]}"' if each in _WORDS else "" for each in header]
    kinds[0] = ' class="words"'
    heads = "".join(
        f'<th scope="col"{kind}>{escape(each)}</th>'
        for each, kind in zip(header, kinds, strict=True)
    )
    lines = []
    for first, *rest in rows:
        cells = "".join(
            f"<td{kind}>{escape(each)}</td>" for each, kind in zip(rest, kinds[1:], strict=True)
        )
        kind = ' class="front"' if first in marked else ""
        head = escape(first)
        if links and first in links:
            head = f'<a href="{links[first]}">{head}</a>'
        lines.append(f'<tr{kind}><th scope="row">{head}</th>{cells}</tr>')
    table = (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>\n{chr(10).join(lines)}\n</tbody></table>"
    )
    return _scrolling(caption, table)


def _scrolling(name: str, content: str) -> str:
    """A frame that scrolls sideways, which a keyboard reaches too."""
    region = f'class="scroll" role="region" aria-label="{escape(name)}" tabindex="0"'
    return f"<div {region}>{content}</div>"
