import secrets
import time
import unicodedata
import warnings

from collections.abc import Collection, Iterator
from random import Random
from sys import maxunicode

import pytest

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parentauth._blocklist import common_passwords
from parentauth._passwords import PasswordPolicy, Violation, normalize
from parentauth._resemblance import derivations, repeated_unit
from parentauth.exceptions import ConfigurationError, InputError

POLICY = PasswordPolicy()
CONTEXT = (
    "mvandamme7",
    "Marc Van Damme",
    "marc.vandamme@famille-demo.be",
    "Élodie Van Damme",
    "Jürgen D'Hondt",
    "Tom Nguyễn-Lefèvre",
    "École Sainte-Gudule",
    "portail.sainte-gudule.be",
)
GOOD = "agrafe cheval pile"
E_ACUTE, E_COMBINED = "\u00e9", "e\u0301"

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
random_passwords = st.text(
    st.characters(exclude_categories=["Cs", "Cn", "Cc"]), min_size=15, max_size=256
)


def codes(
    password: str,
    *,
    confirmation: str | None = None,
    context: tuple[str, ...] = (),
    policy: PasswordPolicy = POLICY,
) -> list[str]:
    """Return the codes of the broken rules."""
    confirmation = password if confirmation is None else confirmation
    broken = policy.violations(password, confirmation=confirmation, context=context)
    return [violation.code for violation in broken]


def varied(character: str, count: int) -> str:
    """Return *count* characters, no two neighbours of which repeat the same pattern."""
    others = "bdfghkmnpqrtvwz"
    return "".join(
        character if place % 2 else others[place // 2 % len(others)] for place in range(count)
    )


class TestNormalize:
    @given(texts)
    def test_only_nfkc(self, password: str) -> None:
        """Nothing is stripped, folded or cut: it is NFKC and nothing else."""
        assert unicodedata.normalize("NFKC", password) == normalize(password)

    @given(texts)
    def test_forms(self, password: str) -> None:
        """What one phone composes and another takes apart is one password."""
        assume(len(unicodedata.normalize("NFD", password)) <= 1024)

        assert normalize(password) == normalize(unicodedata.normalize("NFD", password))
        assert normalize(password) == normalize(normalize(password))

    @pytest.mark.parametrize("password", [" x ", "\tx", "x\u200b", "Xx", "x\n", "  "])
    def test_kept(self, password: str) -> None:
        """Blanks at the edges and capitals are part of a password."""
        assert password == normalize(password)

    @pytest.mark.parametrize("password", ["a\0b", "\ud800", "a\udfff", "a" * 1025, "\ufdfa" * 1025])
    def test_refused(self, password: str) -> None:
        """NUL, half a character and more than 1,024 code points are no password of any form."""
        with pytest.raises(InputError) as caught:
            normalize(password)

        assert password not in str(caught.value)
        assert caught.value.__context__ is None

    def test_longest(self) -> None:
        """1,024 code points are looked at, even if there are eighteen times as many then."""
        assert 18 * 1024 == len(normalize("\ufdfa" * 1024))


class TestViolation:
    def test_value(self) -> None:
        """Two breaches of one rule with the same figures are equal and hash alike."""
        one, two = Violation("too_short", {"minimum": 15}), Violation("too_short", {"minimum": 15})

        assert one == two
        assert 1 == len({one, two})
        assert one != Violation("too_short", {"minimum": 16})
        assert "Violation(code='too_short', parameters={'minimum': 15})" == repr(one)

    def test_frozen(self) -> None:
        """Neither it nor its parameters change, and they are not the caller's."""
        parameters: dict[str, int | str] = {"minimum": 15}
        violation = Violation("too_short", parameters)
        parameters["minimum"] = 1

        assert {"minimum": 15} == violation.parameters
        with pytest.raises(TypeError):
            violation.parameters["minimum"] = 1  # type: ignore[index]


class TestLength:
    @pytest.mark.parametrize("character", [E_ACUTE, E_COMBINED, "😀", "漢", "a", " "])
    def test_minimum(self, character: str) -> None:
        """Fifteen code points after NFKC suffice, of whatever script; fourteen do not."""
        assert ["too_short"] == codes(varied(character, 14))
        assert [] == codes(varied(character, 15))

    def test_parameters(self) -> None:
        """A wrong length says what the right one is."""
        broken = POLICY.violations("kqzpx", confirmation="kqzpx", context=())

        assert (Violation("too_short", {"minimum": 15}),) == broken

    @pytest.mark.parametrize("length", [64, 128, 256])
    def test_long(self, length: int) -> None:
        """Long passwords are welcome, up to 256."""
        assert [] == codes(secrets.token_urlsafe(256)[:length])

    def test_maximum(self) -> None:
        """The 257th code point is one too many, and is not cut off."""
        password = secrets.token_urlsafe(256)[:257]
        broken = POLICY.violations(password, confirmation=password, context=())

        assert (Violation("too_long", {"maximum": 256}),) == broken

    def test_maximum_after_nfkc(self) -> None:
        """The greatest length counts after NFKC, too."""
        assert ["too_long"] == codes("\ufdfa" * 15 + GOOD)
        assert [] == codes((E_COMBINED + "x" + E_COMBINED + "yz") * 4 + GOOD * 10)

    @given(st.text(st.sampled_from("ab\ufdfa\0\ud800"), min_size=1025, max_size=1100))
    def test_raw(self, password: str) -> None:
        """Over 1,024 code points nothing else is looked at."""
        assert ["too_long"] == codes(password, confirmation="")

    def test_empty(self) -> None:
        """Of an empty password only that is said."""
        assert ["missing"] == codes("")
        assert ["missing"] == codes("", confirmation="x", context=CONTEXT)

    @pytest.mark.parametrize("field", ["password", "confirmation"])
    @pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
    def test_no_text(self, field: str, text: str) -> None:
        """NUL and half characters are refused as no input of a form, in either field."""
        given = {"password": GOOD, "confirmation": GOOD, field: text}
        with pytest.raises(InputError):
            codes(**given)  # type: ignore[arg-type]


class TestMismatch:
    @given(texts, texts)
    def test_compared(self, password: str, confirmation: str) -> None:
        """The two are the same if they are in NFKC, whatever else is wrong."""
        assume(password)
        same = normalize(password) == normalize(confirmation)

        assert same == ("mismatch" not in codes(password, confirmation=confirmation))

    def test_forms(self) -> None:
        """Composed once and taken apart once, they are the same."""
        assert [] == codes(GOOD + E_ACUTE, confirmation=GOOD + E_COMBINED)

    @pytest.mark.parametrize("other", ["", GOOD + " ", GOOD.upper(), "a" * 1025, "\ufdfa" * 1_000])
    def test_differs(self, other: str) -> None:
        """A blank or a capital makes a difference."""
        assert ["mismatch"] == codes(GOOD, confirmation=other)


LISTED = (
    "motdepasse",
    "azertyuiop",
    "jetaime",
    "wachtwoord",
    "welkom",
    "voetbal",
    "passwort",
    "schatz",
    "iloveyou",
    "dragon",
)
LISTED_WORDS = sorted(filter(str.isalpha, common_passwords()))
DERIVATIVES = (
    "{}2024!!!!!!!!!",
    "***{}***1234567",
    "{0}{0}{0}",
    "{0}-{0}-{0}",
    "{0}1{0}1{0}1",
)


class TestCommon:
    @pytest.mark.parametrize("pattern", DERIVATIVES)
    @pytest.mark.parametrize("word", LISTED)
    def test_derivatives(self, word: str, pattern: str) -> None:
        """A listed password does not get good by digits, symbols, capitals or repetition."""
        for spelling in (word, word.upper(), word.title()):
            assert ["common"] == [
                code for code in codes(pattern.format(spelling)) if code != "too_short"
            ]

    @given(st.sampled_from(LISTED_WORDS), st.text("0123456789!?. -_#", max_size=20))
    def test_any_listed(self, word: str, edge: str) -> None:
        """Whatever digits and symbols stand around a listed word, it is common."""
        assert "common" in codes(word)
        assert "common" in codes(edge + word + edge)
        assert "common" in codes(word * 3)

    @given(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=3),
        st.integers(15, 60),
    )
    def test_short_unit(self, unit: str, length: int) -> None:
        """Up to three characters, over and over, are common whatever they are."""
        password = normalize(unit * length)[:length]
        assume(len(normalize(unit)) <= 3)

        assert "common" in codes(password)

    @pytest.mark.parametrize(
        "password",
        [
            "aaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "aaaaaaaaaa12345",
            "abc abc abc abc",
            "               ",
            "éÉeEéÉeEéÉeEéÉeE",
            "123456789012345",
            "987654321987654",
            "azertyuiopqsdfg",
            "qwertzuiopasdfg",
            "mlkjhgfdsqpoiuy",
            "abcdefghijklmno",
            "1a2b3c4d5e6f7g8h",
            "Mot de passe 2024",
            "MotDePasse-MotDePasse",
            "ＭＯＴＤＥＰＡＳＳＥ２０２４１",
            "Ichliebedich!!!",
            "Weißnicht-Weißnicht",
            "MünchenMünchenMünchen",
            "!!123soleil123soleil!!",
        ],
    )
    def test_examples(self, password: str) -> None:
        """What people make of fifteen characters when they must."""
        assert "common" in codes(password)

    @pytest.mark.parametrize(
        "password",
        [
            "le motdepasse de dupont",
            "azerty cheval pile",
            "wachtwoord van de buren",
            "my dragon eats pasta",
            "918273640519283",
            "x!7@2#9$4%1^6&8*",
            "ab12 34 56 78 90 c",
        ],
    )
    def test_passphrase(self, password: str) -> None:
        """A listed word as one of several, or digits without a pattern, are no common password."""
        assert [] == codes(password)

    def test_any_characters(self) -> None:
        """Random characters of every script are accepted: there is no rule of composition."""
        rng = Random(20261124)
        assigned = [
            character
            for character in map(chr, range(32, maxunicode + 1))
            if unicodedata.category(character) not in {"Cs", "Cn", "Cc"}
            and unicodedata.normalize("NFKC", character) == character
        ]
        refused = [
            password
            for _ in range(1_500)
            if codes(password := "".join(rng.choices(assigned, k=rng.randint(15, 60))))
        ]

        assert [] == refused

    @given(random_passwords)
    @settings(max_examples=150)
    def test_one_class(self, password: str) -> None:
        """What is refused of fifteen characters and more is in the list or repeats itself."""
        folded = normalize(normalize(password).casefold())
        assume(15 <= len(normalize(password)) <= 256)
        if codes(password):
            forms = derivations(folded)
            assert forms & common_passwords() or any(
                2 * len(form) >= len(folded) and len(repeated_unit(form)) < 4 for form in forms
            )

    def test_lower_case(self) -> None:
        """Fifteen lower-case letters, and nothing else, are a password."""
        assert [] == codes("kqzpxvbtrmwdhjf")


CONTEXT_DERIVATIVES = [
    "Van Damme 2024!!!",
    "vandamme1234567",
    "VANDAMME-VANDAMME",
    "marcvandamme2024",
    "Marc.Van.Damme.1",
    "marc_van_damme_77",
    "marcmarcmarcmarc",
    "marc!marc!marc!!",
    "mvandamme7mvandamme7",
    "mvandamme!!!!!!!",
    "mvandamme1234567",
    "MVanDamme7------",
    "marc.vandamme@famille-demo.be",
    "marc.vandamme2024",
    "vandamme@vandamme",
    "famille123456789",
    "Élodie2015Élodie2015",
    "elodie0123456789",
    "E\u0301LODIE!!!!!!!!!!",
    "ElodieElodieElodie",
    "élodie van damme",
    "Elodie-Van-Damme",
    "Jürgen!!!!!!!!!!",
    "jurgenjurgenjurgen",
    "juergen123456789",
    "D'Hondt 1234567!",
    "dhondtdhondtdhondt",
    "TOM2016TOM2016TOM2016",
    "nguyen-lefevre-1",
    "Nguyễn1234567890",
    "lefevrelefevrelefevre",
    "EcoleSainteGudule",
    "école sainte-gudule",
    "saintegudule2025",
    "Gudule!Gudule!Gudule!",
    "portail.sainte-gudule.be",
    "portailportailportail",
]


class TestContext:
    @pytest.mark.parametrize("password", CONTEXT_DERIVATIVES)
    def test_derivatives(self, password: str) -> None:
        """A name, with digits, symbols, repetitions or without its accents, is no password."""
        assert "context" in codes(password, context=CONTEXT)

    @pytest.mark.parametrize(
        "password",
        [
            "le chien de vandamme mange",
            "elodie adore les tomates",
            "tom et la pluie de mars",
            "de gudule en zo voort",
            "tomatensoep met balletjes",
            "marcassin sous la lune",
            "un portail rouge grince",
        ],
    )
    def test_passphrase(self, password: str) -> None:
        """A passphrase that contains a name, as a word or within one, is accepted."""
        assert [] == codes(password, context=CONTEXT)

    @given(
        st.lists(st.text(max_size=40), max_size=6),
        st.sampled_from(["{}", "{}2024", "!{}!", "{0}{0}"]),
    )
    def test_any_text(self, context: list[str], pattern: str) -> None:
        """Each text of three letters and more is refused as a password, whatever it is."""
        for text in context:
            password = pattern.format(text).replace("\0", "")
            if "\0" in text or not _encodable(password) or sum(map(str.isalpha, text)) < 3:
                continue
            if sum(map(str.isalpha, normalize(text))) < 3 or not text.strip():
                continue
            assert "context" in codes(password, context=tuple(context))

    @pytest.mark.parametrize(
        "context", [(), ("",), ("  ",), ("Jo De",), ("a", "7"), ("@",), ("\ud800",)]
    )
    def test_nothing(self, context: tuple[str, ...]) -> None:
        """Initials, particles and blanks refuse nothing."""
        assert [] == codes("jo 9182736405192", context=context)

    def test_several_rules(self) -> None:
        """All broken rules are said at once."""
        assert ["too_short", "common", "context", "mismatch"] == codes(
            "Azerty123", confirmation="Azerty124", context=("azerty",)
        )
        assert ["too_long", "common"] == codes("a" * 300)


class TestExtraRules:
    def test_called(self) -> None:
        """A host's rule gets the normalised password and the context, and adds its own."""
        calls = []

        def rule(password: str, context: Collection[str]) -> list[Violation]:
            calls.append((password, context))
            return [Violation("breached", {"count": 7}), Violation("house", {"text": "Non."})]

        policy = PasswordPolicy(extra_rules=[rule])  # type: ignore[arg-type]

        assert ["breached", "house"] == codes(GOOD + E_COMBINED, context=CONTEXT, policy=policy)
        assert [(GOOD + E_ACUTE, CONTEXT)] == calls

    def test_generator(self) -> None:
        """A rule may be a generator that finds nothing."""

        def rule(password: str, context: Collection[str]) -> Iterator[Violation]:
            if password.isupper():
                yield Violation("shouting")

        policy = PasswordPolicy(extra_rules=(rule,))

        assert [] == codes(GOOD, policy=policy)
        assert ["shouting"] == codes(GOOD.upper(), policy=policy)

    def test_raises(self) -> None:
        """What a rule raises reaches the caller as it is."""
        error = TimeoutError("the breach list does not answer")

        def rule(password: str, context: Collection[str]) -> list[Violation]:
            raise error

        with pytest.raises(TimeoutError) as caught:
            codes(GOOD, policy=PasswordPolicy(extra_rules=(rule,)))

        assert error is caught.value

    @pytest.mark.parametrize("password", ["", "ab1-" * 100, "a" * 1025])
    def test_not_called(self, password: str) -> None:
        """A rule never sees a missing or too long password."""

        def rule(password: str, context: Collection[str]) -> list[Violation]:
            raise AssertionError

        codes(password, policy=PasswordPolicy(extra_rules=(rule,)))


class TestPolicy:
    def test_describe(self) -> None:
        """A page can tell the lengths before anything is typed."""
        assert {"minimum": 15, "maximum": 256} == POLICY.describe()

    @pytest.mark.parametrize(
        "lengths",
        [
            {"minimum": 7},
            {"minimum": 0},
            {"maximum": 63},
            {"maximum": 1025},
            {"minimum": 100, "maximum": 99},
        ],
    )
    def test_refused(self, lengths: dict[str, int]) -> None:
        """At least 8 are asked for, at least 64 allowed, and no more than are looked at."""
        with pytest.raises(ConfigurationError):
            PasswordPolicy(**lengths)

    @pytest.mark.parametrize("minimum", range(8, 15))
    def test_warns(self, minimum: int) -> None:
        """A minimum below 15 warns, naming NIST, where the policy is made."""
        with pytest.warns(UserWarning, match=r"NIST SP 800-63B-4.*15") as caught:
            policy = PasswordPolicy(minimum=minimum)

        assert __file__ == caught[0].filename
        assert [] == codes("kqzpxvbtrmwdhjf"[:minimum], policy=policy)

    @pytest.mark.parametrize("minimum", [15, 20, 64])
    def test_silent(self, minimum: int) -> None:
        """From 15 on nothing warns."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            PasswordPolicy(minimum=minimum)


def _encodable(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode() == text


class TestHostile:
    @pytest.mark.parametrize(
        "text",
        [
            "a" * 1024,
            "ab" * 512,
            "a" * 511 + "b" + "a" * 512,
            ("a" * 31 + "b") * 32,
            "!1a" * 341,
            "1" * 512 + "a" + "1" * 511,
            "\u0301\u0323" * 512,
            "\ufdfa" * 1024,
            "ǆ" * 1024,
            "ΐ" * 1024,
            "".join(chr(0x4E00 + place) for place in range(1024)),
            "abacabadabacaba" * 68,
        ],
    )
    def test_quick(self, text: str) -> None:
        """No password makes the rules slow."""
        began = time.perf_counter()
        codes(text, context=CONTEXT)

        assert time.perf_counter() - began < 1
