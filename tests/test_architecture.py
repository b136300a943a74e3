"""
Which module may import which: one direction, from values up to adapters.

A new module has to be given a place in :data:`LAYERS` before anything of it is accepted.
"""

import ast
import subprocess
import sys

from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(find_spec("parentauth").origin).parent

# Lowest first.  A module imports from lower layers, and from its own as long as there is no circle.
LAYERS: dict[str, str] = {
    "values": "_canonical _dates _events _inputs _model _next _outbox exceptions",
    "pure decisions": (
        "_addresses _blocklist _clients _codec _devices _documents _families _families_csv "
        "_hashing _lifecycle _mail_blocks _mails _messages _notices _passwords _resemblance "
        "_selection _sessions _site _slots _texts _tokens"
    ),
    "ports": "ports",
    "limits": "_fallback _throttling throttles",
    "beside": "_smtp mailers storage.*",
    "shell": (
        "_auth _configuration _drafts _importing _invitations _letters _office _parts _presence "
        "_redemption _reset _sign_in _upkeep _worker"
    ),
    "face": "parentauth settings",
    "page flow": (
        "_links _page_children _page_frame _page_password _page_sign_in _page_values _page_views "
        "_page_words _pages _visit pages"
    ),
    "adapters": "flask.* django.* testing.*",
}
# The only modules that may know a third party; all may use attrs, where they need it.
THIRD_PARTIES: dict[str, str] = {
    "argon2": "_hashing",
    "itsdangerous": "_codec _devices",
    "email_validator": "_addresses",
    "limits": "throttles",
    "sqlalchemy": "storage.*",
    "alembic": "storage.*",
    "pytest": "testing.*",
    "hypothesis": "testing.*",
    "flask": "flask.*",
    "flask_wtf": "flask.*",
    "wtforms": "flask.*",
    "werkzeug": "flask.*",
    "blinker": "flask.*",
    "click": "flask.*",
    "markupsafe": "flask.*",
    "django": "django.*",
    "typing_extensions": "*",
    "attrs": "*",
}
# What an author of an adapter of one's own can import, and ours no more than that.
PUBLIC = {"parentauth", "exceptions", "mailers", "pages", "ports", "settings", "throttles"}
# Account in, account out: time and randomness are arguments.
PURE = (
    "_canonical _dates _families _lifecycle _mail_blocks _mails _model _selection _sessions _tokens"
)
SHELL_AND_BELOW = ("values", "pure decisions", "ports", "limits", "shell", "face", "page flow")


def name_of(path: Path) -> str:
    """Return a module's name within the package; the package itself is ``parentauth``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts) or "parentauth"


@cache
def trees() -> dict[str, ast.Module]:
    """Return every module's source as a tree."""
    return {name_of(path): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}


def is_for_types(node: ast.AST) -> bool:
    """Tell whether it is ``if TYPE_CHECKING:``, which is not run."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Give all that is run, in functions too."""
    for child in ast.iter_child_nodes(node):
        if not is_for_types(child):
            yield child
            yield from run_nodes(child)


def imports_of(module: str) -> Iterator[str]:
    """Give the full name of everything that a module imports, in functions too."""
    for node in run_nodes(trees()[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner.removeprefix("parentauth.") in trees() else str(node.module)


def ours(module: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    found = {name for name in imports_of(module) if name.split(".")[0] == "parentauth"}
    return {name.removeprefix("parentauth.") for name in found}


def others(module: str) -> set[str]:
    """Return the third parties that a module imports."""
    tops = {name.split(".")[0] for name in imports_of(module)}
    return {top for top in tops if top not in sys.stdlib_module_names and top != "parentauth"}


def matches(module: str, patterns: str) -> bool:
    """Tell whether a module is named, or lies in a package that is."""
    return any(
        pattern in (module, "*")
        or (pattern.endswith(".*") and f"{module}.".startswith(pattern.removesuffix("*")))
        for pattern in patterns.split()
    )


def layer_of(module: str) -> int:
    """Return the place of a module's layer."""
    places = [place for place, names in enumerate(LAYERS.values()) if matches(module, names)]
    assert len(places) == 1, f"{module} has no place, or two, in the table of layers"
    return places[0]


MODULES = sorted(trees())


class TestLayers:
    @pytest.mark.parametrize("module", MODULES)
    def test_one_direction(self, module: str) -> None:
        """A module imports nothing of a higher layer."""
        for imported in ours(module):
            assert layer_of(imported) <= layer_of(module), f"{module} imports {imported}"

    def test_no_circle(self) -> None:
        """No module imports itself, by whatever way round."""
        graph = {module: ours(module) - {module} for module in MODULES}

        assert list(TopologicalSorter(graph).static_order())

    def test_every_name_exists(self) -> None:
        """The table names no module that is gone."""
        named = {name for names in LAYERS.values() for name in names.split()}

        assert not {name for name in named if "*" not in name} - set(MODULES)

    @pytest.mark.parametrize(
        "module", [each for each in MODULES if matches(each, "flask.* django.*")]
    )
    def test_adapters(self, module: str) -> None:
        """An adapter uses public names only: an outsider's can do all that ours do."""
        package = module.split(".", maxsplit=1)[0]
        for imported in ours(module):
            assert imported in PUBLIC or imported.split(".")[0] == package, imported

    @pytest.mark.parametrize("module", [each for each in MODULES if matches(each, "storage.*")])
    def test_storages(self, module: str) -> None:
        """A storage knows ports and values, and nothing that decides."""
        allowed = "_canonical _documents _model _outbox exceptions ports storage.*"
        for imported in ours(module):
            assert matches(imported, allowed), imported

    def test_shell_calls_ports(self) -> None:
        """No pure decision knows a port."""
        for module in LAYERS["pure decisions"].split():
            assert not ours(module) & {"ports", "throttles", "mailers"}, module

    def test_pages_do_no_io(self) -> None:
        """The page flow knows neither ports nor storages: it asks the library alone."""
        for module in LAYERS["page flow"].split():
            forbidden = {"ports", "throttles", "mailers", "_sign_in", "_redemption", "_tokens"}
            assert not ours(module) & forbidden, module


class TestThirdParties:
    @pytest.mark.parametrize("module", MODULES)
    def test_table(self, module: str) -> None:
        """Each third party is known to the modules of its table alone."""
        for third_party in others(module):
            assert matches(module, THIRD_PARTIES.get(third_party, "")), third_party

    @pytest.mark.parametrize(
        "module", ["parentauth", "pages", "settings", "ports", "mailers", "throttles"]
    )
    def test_loads_nothing_heavy(self, module: str) -> None:
        """Importing the core loads no framework, no database, and nothing of an extra."""
        name = module if module == "parentauth" else f"parentauth.{module}"
        heavy = ["flask", "django", "sqlalchemy", "email_validator", "limits", "pytest", "babel"]
        code = f"import sys, {name}; print([each for each in {heavy} if each in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )

        assert "[]" == done.stdout.strip()

    def test_memory_storage_needs_nothing(self) -> None:
        """The storage in memory needs no extra."""
        code = "import sys, parentauth.storage.memory; print('sqlalchemy' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )

        assert "False" == done.stdout.strip()


class TestPurity:
    @pytest.mark.parametrize("module", PURE.split())
    def test_no_source_of_chance(self, module: str) -> None:
        """What decides about an account asks neither clock nor chance nor the machine."""
        imported = {name.split(".")[0] for name in imports_of(module)}

        assert not imported & {"os", "random", "secrets", "socket", "threading", "time", "uuid"}

    @pytest.mark.parametrize(
        "module",
        [
            module
            for layer in SHELL_AND_BELOW
            for module in LAYERS[layer].split()
            if module != "_configuration"
        ],
    )
    def test_one_clock(self, module: str) -> None:
        """The time is asked of the clock port; the system's is read in one place."""
        calls = {node.attr for node in ast.walk(trees()[module]) if isinstance(node, ast.Attribute)}

        assert not calls & {"now", "utcnow", "today"} or module in {"_drafts", "_throttling"}

    @pytest.mark.parametrize("module", MODULES)
    def test_nothing_dangerous(self, module: str) -> None:
        """No pickle, no old digest, no guessing parser of addresses."""
        source = ast.unparse(trees()[module])

        assert not {name.split(".")[0] for name in imports_of(module)} & {
            "pickle",
            "marshal",
            "shelve",
        }
        for word in ("parseaddr", "hashlib.md5", "hashlib.sha1", "uuid4("):
            assert word not in source

    @pytest.mark.parametrize("module", [each for each in MODULES if not matches(each, "testing.*")])
    def test_no_assert(self, module: str) -> None:
        """No rule is held by a statement that optimised Python leaves out."""
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(trees()[module]))


class TestPublicNames:
    @pytest.mark.parametrize(
        "module", [each for each in MODULES if not any(p.startswith("_") for p in each.split("."))]
    )
    def test_sorted(self, module: str) -> None:
        """The names that a public module gives are listed in order."""
        for node in trees()[module].body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names = ast.literal_eval(node.value)
                key = [(not name.isupper(), not name[0].isupper(), name) for name in names]
                assert sorted(key) == key
