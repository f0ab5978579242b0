"""Static charts: every number is a release's, what is not there has a mark of its own, SVG and PNG are one geometry."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import pytest

from engagement.exchange import charts, drawing
from engagement.exchange.drawing import Box, Dot, Drawing, Line, Words

SVG = "{http://www.w3.org/2000/svg}"
DRAWS = (charts.shares_by_round, charts.gap_by_round)


def words_of(made: Drawing) -> list[str]:
    return [shape.text for shape in made.shapes if isinstance(shape, Words)]


def dots(made: Drawing, shape: str) -> list[Dot]:
    return [dot for dot in made.shapes if isinstance(dot, Dot) and dot.shape == shape]


def printed(history) -> set[int]:
    """Every whole number that the figures of these releases hold, shares, gaps, ends and round numbers."""
    found: set[int] = set()

    def walk(value):
        if isinstance(value, dict):
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, int):
            found.add(value)

    walk([content["items"] for content in history])
    return found | {content["round"]["number"] for content in history}


def test_every_number_of_a_chart_is_in_a_release(history):
    """Walk all charts of all items: each number in words, titles and descriptions is released, or of the axis."""
    allowed = printed(history)
    for key in charts.keys_of(history[-1]):
        for draw in (*DRAWS, lambda h, k: charts.shares_now(h[-1], k)):
            made = draw(history, key)
            axis = set(range(-100, 101, 20))
            for text in (*words_of(made), made.title, made.description):
                for sign, number in re.findall(r"([−-]?)(\d+)", text):
                    value = -int(number) if sign else int(number)
                    assert value in allowed | axis or abs(value) in allowed, (key, text)


def test_points_lie_where_their_figures_are(history):
    """A share of 80 is drawn four fifths up the axis, in both arms' own marks and colours."""
    made = charts.shares_by_round(history, "owned")
    ticks = {
        shape.text: shape.y - 5
        for shape in made.shapes
        if isinstance(shape, Words) and shape.text.endswith("%")
    }
    zero, hundred = ticks["0%"], ticks["100%"]
    leaders = [dot for dot in dots(made, "circle") if dot.y > 30]
    members = [dot for dot in dots(made, "square") if dot.y > 30]
    shares = [charts.item_of(content, "owned")["groups"] for content in history]
    for drawn, arm in ((leaders, "leader"), (members, "grassroots")):
        expected = [group[arm]["share"] for group in shares if group[arm]["mark"] == "shown"]
        found = [round(100 * (zero - dot.y) / (zero - hundred)) for dot in drawn]
        assert found == expected and {dot.colour for dot in drawn} == {charts.COLOUR[arm]}


def test_hidden_not_asked_nobody_and_zero_are_four_marks(release, item):
    """A hidden round is a cross, one that did not ask a stroke, one without leaders a ring, and a gap of 0 a point."""
    hidden = item("owned", (3, 4, 8), (20, 80, 150))
    nobody = item("owned", (0, 0, 0), (20, 80, 150))
    zero = item("owned", (25, 50, 60), (40, 80, 150))
    assert zero["gap"]["points"] == 0 and zero["gap"]["cap"] is None
    made = charts.gap_by_round(
        [release(1, hidden), release(2, item("informed")), release(3, nobody), release(4, zero)], "owned"
    )
    # One in the plot and one in the legend of each.
    assert len(dots(made, "cross")) == len(dots(made, "ring")) == 2
    assert len([s for s in made.shapes if isinstance(s, Line) and s.width == 3]) == 2
    assert len(dots(made, "circle")) == 1 and "0" in words_of(made)
    assert {"Not published", "Not asked", "Nobody invited"} <= set(words_of(made))
    assert (
        "Round 1: gap not published. Round 2: gap not asked. Round 3: gap nobody invited. Round 4: gap 0 points."
        in (made.description)
    )
    assert len([s for s in made.shapes if isinstance(s, Box)]) == 3


def test_a_new_wording_breaks_the_line(history):
    """No line joins the rounds before and after a new wording, and a dotted rule says why."""
    made = charts.gap_by_round(history, "owned")
    joins = [s for s in made.shapes if isinstance(s, Line) and s.width == 2.5]
    # Nine rounds, the fourth hidden, the seventh reworded: 1-2-3, 5-6, 7-8-9.
    assert len(joins) == 5 and "New wording: not one line" in words_of(made)


def test_capped_figures_say_so(history):
    """A figure at the end of what is printed has its sign in the chart and its words in the description."""
    made = charts.shares_by_round(history, "owned")
    assert "≥ 90" in words_of(made) and "Round 8: leaders at least 90%" in made.description
    assert not any(text == "90%" for text in words_of(made))


def test_one_round_names_each_group_and_the_gap(history):
    """The chart of one round gives each share and the gap in words; hidden arms leave their total."""
    assert {"Leaders: 80%", "Grassroots members: 20%", "Gap: 65 points"} <= set(
        words_of(charts.shares_now(history[8], "owned"))
    )
    hidden = words_of(charts.shares_now(history[3], "owned"))
    assert {"Leaders: not published", "Both together: 35%", "Gap: not published"} <= set(hidden)


@pytest.mark.parametrize("width", [420, 640])
@pytest.mark.parametrize("draw", DRAWS)
def test_nothing_leaves_the_paper(history, draw, width):
    """All marks and the ends of all words lie on the drawing, on a phone's width too."""
    for key in charts.keys_of(history[-1]):
        made = draw(history, key, width)
        for shape in made.shapes:
            if isinstance(shape, Words):
                span = 0.62 * shape.size * len(shape.text)
                start = shape.x - {"start": 0, "middle": span / 2, "end": span}[shape.anchor]
                assert start >= -2 and start + span <= width + 2, shape
                assert 0 < shape.y <= made.height
            elif isinstance(shape, Dot):
                assert shape.x - shape.size >= 0 and shape.x + shape.size <= width
                assert shape.y - shape.size >= 0 and shape.y + shape.size <= made.height


def test_svg_is_plain_and_says_what_it_shows(history):
    """The SVG parses, has title and description, and holds no script, style, link or address."""
    text = drawing.to_svg(charts.shares_by_round(history, "owned"), "x")
    root = ElementTree.fromstring(text)
    assert root.find(f"{SVG}title").text.startswith("Belongs to its members")
    assert root.find(f"{SVG}desc").text.startswith("Round 1: leaders 65%")
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{t}" for t in ("svg", "title", "desc", "path", "circle", "text")
    }
    assert not re.search(r"style=|href|script|http(?!://www\.w3\.org/2000/svg)|on\w+=", text)
    assert root.get("role") == "img" and root.get("aria-labelledby") == "x-t x-d"


def test_typed_words_stay_words(release, item):
    """A group's name with markup in it is text in the SVG."""
    content = release(1, item())
    content["groups"][0]["label"] = "<script>&"
    text = drawing.to_svg(charts.shares_by_round([content], "owned"))
    assert "&lt;script&gt;&amp;" in text and "<script>" not in text


def test_png_is_the_same_drawing_at_twice_the_size(history):
    """The PNG has twice the size, its text inside, and each mark's colour at each mark's place."""
    from PIL import Image

    made = charts.shares_by_round(history, "owned")
    picture = Image.open(io.BytesIO(drawing.to_png(made)))
    assert picture.size == (2 * made.width, 2 * made.height)
    assert picture.text["Description"] == made.description
    for dot in made.shapes:
        if isinstance(dot, Dot) and dot.shape in ("circle", "square") and dot.y > 30:
            seen = picture.convert("RGB").getpixel((round(2 * dot.x), round(2 * dot.y)))
            assert "#{:02X}{:02X}{:02X}".format(*seen) == dot.colour


def test_without_the_packaged_font_words_are_spelt_in_plain_letters(history, monkeypatch):
    """Where Streamlit ships no font, Pillow's own draws the same words in letters that it has."""
    monkeypatch.setattr(drawing, "_font_file", lambda: None)
    _, text = drawing._font(20, False, "≥ 90 − Müller’s")
    assert text == ">= 90 - Muller's"
    assert drawing.to_png(charts.shares_now(history[-1], "owned")).startswith(b"\x89PNG")


def test_dashes_cover_a_line_without_leaving_it():
    """A dashed line is short lines from its start to within one gap of its end."""
    parts = drawing._dashes(Line(0, 0, 30, 40, "#000000", 1, (6, 4)))
    assert len(parts) == 5 and (parts[0].x1, parts[0].y1) == (0, 0)
    assert all(part.x2 <= 30 and part.y2 <= 40 for part in parts)


def test_colours_reach_the_contrast_of_their_use():
    """Words have 4.5 to 1 on white, marks 3 to 1 (WCAG 1.4.3 and 1.4.11)."""

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in (charts.INK, charts.FAINT, *charts.COLOUR.values()):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5, colour
