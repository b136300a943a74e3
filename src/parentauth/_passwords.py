"""What a new password must be, as rules whose breach is data."""

import unicodedata
import warnings

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from hmac import compare_digest
from types import MappingProxyType
from typing import Final

import attrs

from parentauth._blocklist import common_passwords
from parentauth._resemblance import context_words, derivations, is_repetition
from parentauth.exceptions import ConfigurationError, InputError

RAW_MAX: Final = 1024
MINIMUM_FLOOR: Final = 8
MINIMUM_ADVISED: Final = 15
MAXIMUM_FLOOR: Final = 64


def normalize(password: str) -> str:
    """
    Return *password* in NFKC and otherwise as typed: nothing stripped, folded or cut.

    Raises:
        InputError: NUL, half a character, or more than 1,024 code points before normalising:
            one code point may become eighteen.

    Source:
        NIST SP 800-63B-4, 3.1.1.2; it deviates by that from OWASP ASVS 5.0, 6.2.8 ("exactly
        as received"): the same keys give other code points on another phone.
    """
    if len(password) > RAW_MAX:
        raise InputError(f"the password is longer than {RAW_MAX} characters")
    if "\0" in password:
        raise InputError("the password contains NUL")
    # No try: the codec's own exception would carry the password along.
    if password.encode("utf-8", "ignore").decode() != password:
        raise InputError("the password contains half a character")
    return unicodedata.normalize("NFKC", password)


def _frozen(parameters: Mapping[str, int | str]) -> Mapping[str, int | str]:
    return MappingProxyType(dict(parameters))


def _shown(parameters: Mapping[str, int | str]) -> str:
    return repr(dict(parameters))


def _comparable(parameters: Mapping[str, int | str]) -> frozenset[tuple[str, int | str]]:
    return frozenset(parameters.items())


@attrs.frozen
class Violation:
    """
    One broken rule.

    Args:
        code: ``missing``, ``too_short``, ``too_long``, ``common``, ``context``, ``mismatch``,
            or what a rule of the host's own gives.
        parameters: For the sentence that says it: ``minimum`` or ``maximum`` for a wrong
            length; a host's rule may bring its whole ``text``.

    .. versionadded:: 26.1.0
    """

    code: str
    parameters: Mapping[str, int | str] = attrs.field(
        factory=dict, converter=_frozen, eq=_comparable, repr=_shown
    )


# Called with the password in NFKC and with the context's texts.
Rule = Callable[[str, Collection[str]], Iterable[Violation]]


@attrs.frozen
class PasswordPolicy:
    """
    The rules for new passwords; whatever characters they are made of is no rule.

    Args:
        minimum: Least number of code points, after NFKC; 8 or more.  Below 15 warns.
        maximum: Greatest number of code points, after NFKC; from 64 to 1,024.
        extra_rules: The host's own.  Each is called with the normalised password and the
            context, unless the password is missing or too long.

    Raises:
        ConfigurationError: A length is out of bounds.

    Source:
        NIST SP 800-63B-4, 3.1.1.2: 15 characters where the password is the only factor, at
        least 64 allowed, no rules of composition, a list of common ones.  OWASP ASVS 5.0,
        6.2.1, 6.2.4, 6.2.5, 6.2.9 and 6.2.11.

    .. versionadded:: 26.1.0
    """

    minimum: int = MINIMUM_ADVISED
    maximum: int = 256
    extra_rules: tuple[Rule, ...] = attrs.field(default=(), converter=tuple[Rule, ...])

    def __attrs_post_init__(self) -> None:
        if self.minimum < MINIMUM_FLOOR:
            raise ConfigurationError(
                f"minimum is {self.minimum}; OWASP ASVS 5.0, 6.2.1 asks for {MINIMUM_FLOOR}, "
                f"NIST SP 800-63B-4 for {MINIMUM_ADVISED}"
            )
        if not max(self.minimum, MAXIMUM_FLOOR) <= self.maximum <= RAW_MAX:
            raise ConfigurationError(
                f"maximum is {self.maximum}; choose from {MAXIMUM_FLOOR} (NIST SP 800-63B-4) "
                f"to {RAW_MAX}, and not below minimum"
            )
        if self.minimum < MINIMUM_ADVISED:
            warnings.warn(
                f"NIST SP 800-63B-4, 3.1.1.2 asks for at least {MINIMUM_ADVISED} characters "
                f"where the password is the only factor; minimum is {self.minimum}",
                UserWarning,
                stacklevel=3,
            )

    def describe(self) -> Mapping[str, int]:
        """Return what a page can tell before anything is typed: ``minimum``, ``maximum``."""
        return {"minimum": self.minimum, "maximum": self.maximum}

    def violations(
        self,
        password: str,
        *,
        confirmation: str,
        context: Collection[str],
        unfit: Collection[str] = (),
    ) -> tuple[Violation, ...]:
        """
        Return every broken rule, or nothing.

        Of an empty password only ``missing`` is said, and only ``too_long`` of one with more
        than 1,024 code points, which is not looked at.  Whatever a rule of the host's own
        raises passes through: nothing has been spent yet.

        Args:
            context: Texts that it must not be made of: username, e-mail address, the names of
                parent, children and school.  Whole words only.
            unfit: The same, but kept from the host's own rules: the token in the mail.

        Raises:
            InputError: NUL or half a character in either.
        """
        if not password:
            return (Violation("missing"),)
        if len(password) > RAW_MAX:
            return (self._too_long,)
        normalized = normalize(password)
        broken = self._broken(normalized, context, unfit)
        return (*broken, *_mismatch(normalized, confirmation))

    @property
    def _too_long(self) -> Violation:
        return Violation("too_long", {"maximum": self.maximum})

    def _broken(
        self, password: str, context: Collection[str], unfit: Collection[str]
    ) -> Iterator[Violation]:
        too_long = len(password) > self.maximum
        if len(password) < self.minimum:
            yield Violation("too_short", {"minimum": self.minimum})
        if too_long:
            yield self._too_long
        # A long one is refused anyway; what its beginning repeats is advice, at a bounded cost.
        beginning = password[:RAW_MAX]
        forms = derivations(beginning)
        # Itself, too: without case, ß is two letters.
        if is_repetition({beginning, *forms}) or not common_passwords().isdisjoint(forms):
            yield Violation("common")
        if not context_words([*context, *unfit]).isdisjoint(forms):
            yield Violation("context")
        if not too_long:
            for rule in self.extra_rules:
                yield from rule(password, context)


def _mismatch(password: str, confirmation: str) -> Iterator[Violation]:
    # Longer than any password may be, so it is another one, and it is not normalised.
    if len(confirmation) > RAW_MAX or not compare_digest(
        password.encode(), normalize(confirmation).encode()
    ):
        yield Violation("mismatch")
