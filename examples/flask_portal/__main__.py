"""``python -m examples.flask_portal``: portal and worker in one process, until it is stopped."""

import os
import signal
import sys

from pathlib import Path
from typing import Final, NoReturn

from flask import Flask

from parentauth import read_families
from parentauth.exceptions import FamiliesError, ParentAuthError, StorageError
from parentauth.flask import auth_of
from parentauth.storage.sqlalchemy import SQLAlchemyStorage

from . import create_app, server
from .environment import port as port_wanted
from .worker import Worker

FAMILIES: Final = Path(__file__).parent / "families.csv"
PROBLEMS_SHOWN: Final = 3

WHAT_TO_TRY: Final = """
École des Tilleuls : portail de démonstration
  {base_url}

À essayer : ouvrez le mail d'un parent, suivez son lien, choisissez un mot de passe.
  marie.dubois@example.com     un enfant : directement sur sa page
  karim.benali@example.com     trois enfants : un choix à faire
  an.peeters@example.org       trois enfants aussi
  famille.renard@example.org   deux comptes sur une adresse : demandez un nouveau mot de passe
  nathalie.collard@example.org aucun enfant
{mails}
Ctrl-C pour arrêter ; les comptes et les liens restent valables au prochain démarrage.
"""
MAILBOX: Final = "Les mails arrivent en quelques secondes sur {base_url}/mailbox"
SMTP: Final = "Les mails partent par le serveur de PORTAL_SMTP_URL."


def main() -> int:
    """Run until SIGTERM or Ctrl-C; return the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    server.log_without_tokens()
    os.umask(0o077)  # The database holds addresses.
    try:
        _run()
    except FamiliesError as error:
        return _failed(f"{_families_file()}: {_shortened(error)}")
    except StorageError as error:
        return _failed(f"PORTAL_DATABASE_URL: {error}")
    except ParentAuthError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}; set another PORTAL_DATABASE_URL")
    return 0


def _stop(*_: object) -> NoReturn:
    sys.exit(0)


def _run() -> None:
    with server.listen(port_wanted()) as listener:
        port = listener.getsockname()[1]
        app = create_app({"PORT": port})
        _prepare(app)
        worker = Worker(auth_of(app))
        with server.serving(app, listener):
            worker.start()
            try:
                _tell(app, port)
                while True:
                    signal.pause()
            finally:
                worker.stop()


def _prepare(app: Flask) -> None:
    """Make the tables, import the families, invite who never was; all of it may be repeated."""
    auth = auth_of(app)
    if isinstance(auth.storage, SQLAlchemyStorage):
        auth.storage.create_all()
    auth.save(read_families(_families_file(), zone=auth.school.zone))
    auth.invite_all()


def _tell(app: Flask, port: int) -> None:
    if not server.answers(port):
        raise ParentAuthError("the portal does not answer; its log says why")
    base_url = app.config["PORTAL_BASE_URL"]
    mails = (SMTP if app.config["PORTAL_SMTP_URL"] else MAILBOX).format(base_url=base_url)
    print(WHAT_TO_TRY.format(base_url=base_url, mails=mails), flush=True)
    print(f"ready http://{server.HOST}:{port}", flush=True)


def _families_file() -> Path:
    return Path(os.environ.get("PORTAL_FAMILIES") or FAMILIES)


def _shortened(error: FamiliesError) -> str:
    shown, more = error.problems[:PROBLEMS_SHOWN], len(error.problems) - PROBLEMS_SHOWN
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _failed(reason: str) -> int:
    """Say on one line what to mend, in terms of the environment."""
    for setting in ("BASE_URL", "SECRET_KEYS"):
        reason = reason.replace(f"PARENTAUTH_{setting}", f"PORTAL_{setting}")
    reason = reason.replace("SECRET_KEY (with its fallbacks)", "PORTAL_SECRET_KEYS")
    print("portal:", " ".join(reason.split()), file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
