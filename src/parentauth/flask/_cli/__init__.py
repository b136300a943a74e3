"""The commands: ``flask parentauth …``, each one verb of the school or of the worker."""

from parentauth.flask._cli import (
    _accounts,
    _delivery,
    _families,
    _invitations,
    _status,
    _tables,
)
from parentauth.flask._cli._group import group

__all__ = ["group"]

for _topic in (_tables, _families, _invitations, _delivery, _status, _accounts):
    for _command in _topic.COMMANDS:
        group.add_command(_command)
