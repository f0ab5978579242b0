"""A drawing of lines, boxes, marks and words, written as SVG or painted as PNG from the same geometry.

Pure: units are pixels from the top left. Nothing here knows of surveys; `engagement.exchange.charts` does.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from unicodedata import combining, normalize
from xml.sax.saxutils import escape

FONT = "Arial, Helvetica, sans-serif"
# Painted four times as large and halved once: edges come out smooth, and print at twice the size on screen.
_LARGE, _HALF = 4, 2
# What the font that Pillow carries lacks, in its own letters.
_PLAIN = str.maketrans({"≥": ">=", "≤": "<=", "−": "-", "–": "-", "’": "'", "“": '"', "”": '"', "…": "..."})


@dataclass(frozen=True)
class Line:
    """A straight line; `dash` of (on, off) pixels, solid without."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 1.0
    dash: tuple[float, float] | None = None


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Dot:
    """A mark round a centre: "circle", "square", "ring" (a hollow circle) or "cross"; `size` is its half width."""

    x: float
    y: float
    size: float
    shape: str
    colour: str


@dataclass(frozen=True)
class Words:
    """One line of text; `y` is its base line, `anchor` "start", "middle" or "end"."""

    x: float
    y: float
    text: str
    colour: str
    size: float = 14.0
    anchor: str = "start"
    bold: bool = False


Shape = Line | Box | Dot | Words


@dataclass(frozen=True)
class Drawing:
    """Shapes on a white ground, painted in order, with a title and a full description in words."""

    width: int
    height: int
    title: str
    description: str
    shapes: tuple[Shape, ...]


def to_svg(drawing: Drawing, name: str = "chart") -> str:
    """The drawing as an SVG element without script or style. `name` makes its ids differ from another's on a page."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{name}-t {name}-d" '
        f'viewBox="0 0 {drawing.width} {drawing.height}" width="{drawing.width}" height="{drawing.height}" '
        f'font-family="{FONT}">',
        f'<title id="{name}-t">{escape(drawing.title)}</title>',
        f'<desc id="{name}-d">{escape(drawing.description)}</desc>',
        f'<path fill="#fff" d="M0 0h{drawing.width}v{drawing.height}H0z"/>',
        *map(_svg, drawing.shapes),
        "</svg>",
    ]
    return "".join(parts)


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _svg(shape: Shape) -> str:
    match shape:
        case Line(x1, y1, x2, y2, colour, width, dash):
            dashes = f' stroke-dasharray="{_n(dash[0])} {_n(dash[1])}"' if dash else ""
            ends = f'd="M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}"'
            return f'<path stroke="{colour}" stroke-width="{_n(width)}"{dashes} {ends}/>'
        case Box(x, y, width, height, colour):
            return f'<path fill="{colour}" d="M{_n(x)} {_n(y)}h{_n(width)}v{_n(height)}h{_n(-width)}z"/>'
        case Dot(x, y, size, "circle", colour):
            return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}" fill="{colour}"/>'
        case Dot(x, y, size, "ring", colour):
            return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}" fill="#fff" stroke="{colour}" stroke-width="2"/>'
        case Dot(x, y, size, "square", colour):
            return _svg(Box(x - size, y - size, 2 * size, 2 * size, colour))
        case Dot(x, y, size, "cross", colour):
            return "".join(_svg(line) for line in _cross(x, y, size, colour))
        case Words(x, y, text, colour, size, anchor, bold):
            place = "" if anchor == "start" else f' text-anchor="{anchor}"'
            weight = ' font-weight="bold"' if bold else ""
            return (
                f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{colour}"{place}{weight}>'
                f"{escape(text)}</text>"
            )
    raise ValueError(f"no such shape: {shape}")


def _cross(x: float, y: float, size: float, colour: str) -> tuple[Line, Line]:
    return (
        Line(x - size, y - size, x + size, y + size, colour, 2),
        Line(x - size, y + size, x + size, y - size, colour, 2),
    )


@cache
def _font_file() -> Path | None:
    """The open font that Streamlit ships; None where it does not, and then Pillow's own is used."""
    spec = find_spec("streamlit")
    media = Path(spec.origin).parent / "static" if spec and spec.origin else None
    return next(iter(sorted(media.rglob("SourceSansVF-Upright*"))), None) if media else None


def to_png(drawing: Drawing) -> bytes:
    """The drawing as a PNG of twice its size, with its description in the file."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    picture = Image.new("RGB", (drawing.width * _LARGE, drawing.height * _LARGE), "#ffffff")
    pen = ImageDraw.Draw(picture)
    for shape in drawing.shapes:
        _paint(pen, shape)
    info = PngInfo()
    info.add_itxt("Title", drawing.title)
    info.add_itxt("Description", drawing.description)
    out = io.BytesIO()
    picture.reduce(_HALF).save(out, "PNG", pnginfo=info, optimize=True)
    return out.getvalue()


def _paint(pen, shape: Shape) -> None:
    k = _LARGE
    match shape:
        case Line(x1, y1, x2, y2, colour, width, None):
            pen.line((x1 * k, y1 * k, x2 * k, y2 * k), fill=colour, width=max(1, round(width * k)))
        case Line():
            for part in _dashes(shape):
                _paint(pen, part)
        case Box(x, y, width, height, colour):
            pen.rectangle((x * k, y * k, (x + width) * k - 1, (y + height) * k - 1), fill=colour)
        case Dot(x, y, size, "square", colour):
            _paint(pen, Box(x - size, y - size, 2 * size, 2 * size, colour))
        case Dot(x, y, size, "cross", colour):
            for line in _cross(x, y, size, colour):
                _paint(pen, line)
        case Dot(x, y, size, kind, colour):
            ends = ((x - size) * k, (y - size) * k, (x + size) * k, (y + size) * k)
            ring = (
                {"fill": "#ffffff", "outline": colour, "width": 2 * k} if kind == "ring" else {"fill": colour}
            )
            pen.ellipse(ends, **ring)
        case Words(x, y, text, colour, size, anchor, bold):
            font, text = _font(size * k, bold, text)
            place = {"start": "l", "middle": "m", "end": "r"}[anchor] + "s"
            pen.text((x * k, y * k), text, fill=colour, font=font, anchor=place)


def _font(size: float, bold: bool, text: str):
    from PIL import ImageFont

    file = _font_file()
    if file is None:
        bare = "".join(c for c in normalize("NFKD", text.translate(_PLAIN)) if not combining(c))
        return ImageFont.load_default(size), bare
    font = ImageFont.truetype(str(file), round(size))
    font.set_variation_by_axes([700 if bold else 400])
    return font, text


def _dashes(line: Line) -> list[Line]:
    """A dashed line as the short lines it is made of."""
    length = math.hypot(line.x2 - line.x1, line.y2 - line.y1)
    on, off = line.dash
    out, at = [], 0.0
    while at < length:
        a, b = at / length, min(at + on, length) / length
        out.append(
            Line(
                line.x1 + a * (line.x2 - line.x1),
                line.y1 + a * (line.y2 - line.y1),
                line.x1 + b * (line.x2 - line.x1),
                line.y1 + b * (line.y2 - line.y1),
                line.colour,
                line.width,
            )
        )
        at += on + off
    return out
