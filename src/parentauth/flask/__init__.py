"""
parentauth for Flask: the pages, the signed-in parent, two decorators, a command group.

>>> from parentauth.flask import ParentAuth, child_required, current_child
"""

from parentauth.flask._access import (
    child_required,
    current_child,
    current_parent,
    current_present,
    parent_required,
)
from parentauth.flask._extension import ParentAuth, auth_of
from parentauth.flask._signals import signal_of

__all__ = [
    "ParentAuth",
    "auth_of",
    "child_required",
    "current_child",
    "current_parent",
    "current_present",
    "parent_required",
    "signal_of",
]
