import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth._inputs import TEXT_MAX, checked_text
from parentauth.exceptions import InputError


class TestCheckedText:
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50))
    def test_accepted(self, text: str) -> None:
        """Every text that a form may send is returned as it is."""
        assert text == checked_text(text, "field")

    @pytest.mark.parametrize(
        "value", [None, 0, 1.5, True, b"x", [], ["x"], {}, {"x": "y"}, object(), "a\0b", "\0"]
    )
    def test_refused(self, value: object) -> None:
        """Another type, and NUL, are refused with the field's name."""
        with pytest.raises(InputError, match="field"):
            checked_text(value, "field")

    @given(st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3))
    def test_half_characters(self, halves: str) -> None:
        """Half a character is refused wherever it stands."""
        for text in (halves, f"a{halves}", f"{halves}a"):
            if text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") != text:
                with pytest.raises(InputError):
                    checked_text(text, "field")

    @pytest.mark.parametrize(("length", "accepted"), [(TEXT_MAX, True), (TEXT_MAX + 1, False)])
    def test_length(self, length: int, *, accepted: bool) -> None:
        """So many characters and no more."""
        if accepted:
            assert checked_text("x" * length, "field")
        else:
            with pytest.raises(InputError):
                checked_text("x" * length, "field")

    def test_maximum(self) -> None:
        """A field may have a limit of its own."""
        with pytest.raises(InputError, match="3"):
            checked_text("abcd", "field", maximum=3)

    @pytest.mark.parametrize("value", ["canary\0", "canary\ud800", "canary" * 1000, ["canary"]])
    def test_tells_no_value(self, value: object) -> None:
        """Neither the error nor what caused it repeats the value."""
        with pytest.raises(InputError) as caught:
            checked_text(value, "field")

        error: BaseException | None = caught.value
        while error is not None:
            assert "canary" not in f"{error!s} {error!r}"
            error = error.__context__ or error.__cause__

    def test_reason(self) -> None:
        """Its reason is a stable word."""
        assert "bad_input" == InputError("x").reason
