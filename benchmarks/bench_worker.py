"""The worker in batches beside one by one, without a mail server; then to one beside smtplib."""

import contextlib
import smtplib
import socket
import subprocess
import sys
import time

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from measure import Pair, rate, row, table, timed
from school import (
    DroppingMailer,
    copy_database,
    families,
    file_storage,
    folder,
    make_auth,
)

from parentauth import ParentAuth
from parentauth.mailers import SMTPMailer, as_message
from parentauth.ports import Mail, Mailer
from parentauth.storage.sqlalchemy import SQLAlchemyStorage

COUNT: Final = 2000
ALONE: Final = 400
TURNS: Final = 5
SMTP_TURNS: Final = 3
GOAL_RATIO: Final = 5
GOAL_RATE: Final = 2500
GOAL_SMTP: Final = 400
HOST: Final = "127.0.0.1"


class KeepingMailer:
    """Keeps every mail."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    @contextmanager
    def connect(self) -> Generator[Callable[[Mail], None]]:
        """Give a callable that keeps a mail."""
        yield self.mails.append


def one_by_one(auth: ParentAuth) -> int:
    """Deliver as many calls of one mail each."""
    sent = 0
    while sent < ALONE:
        sent += auth.deliver(limit=1).sent
    return sent


def delivered(full: Path, path: Path, mailer: Mailer, *, alone: bool = False) -> float:
    """Return the seconds per mail, on a copy of the outbox that is full."""
    copy_database(full, path)
    storage = SQLAlchemyStorage.from_url(f"sqlite:///{path}")
    auth = make_auth(storage, mailer=mailer)
    sent: list[int] = []
    taken = timed(lambda: sent.append(one_by_one(auth) if alone else auth.deliver().sent))
    assert sent == [ALONE if alone else COUNT], sent
    storage.engine.dispose()
    path.unlink()
    return taken / sent[0]


@contextmanager
def smtp_sink() -> Generator[int]:
    """Run aiosmtpd in another process; it takes every mail and drops it."""
    with contextlib.closing(socket.create_server((HOST, 0))) as probe:
        port: int = probe.getsockname()[1]
    command = ["-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink", "-l", f"{HOST}:{port}"]
    process = subprocess.Popen([sys.executable, *command])  # noqa: S603  our own command
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def smtplib_alone(port: int, contents: list[tuple[str, bytes]]) -> float:
    """Return the seconds per mail of smtplib, one connection, the messages made already."""

    def work() -> None:
        with smtplib.SMTP(HOST, port) as server:
            for to, content in contents:
                server.sendmail("noreply@portail.tilleuls.example.org", [to], content)

    return timed(work) / len(contents)


def without_smtp(full: Path, place: Path) -> None:
    """Compare batches with single mails."""
    ours, alone = list[float](), list[float]()
    for _ in range(TURNS + 1):
        ours.append(delivered(full, place / "ours.db", DroppingMailer()))
        alone.append(delivered(full, place / "alone.db", DroppingMailer(), alone=True))
    pair = Pair(ours[1:], alone[1:])
    row(
        "batches ÷ one by one, SQLite file, mails dropped",
        ours=rate(1 / pair.our_median),
        reference=rate(1 / pair.reference_median),
        ratio=pair.speed.times(),
        goal=f"≥ {GOAL_RATIO}",
        met=pair.speed.median >= GOAL_RATIO,
    )
    met = 1 / pair.our_median >= GOAL_RATE
    row(
        "the same, mails per second",
        ours=rate(1 / pair.our_median),
        goal=f"≥ {GOAL_RATE:,}/s",
        met=met,
    )


def to_smtp(full: Path, place: Path) -> None:
    """Compare the whole delivery with smtplib alone, to a server in another process."""
    keeper = KeepingMailer()
    delivered(full, place / "kept.db", keeper)
    contents = [(mail.to, as_message(mail).as_bytes()) for mail in keeper.mails]
    ours, reference = list[float](), list[float]()
    with smtp_sink() as port:
        mailer = SMTPMailer.from_url(f"smtp://{HOST}:{port}")
        for _ in range(SMTP_TURNS):
            ours.append(delivered(full, place / "smtp.db", mailer))
            reference.append(smtplib_alone(port, contents))
    pair = Pair(ours, reference)
    row(
        "to aiosmtpd in another process ÷ smtplib alone",
        ours=rate(1 / pair.our_median),
        reference=rate(1 / pair.reference_median),
        ratio=pair.speed.times(),
        goal=f"≥ {GOAL_SMTP}/s",
        met=1 / pair.our_median >= GOAL_SMTP,
    )


with folder() as where, table("worker"):
    first = file_storage(where / "full.db")
    portal = make_auth(first)
    portal.save(families(COUNT))
    assert portal.invite_all() == COUNT
    without_smtp(where / "full.db", where)
    to_smtp(where / "full.db", where)
