"""The directive ``flask-commands``: every command of ``flask parentauth``, from its own help."""

import inspect

from collections.abc import Iterator
from typing import Any, ClassVar

import click

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx


def commands_of(
    group: click.Group, names: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Give every command with its whole name, groups opened, in order of the alphabet."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands_of(command, (*names, name))
        else:
            yield " ".join((*names, name)), command


def described(command: click.Command) -> tuple[list[str], str]:
    """Part a command's help into its paragraphs and its example."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    examples = [each for each in paragraphs if each.startswith("Example: ")]
    texts = [" ".join(each.split()) for each in paragraphs if each not in examples]
    return texts, "".join(examples).removeprefix("Example: ")


def arguments_of(command: click.Command) -> list[str]:
    """Return the arguments as the usage line shows them."""
    return [
        parameter.make_metavar(click.Context(command))
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    ]


def options_of(command: click.Command) -> list[tuple[str, str]]:
    """Return each option as it is typed, and what it does."""
    context = click.Context(command)
    records = (
        parameter.get_help_record(context)
        for parameter in command.params
        if isinstance(parameter, click.Option)
    )
    return [record for record in records if record is not None]


class FlaskCommands(Directive):
    """Write one section per command."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        from parentauth.flask._cli import group

        return [_section(name, command) for name, command in commands_of(group)]


def _section(name: str, command: click.Command) -> nodes.section:
    section = nodes.section(ids=[nodes.make_id(f"parentauth-{name}")])
    section += nodes.title(text=name)
    texts, example = described(command)
    section += [nodes.paragraph(text=text) for text in texts]
    usage = " ".join(["flask parentauth", name, "[OPTIONS]", *arguments_of(command)])
    section += nodes.literal_block(usage, usage, language="text")
    options = nodes.definition_list()
    for option, text in options_of(command):
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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("flask-commands", FlaskCommands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
