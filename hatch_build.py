"""Compile the gettext catalogues; hatchling runs this for wheel, sdist and editable installs."""

import sys

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def compile_catalogue(po: Path) -> None:
    """Write the ``.mo`` beside its ``.po``; a text that nobody has confirmed (fuzzy) stays out."""
    with po.open("rb") as source:
        catalogue = read_po(source, locale=po.parts[-3], abort_invalid=True)
    mo = po.with_suffix(".mo")
    part = mo.with_suffix(".mo.part")
    with part.open("wb") as target:
        write_mo(target, catalogue)
    part.replace(mo)


class CatalogueHook(BuildHookInterface):
    """Make the ``.mo`` files before the build collects its files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's signature)
        """Compile every catalogue and name the results as artifacts."""
        root = Path(self.root)
        for po in sorted(root.glob("src/parentauth/locale/*/LC_MESSAGES/*.po")):
            compile_catalogue(po)
            build_data["artifacts"].append(po.with_suffix(".mo").relative_to(root).as_posix())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        compile_catalogue(Path(name))
