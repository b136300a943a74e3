"""
The remembered device: a signed note that this browser once signed in as this username.

It opens nothing; its holder's attempts are only counted apart from strangers'.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

REMEMBERED: Final = timedelta(days=365)
# Clocks of two machines differ; a note from the near future is not forged.
SKEW: Final = timedelta(minutes=5)


class Devices:
    """
    Signs and reads device notes.

    Args:
        secret_keys: The newest signs, all verify.
        audience: The portal's address: a note of another portal is worth nothing here.
    """

    def __init__(self, secret_keys: Sequence[str], *, audience: str) -> None:
        self._serializer = URLSafeSerializer(
            # itsdangerous signs with the last of its list.
            list(reversed(secret_keys)),
            salt=f"parentauth/device/v1:{audience}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
        )

    def remember(self, username_digest: str, *, now: datetime) -> str:
        """Return the value of the cookie."""
        return str(self._serializer.dumps({"u": username_digest, "t": int(now.timestamp())}))

    def knows(self, device: str | None, username_digest: str, *, now: datetime) -> bool:
        """Tell whether *device* was made for this username in the last year."""
        if not device:
            return False
        try:
            note = self._serializer.loads(device)
        except (BadData, UnicodeError):
            return False
        if not isinstance(note, dict) or note.get("u") != username_digest:
            return False
        age = now.timestamp() - float(note["t"])
        return -SKEW.total_seconds() <= age < REMEMBERED.total_seconds()
