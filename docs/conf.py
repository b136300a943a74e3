"""How Sphinx builds the documentation: `make docs`."""

import builtins
import sys
import tomllib

from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "parentauth"
author = "the parentauth authors"
project_copyright = "2026, the parentauth authors"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "directives",  # Ours, in _ext/.
]
exclude_patterns = ["_build"]
language = "en"

# Every reference must lead somewhere. The build asks no other site, so that what belongs to Python
# and to the libraries beneath is named here.
nitpicky = True
nitpick_ignore = {
    (role, name) for role in ("py:class", "py:exc", "py:func") for name in dir(builtins)
}
BENEATH = (
    "alembic argon2 attr attrs blinker click collections contextlib datetime email enum flask"
    " hypothesis ipaddress itsdangerous jinja2 os pathlib smtplib sqlalchemy ssl typing"
    " typing_extensions uuid werkzeug zoneinfo"
)
nitpick_ignore_regex = [(r"py:.*", rf"({'|'.join(BENEATH.split())})\..*")]

autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Source"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"parentauth {release}"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b726c", "color-brand-content": "#0b726c"},
    "dark_css_variables": {"color-brand-primary": "#7fd6cd", "color-brand-content": "#7fd6cd"},
}
