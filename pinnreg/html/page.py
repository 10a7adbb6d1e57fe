"""A page as one file: nothing in it is fetched from elsewhere, and it follows the reader's choice of light or dark."""

from __future__ import annotations

from pinnreg.html.elements import Html, element, joined, text

GENERATOR = "pinnreg report"
MARK = f'name="generator" content="{GENERATOR}"'
"""What pages say of their origin, so that no file of another is replaced."""

# Figures keep a white ground also in the dark, since their colours are made for it.
STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --card: #f5f6f8; --ink: #1b1f24; --faint: #59636e; --line: #d5dae0;
  --good: #0a6b3d; --bad: #a3290f; --open: #7a5200;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --card: #1f242a; --ink: #e8ebee; --faint: #a3adb8; --line: #39414a;
    --good: #63d39b; --bad: #ff9a80; --open: #f0c060;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem clamp(0.9rem, 3vw, 2.5rem) 3rem; max-width: 80rem;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere;
}
h1 { margin: 0.4rem 0 0.3rem; font-size: clamp(1.5rem, 4.5vw, 2.1rem); line-height: 1.2; }
h2 { margin: 2.4rem 0 0.7rem; padding-top: 0.9rem; border-top: 1px solid var(--line); font-size: 1.25rem; }
h3 { margin: 1.3rem 0 0.4rem; font-size: 1rem; }
.equation { margin: 0 0 1.1rem; color: var(--faint); font-size: 1.08rem; }
.status { display: inline-block; padding: 0.1rem 0.65rem; border: 1px solid; border-radius: 1rem; font-size: 0.9rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
.summary { margin: 0; padding: 0.9rem 1.1rem 0.9rem 2.1rem; background: var(--card); border-radius: 0.6rem; }
.summary li { margin: 0.25rem 0; }
.wide { margin: 0 0 0.9rem; overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.95rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 0.8rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--faint); font-weight: 600; }
th, td { white-space: nowrap; }
.number { text-align: right; }
figure { margin: 0 0 1.5rem; }
.picture { background: #ffffff; border: 1px solid var(--line); border-radius: 0.6rem; }
.picture img { display: block; width: 100%; min-width: 46rem; height: auto; padding: 0.4rem; }
figcaption { margin-top: 0.35rem; color: var(--faint); font-size: 0.9rem; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.25rem 1.2rem; margin: 0.6rem 0; }
dt { color: var(--faint); } dd { margin: 0; }
details { margin: 0.8rem 0; } details > summary { cursor: pointer; color: var(--faint); }
pre {
  margin: 0.6rem 0; padding: 0.9rem; overflow-x: auto; background: var(--card); border-radius: 0.6rem;
  font: 0.85rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: normal;
}
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.92em; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.4rem; } }
@media print { .wide { overflow: visible; } .picture img { min-width: 0; } }
"""


def page(title: str, body: Html) -> str:
    """A whole page.

    Args:
        title: in the window's frame.
        body: all that it shows.
    """
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=GENERATOR),
        element("title", text(title)),
        element("link", rel="icon", href="data:,"),  # or browsers ask for one
        element("style", Html(STYLE)),
    ]
    whole = element("html", element("head", joined(head)), element("body", element("main", body)), lang="en")
    return f"<!doctype html>\n{whole}\n"
