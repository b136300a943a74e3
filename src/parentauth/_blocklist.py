"""Common passwords: the first that a guesser tries."""

from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).parent / "_data" / "common_passwords.txt.gz"


@cache
def common_passwords() -> frozenset[str]:
    """
    Return the list: NFKC, without case, each of at least 4 characters; read at the first call.

    Source:
        OWASP ASVS 5.0, 6.2.4, and NIST SP 800-63B-4, 3.1.1.2.  Where the entries come from
        is said beside them, in ``_data/LICENSE-common-passwords.txt``.
    """
    import gzip

    with gzip.open(_FILE, "rt", encoding="utf-8", newline="\n") as lines:
        return frozenset(lines.read().split("\n"))
