"""
Names every public object by the module that users import it from.

The code lives in private modules; the documentation, and every reference in it, shows
``parentauth.Account`` and never ``parentauth._model.Account``.
"""

import inspect

from importlib import import_module
from types import ModuleType
from typing import Final

# A name of two modules is documented in the first one.
MODULES: Final = (
    "parentauth",
    "parentauth.ports",
    "parentauth.exceptions",
    "parentauth.settings",
    "parentauth.pages",
    "parentauth.mailers",
    "parentauth.throttles",
    "parentauth.storage.memory",
    "parentauth.storage.sqlalchemy",
    "parentauth.flask",
    "parentauth.testing",
    "parentauth.testing.strategies",
)


def public_names(module: ModuleType) -> list[str]:
    """Return what *module* offers: its ``__all__``, or what it defines without an underscore."""
    offered = getattr(module, "__all__", None)
    if offered is not None:
        return list(offered)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def rehome() -> None:
    """Tell classes and functions that they live where they are imported from."""
    done: set[int] = set()
    for name in MODULES:
        module = import_module(name)
        for each in public_names(module):
            value = getattr(module, each)
            if id(value) in done or not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            if value.__module__.startswith("parentauth"):
                value.__module__ = name
                done.add(id(value))
