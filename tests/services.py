"""
The databases that tests need: one of their own, on a server that answers.

Where the server does not answer, its tests are skipped, visibly and with the reason;
``PARENTAUTH_TEST_SERVICES=required`` makes that a failure.
"""

import os
import secrets

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import pytest
import sqlalchemy

from sqlalchemy.pool import NullPool

SERVERS: Final = {
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/test?connect_timeout=3",
    "mariadb": "mariadb+pymysql://root@127.0.0.1:3306/test?connect_timeout=3",
}


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where services are required."""
    if os.environ.get("PARENTAUTH_TEST_SERVICES") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def database(service: str) -> Iterator[sqlalchemy.URL]:
    """Make an empty database, give its URL, and drop it in the end."""
    server = sqlalchemy.make_url(SERVERS[service])
    name = f"parentauth_{os.getpid()}_{secrets.token_hex(4)}"
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        _execute(engine, f"CREATE DATABASE {name}")
    except sqlalchemy.exc.OperationalError as error:
        unavailable(f"{service} at {server.host}:{server.port} does not answer: {error.orig}")
    try:
        yield server.set(database=name)
    finally:
        force = " WITH (FORCE)" if service == "postgresql" else ""
        _execute(engine, f"DROP DATABASE {name}{force}")


def _execute(engine: sqlalchemy.Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
