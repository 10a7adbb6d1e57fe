"""The parts of a page: text is escaped where it becomes HTML, and nowhere else."""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NewType

Html = NewType("Html", str)
"""Text that is HTML already; any other has to go through `text`."""

LONELY = ("img", "link", "meta")
"""Elements without content."""


def text(value: object) -> Html:
    """A value as it is to be read, whatever signs are in it.

    >>> text("a < b & c")
    'a &lt; b &amp; c'
    """
    return Html(html.escape(str(value)))


def joined(parts: Iterable[Html]) -> Html:
    """One after the other."""
    return Html("".join(parts))


def element(tag: str, /, *content: Html, **attributes: str) -> Html:
    """An element; a trailing underscore of an attribute's name is left out.

    >>> element("p", text("1 < 2"), class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    said = "".join(f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items())
    return Html(f"<{tag}{said}>" if tag in LONELY else f"<{tag}{said}>{joined(content)}</{tag}>")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> Html:
    """A table that scrolls on its own where it is wider than the page.

    Args:
        columns: headings.
        rows: texts.
        right: the columns of numbers.
    """
    places = [{"class_": "number"} if number in right else {} for number in range(len(columns))]
    head = joined(element("th", text(each), scope="col", **place) for each, place in zip(columns, places, strict=True))
    body = joined(
        element("tr", *(element("td", text(each), **place) for each, place in zip(row, places, strict=True)))
        for row in rows
    )
    whole = element("table", element("thead", element("tr", head)), element("tbody", body))
    return element("div", whole, class_="wide", tabindex="0")


def pairs(values: Mapping[str, str]) -> Html:
    """Names and what they stand for, one below the other."""
    return element(
        "dl", *(part for key, each in values.items() for part in (element("dt", text(key)), element("dd", text(each))))
    )


def image(content: bytes, caption: str) -> Html:
    """A PNG inside the page, which keeps a legible size and scrolls on its own where the page is narrower."""
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return element(
        "figure",
        element("div", element("img", src=source, alt=caption), class_="wide picture", tabindex="0"),
        element("figcaption", text(caption)),
    )


def folded(title: str, *content: Html) -> Html:
    """What is shown only when asked for."""
    return element("details", element("summary", text(title)), *content)
