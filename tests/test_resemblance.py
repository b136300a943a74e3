from hypothesis import given
from hypothesis import strategies as st

from parentauth._resemblance import context_words, derivations, is_repetition, repeated_unit

texts = st.text(st.characters(exclude_categories=["Cs"]))


def _smallest_period(text: str) -> int:
    """Find it in the plainest way."""
    return next(p for p in range(1, len(text) + 1) if text[p:] == text[: len(text) - p])


class TestRepeatedUnit:
    @given(st.text("ab", min_size=1, max_size=30))
    def test_model(self, text: str) -> None:
        """It is the smallest period, when that fits whole times or into two thirds."""
        period = _smallest_period(text)
        fits = len(text) % period == 0 or period <= len(text) * 2 / 3

        assert (text[:period] if fits else text) == repeated_unit(text)

    def test_empty(self) -> None:
        """Nothing repeats nothing."""
        assert not repeated_unit("")


class TestDerivations:
    @given(texts)
    def test_bounded(self, text: str) -> None:
        """There are few forms, none is empty, and none is longer than the text folded."""
        forms = derivations(text)
        folded = max(map(len, forms), default=0)

        assert "" not in forms
        assert len(forms) <= 60
        assert folded <= 20 * len(text)

    @given(st.text(st.characters(max_codepoint=0x24F)))
    def test_case(self, text: str) -> None:
        """What differs only by capitals has the same forms."""
        assert derivations(text.casefold()) <= derivations(text)

    def test_closed(self) -> None:
        """Edges and repetitions come off in turns."""
        assert "azerty" in derivations("!12Azerty34-Azerty34-Azerty34-!!")
        assert {"élodie", "elodie"} <= derivations("ÉLODIE")
        assert {"müller", "muller", "mueller"} <= derivations("Müller")


class TestIsRepetition:
    def test_most(self) -> None:
        """A repetition counts when it makes up at least half of the password."""
        assert is_repetition(derivations("aaaaaaaa91827364"))
        assert not is_repetition(derivations("aaaaaaa918273645"))
        assert not is_repetition(derivations(""))


class TestContextWords:
    def test_words(self) -> None:
        """Words are whole: a part of one is none."""
        words = context_words(["Marc Van Damme"])

        assert {"marc", "van", "damme", "vandamme", "marcvandamme", "marc van damme"} <= words
        assert not {"mar", "amme", "dam"} & words

    def test_bounded(self) -> None:
        """A text of a thousand words gives its words, and not all their neighbourhoods."""
        assert len(context_words([" ".join(f"mot{n}abc" for n in range(1000))])) < 10_000
