"""The school that the benchmarks share: its database, its parents, its portal."""

import sqlite3
import tempfile

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs

from sqlalchemy import Engine, event

from parentauth import Account, Argon2Hasher, ChildLink, Family, ParentAuth, School
from parentauth.ports import Change, Mail, Storage
from parentauth.storage.sqlalchemy import SQLAlchemyStorage

BASE_URL: Final = "https://portail.tilleuls.example.org"
SECRET: Final = "Zr7mQx2vKs9fTb4nWc8jHd3gYp6lUa5e"
SCHOOL: Final = School(
    "École des Tilleuls",
    telephone="02 555 01 20",
    address="Rue des Tilleuls 12, 1050 Ixelles",
    email="secretariat@tilleuls.example.org",
)
USERNAME: Final = "parent0"
PASSWORD: Final = "trois mots sans rapport"


class DroppingMailer:
    """Takes every mail and does nothing with it."""

    @contextmanager
    def connect(self) -> Generator[Callable[[Mail], None]]:
        """Give a callable that drops a mail."""
        yield lambda _: None


def make_auth(storage: Storage, **settings: Any) -> ParentAuth:  # noqa: ANN401  as typed there
    """Return the core over *storage*, with a hasher that costs nothing unless told."""
    defaults: dict[str, Any] = {
        "mailer": DroppingMailer(),
        "secret_keys": [SECRET],
        "base_url": BASE_URL,
        "school": SCHOOL,
        "hasher": Argon2Hasher.for_tests(),
    }
    return ParentAuth(storage=storage, **(defaults | settings))


def families(count: int) -> list[Family]:
    """Return parents of one child each."""
    return [
        Family(
            f"p{number}",
            f"parent{number}",
            f"Parent {number}",
            f"parent{number}@example.org",
            children=(ChildLink(f"c{number}", f"Enfant {number}", "3A"),),
        )
        for number in range(count)
    ]


def connect_parent(storage: Storage, hasher: Argon2Hasher, account_id: str = "p0") -> Account:
    """Give a parent a password, as if the mailed token had been used; return the account."""
    account = storage.accounts([account_id])[account_id]
    now = datetime.now(UTC)
    connected = attrs.evolve(
        account, password_hash=hasher.hash(password=PASSWORD), connected_at=now
    )
    storage.replace([Change(account, connected)])
    return connected


@contextmanager
def folder() -> Generator[Path]:
    """Give a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="parentauth-bench-") as name:
        yield Path(name)


def file_storage(path: Path) -> SQLAlchemyStorage:
    """Return a storage in a SQLite file, with its tables."""
    storage = SQLAlchemyStorage.from_url(f"sqlite:///{path}")
    storage.create_all()
    return storage


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database that is in use."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as write:
        read.backup(write)


@contextmanager
def statements(engine: Engine) -> Generator[list[tuple[str, Any]]]:
    """Give a list that fills with what *engine* sends to the database, and its values."""
    sent: list[tuple[str, Any]] = []

    def note(*told: Any) -> None:  # noqa: ANN401  SQLAlchemy's event
        _, _, statement, values, *_ = told
        sent.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
