import gzip
import unicodedata

import pytest

from parentauth import _blocklist
from parentauth._blocklist import common_passwords

# What people of each language type first.
COMMON = {
    "fr": "motdepasse azerty azertyuiop jetaime doudou loulou chouchou soleil 123soleil marseille"
    " bonjour école ecole élève eleve anderlecht bruxelles septembre charleroi princesse chocolat",
    "nl": "wachtwoord welkom welkom01 geheim voetbal schatje ikhouvanjou feyenoord clubbrugge"
    " antwerpen zonnetje september zondag knuffel ouders vakantie mechelen sinterklaas",
    "de": "passwort hallo schatz ichliebedich fussball fußball schalke04 dortmund sommer münchen"
    " munchen muenchen schüler schueler eltern geheim willkommen prinzessin qwertz sonnenschein",
    "en": "password 123456 12345678 qwerty letmein iloveyou monkey dragon sunshine welcome"
    " football baseball trustno1 correcthorsebatterystaple changeme",
    "keys": "qsdfghjklm wxcvbn qwertzuiop yxcvbnm asdfghjkl poiuytreza mlkjhgfdsq 1qaz2wsx 1aqw2zsx"
    " azertyuiopqsdfghjklm 123456789012345 abcdefghijklmno ponmlkjihgfedcba &é\"'(§è!çà 2026",
}


class TestCommonPasswords:
    def test_size(self) -> None:
        """There are well over ten thousand."""
        assert 50_000 < len(common_passwords()) < 100_000

    @pytest.mark.parametrize("word", [word for words in COMMON.values() for word in words.split()])
    def test_languages(self, word: str) -> None:
        """What parents of each language, and their keyboards, choose first is listed."""
        assert word.casefold() in common_passwords()

    def test_form(self) -> None:
        """Entries are in the form in which passwords are compared: NFKC, without case."""
        for entry in common_passwords():
            assert unicodedata.normalize("NFKC", entry.casefold()) == entry

    def test_length(self) -> None:
        """An entry has at least four characters: shorter ones would refuse good passwords."""
        assert 4 == min(map(len, common_passwords()))

    def test_once(self) -> None:
        """The list is read at its first use, and then kept."""
        assert common_passwords() is common_passwords()

    def test_reproducible(self) -> None:
        """The file has no date and no name in it, and its lines are sorted and unique."""
        data = _blocklist._FILE.read_bytes()
        lines = gzip.decompress(data).decode().split("\n")

        assert bytes(5) == data[3:8]
        assert sorted(set(lines)) == lines

    def test_licence(self) -> None:
        """The source's licence stands beside the list."""
        notice = _blocklist._FILE.with_name("LICENSE-common-passwords.txt").read_text("utf-8")

        assert "zxcvbn-python 4.5.0" in notice
        assert "MIT License" in notice
