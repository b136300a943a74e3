"""Every command of ``flask parentauth``, from its own help."""

import inspect

from collections.abc import Iterator

import click


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
