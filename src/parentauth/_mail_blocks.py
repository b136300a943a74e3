"""
The blocks of a mail, and its two forms: text for every program, and HTML.

One column, inline styles, no picture, no colour that a dark mode would turn unreadable;
every link shows its address.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import attrs


@attrs.frozen
class Paragraph:
    """A few sentences."""

    text: str

    def as_text(self) -> str:
        """Return the sentences."""
        return self.text

    def as_html(self) -> str:
        """Return a paragraph."""
        return f"<p>{escape(self.text)}</p>"


@attrs.frozen
class Fact:
    """Something to note down, with its name."""

    label: str
    value: str

    def as_text(self) -> str:
        """Return name and value on one line."""
        return f"{self.label} {self.value}"

    def as_html(self) -> str:
        """Return name and value, the value emphasised."""
        return f"<p>{escape(self.label)} <strong>{escape(self.value)}</strong></p>"


@attrs.frozen
class Code:
    """The connection token, alone on its line so that it can be copied."""

    label: str
    code: str = attrs.field(repr=False)

    def as_text(self) -> str:
        """Return the name, and the token on a line of its own."""
        return f"{self.label}\n{self.code}"

    def as_html(self) -> str:
        """Return the name, and the token in a face that tells its letters apart."""
        return (
            f'<p>{escape(self.label)}<br><strong style="{_CODE}">{escape(self.code)}</strong></p>'
        )


@attrs.frozen
class Link:
    """An address alone on its line, where no mail program breaks it."""

    label: str
    url: str

    def as_text(self) -> str:
        """Return the name, and the address on a line of its own."""
        return f"{self.label}\n{self.url}"

    def as_html(self) -> str:
        """Return the name and the readable link."""
        href = escape(self.url)
        return f'<p>{escape(self.label)}<br><a href="{href}">{href}</a></p>'


@attrs.frozen
class Button:
    """The one link that the mail is about, with a token in it."""

    label: str
    url: str = attrs.field(repr=False)

    def as_text(self) -> str:
        """Return the address on a line of its own."""
        return f"{self.label}\n{self.url}"

    def as_html(self) -> str:
        """Return a real link in a button's dress, and its address in readable form."""
        href = escape(self.url)
        return (
            f'<p><a href="{href}" style="{_BUTTON}">{escape(self.label)}</a></p>'
            f'<p style="{_SMALL}"><a href="{href}">{href}</a></p>'
        )


Block = Paragraph | Fact | Code | Link | Button

_CODE: Final = "font:bold 20px/1.6 Consolas,Menlo,monospace;letter-spacing:1px"
_BUTTON: Final = (
    "display:inline-block;padding:14px 24px;border-radius:6px;background:#00695c;"
    "color:#ffffff;font-weight:bold;text-decoration:none"
)
_SMALL: Final = "font-size:14px;word-break:break-all"
_BODY: Final = "font:18px/1.5 Verdana,Arial,sans-serif;max-width:600px;margin:0 auto;padding:16px"
_FOOTER: Final = "font-size:15px;border-top:1px solid #808080;padding-top:12px;margin-top:24px"


def as_text(blocks: Iterable[Block], footer: Sequence[str]) -> str:
    """Return the text part."""
    parts = [block.as_text() for block in blocks]
    return "\n\n".join([*parts, "-- \n" + "\n".join(footer)]) + "\n"


def as_html(blocks: Iterable[Block], footer: Sequence[str], *, locale: str, title: str) -> str:
    """Return the HTML part; whatever a school or a parent is called stays text."""
    body = "\n".join(block.as_html() for block in blocks)
    lines = "<br>".join(escape(line) for line in footer)
    return f"""<!doctype html>
<html lang="{escape(locale)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
</head>
<body style="{_BODY}">
{body}
<p style="{_FOOTER}">{lines}</p>
</body>
</html>
"""
