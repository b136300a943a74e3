"""
What our pages ask of Sphinx: ``flask-commands``, ``token-states``, and names as users import them.

The modules beside this one know no Sphinx, so that the tests can hold them without it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import commands
import public_names
import token_states

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from parentauth import _lifecycle, _tokens
from parentauth.flask import _cli


class FlaskCommands(SphinxDirective):
    """Write one section per command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        for source in (commands.__file__, *Path(_cli.__file__).parent.glob("*.py")):
            self.env.note_dependency(str(source))
        return [_section(name, command) for name, command in commands.commands_of(_cli.group)]


class TokenStates(SphinxDirective):
    """Draw the states, and list the arrows as a table for who does not see the drawing."""

    def run(self) -> list[nodes.Node]:
        """Return both."""
        for module in (token_states, _tokens, _lifecycle):
            self.env.note_dependency(str(module.__file__))
        found = token_states.transitions()
        return [nodes.raw("", token_states.drawing(found), format="html"), _table(found)]


def _section(name: str, command: click.Command) -> nodes.section:
    section = nodes.section(ids=[nodes.make_id(f"parentauth-{name}")])
    section += nodes.title(text=name)
    texts, example = commands.described(command)
    section += [nodes.paragraph(text=text) for text in texts]
    usage = " ".join(["flask parentauth", name, "[OPTIONS]", *commands.arguments_of(command)])
    section += nodes.literal_block(usage, usage, language="text")
    options = nodes.definition_list()
    for option, text in commands.options_of(command):
        options += nodes.definition_list_item(
            "",
            nodes.term("", "", nodes.literal(text=option)),
            nodes.definition("", nodes.paragraph(text=text)),
        )
    if len(options):
        section += options
    if example:
        section += nodes.paragraph(text="For example:")
        section += nodes.literal_block(example, f"$ {example}", language="console")
    return section


def _table(found: Mapping[tuple[str, str], Iterable[str]]) -> nodes.table:
    table = nodes.table()
    group = nodes.tgroup(cols=3)
    table += group
    for width in (1, 3, 1):
        group += nodes.colspec(colwidth=width)
    head, body = nodes.thead(), nodes.tbody()
    group += head
    group += body
    head += _row("from", "when", "to")
    for (before, after), verbs in found.items():
        for verb in verbs:
            body += _row(before, verb, after)
    return table


def _row(*cells: str) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph(text=cell))
    return row


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("flask-commands", FlaskCommands)
    app.add_directive("token-states", TokenStates)
    app.connect("builder-inited", lambda _: public_names.rehome())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
