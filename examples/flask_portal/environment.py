"""The portal's settings, from environment variables."""

import os
import secrets
import tempfile

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from parentauth.exceptions import ConfigurationError

FOLDER: Final = Path(".demo")
DEFAULT_DATABASE: Final = f"sqlite:///{FOLDER}/portal.db"


def from_environment(config: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the application's configuration.

    Args:
        config: Wins over the environment.

    Raises:
        ConfigurationError: ``PORT`` is no port.
        OSError: The folder of the database can't be written.
    """
    found = {**_settings(), **config}
    found.setdefault("PORTAL_BASE_URL", f"http://127.0.0.1:{found['PORT']}")
    beside = _beside(found["PORTAL_DATABASE_URL"])
    keys = found["PORTAL_SECRET_KEYS"] or _kept_keys(beside.with_suffix(".keys"))
    return {
        "PARENTAUTH_BASE_URL": found["PORTAL_BASE_URL"],
        "PARENTAUTH_SECRET_KEYS": keys,
        "SECRET_KEY": keys[0] if keys else None,
        "SECRET_KEY_FALLBACKS": keys[1:],
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": found["PORTAL_BASE_URL"].startswith("https:"),
        "PORTAL_MAILBOX": beside.with_suffix(".mailbox"),
        **found,
    }


def _settings() -> dict[str, Any]:
    values: dict[str, Any] = {
        "PORT": port(),
        "PORTAL_DATABASE_URL": os.environ.get("PORTAL_DATABASE_URL") or DEFAULT_DATABASE,
        "PORTAL_SMTP_URL": os.environ.get("PORTAL_SMTP_URL", ""),
        "PORTAL_SECRET_KEYS": _listed(os.environ.get("PORTAL_SECRET_KEYS", "")),
    }
    if base_url := os.environ.get("PORTAL_BASE_URL"):
        values["PORTAL_BASE_URL"] = base_url
    return values


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def port() -> int:
    """
    Return where to listen; 0 is a free one.

    Raises:
        ConfigurationError: ``PORT`` is no port.
    """
    text = os.environ.get("PORT") or "8000"
    if text.isascii() and text.isdigit() and int(text) < 2**16:
        return int(text)
    raise ConfigurationError(f"PORT is {text!r}; set a number like 8000")


def _beside(database_url: str) -> Path:
    """Return the path, but for its ending, of what is kept beside the database."""
    path = FOLDER / "portal"
    with suppress(ArgumentError):  # The storage says so better.
        url = make_url(database_url)
        if url.get_backend_name() == "sqlite" and url.database:
            path = Path(url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _kept_keys(file: Path) -> list[str]:
    """Return the keys of the last start, or make one: mailed links survive a restart."""
    if not file.exists():
        _keep_key(file)
    return file.read_text("utf-8", errors="replace").split()


def _keep_key(file: Path) -> None:
    # Whole or not at all, and never over another process's: links do not overwrite.
    descriptor, temporary = tempfile.mkstemp(dir=file.parent)  # 0600
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_urlsafe(32) + "\n")
    with suppress(FileExistsError):
        os.link(temporary, file)
    Path(temporary).unlink()
