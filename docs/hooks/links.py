"""Links of Markdown files, led to where these are on the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote


def linked(text: str, origin: str, place: str, places: Mapping[str, str]) -> str:
    """Text with links to the site's pages.

    Args:
        text: Markdown without blocks of code.
        origin: the file that it is from, in the repository.
        place: its page on the site.
        places: the pages by the files that they are.
    """

    def lead(link: re.Match[str]) -> str:
        target, mark, section = link[1].partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), unquote(target)))
        if not target or path not in places:
            return link[0]
        return f"]({quote(posixpath.relpath(places[path], posixpath.dirname(place) or '.'))}{mark}{section})"

    return re.sub(r"\]\(([^)\s]+)\)", lead, text)
