"""How gunicorn serves the portal: several processes, and no code in any log."""

import logging
import re

bind = "unix:/run/portal/portal.sock"
workers = 4
threads = 4
accesslog = "-"

CODE = re.compile(r"((?:/|%2f)token(?:/|%2f))[^\s\"?#&]*", re.IGNORECASE)


class WithoutCodes(logging.Formatter):
    """Writes each line without what follows ``/token/``, in paths and in Referer alike."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return CODE.sub(r"\1...", super().format(record))


logconfig_dict = {
    "formatters": {"generic": {"()": WithoutCodes, "fmt": "%(asctime)s %(message)s"}},
    # Each line once; those of the portal and of parentauth come through the root.
    "loggers": {
        name: {"level": "INFO", "handlers": ["console"], "propagate": False}
        for name in ("gunicorn.error", "gunicorn.access")
    },
}
