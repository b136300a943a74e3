"""Delivers mail in a thread beside the portal: enough for one machine."""

import logging
import threading

from typing import Final

from parentauth import ParentAuth

logger: Final = logging.getLogger("portal.worker")

# Fixed, and nothing wakes it: when a mail leaves tells nothing about who asked for it.
INTERVAL: Final = 1.0
BATCH: Final = 50


class Worker(threading.Thread):
    """
    Calls ``deliver()`` again and again until it is stopped.

    Args:
        auth: Whose mail.
        interval: Seconds between two calls.
    """

    def __init__(self, auth: ParentAuth, *, interval: float = INTERVAL) -> None:
        super().__init__(name="mail")
        self._auth = auth
        self._interval = interval
        self._stopping = threading.Event()

    def run(self) -> None:
        """Work until :meth:`stop`."""
        while not self._stopping.wait(self._interval):
            try:
                self._auth.deliver(limit=BATCH)
            except Exception:
                logger.exception("mail could not be delivered; trying again")

    def stop(self) -> None:
        """Let the batch at hand be finished, then end."""
        self._stopping.set()
        self.join()
