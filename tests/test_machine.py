"""
The whole core beside a model, on every storage.

``PARENTAUTH_TEST_STEPS`` is how many steps each storage takes; what `make test` takes is not less
than 20,000 together.
"""

import os
import sqlite3

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

import pytest
import sqlalchemy

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import event

from parentauth import Status
from parentauth.exceptions import MailRefusedError
from parentauth.ports import Mail, Storage
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from parentauth.testing import ParentAuthMachine
from tests.school import HOUR, Portal
from tests.services import database

STEPS_PER_RUN: Final = 50
# Where nothing else is asked for; together more than 20,000.
STEPS: Final = {"memory": 17_000, "sqlite": 3_500, "postgresql": 500, "mariadb": 500}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class SQLMachine(ParentAuthMachine):
    """The machine on one engine, whose tables are emptied before each run."""

    storage_made: ClassVar[SQLAlchemyStorage]

    def make_storage(self) -> Storage:
        """Give the storage, with empty tables."""
        storage = self.storage_made
        with storage.engine.begin() as connection:
            for table in reversed(storage._tables.metadata.sorted_tables):
                if table is not storage._tables.version:
                    connection.execute(table.delete())
        return storage

    def stored_text(self) -> Iterator[str]:
        """Give every value of every table, as the database has it."""
        with self.storage_made.engine.connect() as connection:
            for table in self.storage_made._tables.metadata.sorted_tables:
                for row in connection.execute(sqlalchemy.text(f"SELECT * FROM {table.name}")):
                    yield from map(str, row)


def play(machine: type[ParentAuthMachine], steps: int) -> int:
    """Take at least *steps* steps, and return how many were taken."""
    machine.steps = 0
    while machine.steps < steps:
        given = settings(
            max_examples=1 + (steps - machine.steps) // 45,
            stateful_step_count=STEPS_PER_RUN,
            deadline=None,
            print_blob=True,
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(machine, settings=given)
    return machine.steps


def wanted(name: str) -> int:
    """Return how many steps a storage takes."""
    return int(os.environ.get("PARENTAUTH_TEST_STEPS", STEPS[name]))


@contextmanager
def machine_on(url: sqlalchemy.URL) -> Iterator[type[SQLMachine]]:
    """Give a machine on an empty database."""
    storage = SQLAlchemyStorage.from_url(url)
    storage.create_all()

    class Machine(SQLMachine):
        storage_made = storage

    yield Machine
    storage.engine.dispose()


def unsafe(connection: sqlite3.Connection, _: object) -> None:
    """Do not wait for the disk: nothing of a test has to survive a power cut."""
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(autouse=True)
def bounded_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a shorter story for a minute, not for five."""
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", 60)


class TestMachine:
    def test_memory(self) -> None:
        """Every rule holds in memory."""
        assert play(ParentAuthMachine, wanted("memory")) >= wanted("memory")

    def test_sqlite(self, tmp_path: Path) -> None:
        """Every rule holds in a SQLite file."""
        url = sqlalchemy.URL.create("sqlite", database=str(tmp_path / "portal.db"))
        with machine_on(url) as machine:
            event.listen(machine.storage_made.engine, "connect", unsafe)
            machine.storage_made.engine.dispose()
            assert play(machine, wanted("sqlite")) >= wanted("sqlite")

    @pytest.mark.service
    @pytest.mark.parametrize("service", ["postgresql", "mariadb"])
    def test_service(self, service: str) -> None:
        """Every rule holds on a server."""
        with database(service) as url, machine_on(url) as machine:
            assert play(machine, wanted(service)) >= wanted(service)

    def test_together(self) -> None:
        """What is taken without being asked for is enough."""
        assert STEPS["memory"] + STEPS["sqlite"] >= 20_000


class TestFound:
    """What the machine found, each as the shortest story."""

    def test_revoked_on_the_way(self) -> None:
        """Revoked while a second invitation was refused, the first one does not wait again."""
        portal = Portal()
        portal.invited("p1")
        portal.clock.advance(HOUR)
        portal.auth.invite("p1", again=True)

        def revoke(_: Mail) -> None:
            portal.auth.revoke_tokens("p1")
            raise MailRefusedError("no such mailbox")

        portal.mailer.fail_send = revoke
        portal.deliver()

        assert Status.EXPIRED is portal.auth.status("p1")
