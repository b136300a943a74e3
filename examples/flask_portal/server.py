"""Serves the portal on this machine; no token reaches its log."""

import logging
import os
import re
import socket
import threading

from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Final

from flask import Flask
from werkzeug.serving import make_server

from parentauth.exceptions import ConfigurationError

HOST: Final = "127.0.0.1"
_TOKEN: Final = re.compile(r"((?:/|%2f)token(?:/|%2f))(?:.*(?= HTTP/\d)|.*)", re.IGNORECASE)


def masked(text: str) -> str:
    """Return *text* without what follows ``/token/`` on any line."""
    return _TOKEN.sub(r"\1…", text)


class TokenlessFormatter(logging.Formatter):
    """Masks tokens in whatever is logged: accesses, bad requests, errors with their traces."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without tokens."""
        return masked(super().format(record))


def log_without_tokens() -> None:
    """Log everything to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(TokenlessFormatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def listen(port: int) -> socket.socket:
    """
    Take the port, before anything else is done.

    Raises:
        ConfigurationError: Another program has it, or it takes more rights.
    """
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} can't be used ({os.strerror(error.errno or 0)}); set PORT to another one"
        ) from None


@contextmanager
def serving(app: Flask, listener: socket.socket) -> Generator[None]:
    """Answer requests in threads until the block ends."""
    port = listener.getsockname()[1]
    server = make_server(HOST, port, app, threaded=True, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, name="http", args=(0.1,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def answers(port: int) -> bool:
    """Tell whether the home page comes."""
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
