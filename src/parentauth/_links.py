"""The addresses of our pages and the host's, over whatever a framework turns names into paths with."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

import attrs

from parentauth._model import Child
from parentauth.exceptions import ConfigurationError
from parentauth.settings import PREFIX, Settings

_NOBODY: Final = Child(id="0", name="", school_class="")
Resolve = Callable[[str, Mapping[str, str]], str]


@attrs.frozen
class HostLinks:
    """
    The :class:`~parentauth.pages.Links` of one host.

    Args:
        settings: Where the host said which pages are its own.
        ours: Gives the path of a page of ours by name, with a query.
        static: Gives the path of a file of ours.
        host: Gives the path of a page of the host's by name, with its values.
    """

    settings: Settings
    ours: Resolve
    static: Callable[[str], str]
    host: Resolve

    def page(self, name: str, /, **query: str) -> str:
        """Return the path of a page of ours."""
        return self.ours(name, {key: text for key, text in query.items() if text})

    def extra_stylesheet(self) -> str:
        """Return the host's stylesheet."""
        return self.settings.stylesheet

    def dashboard(self, child: Child) -> str:
        """Return the host's page of a child."""
        return self._host_page(self.settings.dashboard, child_id=child.id)

    def no_child(self) -> str | None:
        """Return the host's page for a parent without child."""
        return self.settings.no_child and self._host_page(self.settings.no_child)

    def check(self) -> None:
        """
        Ask for the host's pages once, before anything is done for a parent.

        Raises:
            ConfigurationError: The host has no such page.
        """
        for key, link in (
            ("DASHBOARD", partial(self.dashboard, _NOBODY)),
            ("NO_CHILD", self.no_child),
        ):
            try:
                link()
            except Exception as error:
                raise ConfigurationError(
                    f"{PREFIX}{key} leads nowhere; name an endpoint, with child_id for the "
                    "dashboard, or a path"
                ) from error

    def _host_page(self, target: str, **values: str) -> str:
        """Fill in a path, or ask the framework for the page of that name."""
        if not target.startswith("/"):
            return self.host(target, values)
        return target.replace("{child_id}", quote(values.get("child_id", ""), safe=""))
