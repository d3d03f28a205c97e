"""Leakage against the cut, as a picture in SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from statistics import fmean

from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .record import Audit
from .strength import FAMILIES, worst

_LEFT, _TOP, _HIGH, _RIGHT = 44, 34, 220, 60
#: Pixels that all cuts share, and between two of them at least and at most.
_ALL, _LEAST, _MOST = 640, 56, 140
#: Of a cut's name under the axis: letters that are shown, and their height once turned, in ems.
_LONGEST, _TURNED = 18, 0.65


def chart(audit: Audit) -> str:
    """The mean SSIM that each adversary reaches behind each cut, on an axis from 0 to 1."""
    names = [cut.at for cut in audit.cuts]
    wide = max(420, _across(len(names) - 1, len(names)) + _RIGHT)
    letters = max(min(len(name), _LONGEST) for name in names)
    high = _TOP + _HIGH + 24 + round(8 * _TURNED * letters)
    label = "Mean SSIM of what is recovered, by cut: " + "; ".join(
        f"{name} {', '.join(f'{FAMILIES[family]} {value:.2f}' for family, value in reached)}"
        for name, reached in _reached(audit)
    )
    return "\n".join(
        [
            f'<svg viewBox="0 0 {wide} {high}" width="{wide}" role="img" '
            f'aria-label="{escape(label)}">',
            *_axes(names, wide),
            *(part for family in FAMILIES for part in _line(audit, family)),
            *_legend(audit),
            "</svg>",
        ]
    )


def _reached(audit: Audit) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for cut in audit.cuts:
        found = ((family, worst(cut, family)) for family in FAMILIES)
        yield cut.at, [(family, fmean(each.ssim)) for family, each in found if each]


def _across(place: int, count: int) -> int:
    return _LEFT + 30 + place * max(_LEAST, min(_MOST, _ALL // count))


def _down(value: float) -> float:
    return round(_TOP + _HIGH * (1 - min(1.0, max(0.0, value))), 1)


def _axes(names: list[str], wide: int) -> Iterator[str]:
    yield f'<text x="{_LEFT - 6}" y="18" text-anchor="end">SSIM</text>'
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = _down(value)
        yield f'<line class="rule" x1="{_LEFT}" x2="{wide - 8}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    y = _down(RECOGNISABLE_SSIM)
    yield f'<line class="limit" x1="{_LEFT}" x2="{wide - 8}" y1="{y}" y2="{y}"/>'
    yield f'<text x="{wide - 8}" y="{y - 5}" text-anchor="end">recognisable above</text>'
    for place, name in enumerate(names):
        x, y = _across(place, len(names)), _TOP + _HIGH + 16
        shown = name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
        turned = f'transform="rotate(-40 {x} {y})"'
        yield f'<text x="{x}" y="{y}" text-anchor="end" {turned}>{escape(shown)}</text>'


def _line(audit: Audit, family: str) -> Iterator[str]:
    points = [
        (_across(place, len(audit.cuts)), _down(value))
        for place, (_, reached) in enumerate(_reached(audit))
        for name, value in reached
        if name == family
    ]
    if points:
        path = " ".join(f"{x},{y}" for x, y in points)
        yield f'<polyline class="{family}" points="{path}"/>'
        yield from (_mark(family, x, y) for x, y in points)


def _mark(family: str, x: float, y: float) -> str:
    """A disc, a box or a diamond, so that colour is not all that tells them apart."""
    if family == "white_box":
        return f'<circle class="{family}" cx="{x}" cy="{y}" r="4"/>'
    turned = f' transform="rotate(45 {x} {y})"' if family == "query_free" else ""
    return f'<rect class="{family}" x="{x - 4}" y="{y - 4}" width="8" height="8"{turned}/>'


def _legend(audit: Audit) -> Iterator[str]:
    x = _LEFT + 8
    ran = {name for _, reached in _reached(audit) for name, _ in reached}
    for family, title in FAMILIES.items():
        if family in ran:
            yield _mark(family, x, 14)
            yield f'<text x="{x + 10}" y="18">{title}</text>'
            x += 100
