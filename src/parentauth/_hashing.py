"""Argon2id, through argon2-cffi."""

from typing import Final, Self

from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import CHEAPEST, RFC_9106_HIGH_MEMORY, RFC_9106_LOW_MEMORY

from parentauth.exceptions import ConfigurationError

__all__ = [
    "OWASP_12_MIB",
    "OWASP_19_MIB",
    "OWASP_46_MIB",
    "RFC_9106_HIGH_MEMORY",
    "RFC_9106_LOW_MEMORY",
    "Argon2Hasher",
    "Parameters",
]

_KIB_PER_MIB: Final = 1024


def _owasp(*, time_cost: int, mib: int) -> Parameters:
    return Parameters(
        type=Type.ID,
        version=19,
        salt_len=16,
        hash_len=32,
        time_cost=time_cost,
        memory_cost=mib * _KIB_PER_MIB,
        parallelism=1,
    )


# OWASP, Password Storage Cheat Sheet: equal strength, memory against time.
OWASP_46_MIB: Final = _owasp(time_cost=1, mib=46)
OWASP_19_MIB: Final = _owasp(time_cost=2, mib=19)
OWASP_12_MIB: Final = _owasp(time_cost=3, mib=12)

_TIMES_OURS: Final = 4
# Some 100 characters each; a longer one is none of ours.
_HASH_MAX: Final = 512


class Argon2Hasher:
    """
    Hashes passwords with Argon2id; a :class:`parentauth.ports.Hasher`.

    Args:
        parameters: Costs; memory in KiB.  The default is the second recommended option of
            RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes.
        unsafe: Take weak parameters, too; for tests.

    Raises:
        ConfigurationError: They are weaker than what OWASP asks for at least.

    Source:
        OWASP ASVS 5.0, 11.4.2, and NIST SP 800-63B-4, 3.1.1.2.

    .. versionadded:: 26.1.0
    """

    def __init__(
        self, parameters: Parameters = RFC_9106_LOW_MEMORY, *, unsafe: bool = False
    ) -> None:
        if not unsafe:
            _refuse_weak(parameters)
        self._argon2 = PasswordHasher.from_parameters(parameters)

    @classmethod
    def for_tests(cls) -> Self:
        """Return a hasher that takes microseconds and protects nothing."""
        return cls(CHEAPEST, unsafe=True)

    def __repr__(self) -> str:
        ours = self._argon2
        return f"<Argon2Hasher t={ours.time_cost} m={ours.memory_cost} KiB p={ours.parallelism}>"

    def hash(self, *, password: str) -> str:
        """
        Return a salted hash of *password*.

        Raises:
            argon2.exceptions.HashingError: The memory could not be had.
        """
        return self._argon2.hash(password)

    def verify(self, *, password: str, password_hash: str) -> bool:
        """
        Tell whether *password* has that hash.

        False, too, for a damaged hash, for one that would cost more than four times what
        this hasher spends, and when memory runs out.

        Source:
            OWASP ASVS 5.0, 11.2.5: whatever fails, fails closed and in one way.
        """
        if not self._affordable(password_hash):
            return False
        try:
            return self._argon2.verify(password_hash, password)
        except (Argon2Error, ValueError, MemoryError):
            return False

    def needs_rehash(self, *, password_hash: str) -> bool:
        """Tell whether it was made with other parameters than these, or is damaged."""
        try:
            return self._argon2.check_needs_rehash(password_hash)
        except InvalidHashError:
            return True

    def _affordable(self, password_hash: str) -> bool:
        # A hash names its own costs: who can write one could make each sign-in take a gigabyte.
        if len(password_hash) > _HASH_MAX:
            return False
        try:
            stored = extract_parameters(password_hash)
        except InvalidHashError:
            return False
        ours, usual = self._argon2, RFC_9106_LOW_MEMORY
        # The default's cost is always met, so that who lowers the settings locks nobody out.
        return (
            stored.memory_cost <= max(_TIMES_OURS * ours.memory_cost, usual.memory_cost)
            and stored.time_cost <= max(_TIMES_OURS * ours.time_cost, usual.time_cost)
            and stored.parallelism <= max(_TIMES_OURS * ours.parallelism, usual.parallelism)
        )


def _refuse_weak(given: Parameters) -> None:
    """Refuse what is weaker than each of OWASP's alternatives."""
    strong = any(
        given.time_cost >= least.time_cost and given.memory_cost >= least.memory_cost
        for least in (OWASP_46_MIB, OWASP_19_MIB, OWASP_12_MIB)
    )
    long_enough = (
        given.salt_len >= OWASP_19_MIB.salt_len and given.hash_len >= OWASP_19_MIB.hash_len
    )
    if given.type is not Type.ID or not strong or not long_enough:
        raise ConfigurationError(
            "these Argon2 parameters are weaker than OWASP's minimum: Argon2id, a salt of "
            "16 and a hash of 32 bytes, and 46 MiB with 1 pass, 19 MiB with 2 or 12 MiB with 3; "
            "use RFC_9106_LOW_MEMORY, OWASP_46_MIB, OWASP_19_MIB or OWASP_12_MIB"
        )
