import re

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import polib
import pytest

from babel.messages.extract import extract_from_dir
from hypothesis import given
from hypothesis import strategies as st

from parentauth._texts import NAMES, available, negotiate, texts
from parentauth.exceptions import ConfigurationError

PACKAGE = Path(find_spec("parentauth").origin).parent
CATALOGUES = {
    path.parent.parent.name: polib.pofile(str(path))
    for path in sorted(PACKAGE.glob("locale/*/LC_MESSAGES/*.po"))
}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
NBSP, THIN = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"

# The reference's own wording, and what was agreed beside it.
FRENCH = """\
Mot de passe oublié
Afin de redéfinir votre mot de passe, veuillez entrer votre adresse email. Vous allez recevoir des instructions dans votre boîte mail.
email
SOUMETTRE
Vous avez reçu ou demandé un (nouveau) jeton de connexion afin de (re)définir votre mot de passe personnel.
Nouveau Mot de passe
Vérification du mot de passe
MODIFIER
Première connexion
pour définir votre mot de passe personnel
JETON DE CONNEXION
Connexions suivantes
Nom d'utilisateur
Mot de passe
CONNEXION
Mot de passe oublié ? Pas de panique, cliquez ici pour redéfinir votre mot de passe.
Jeton de connexion
Introduisez votre jeton de connexion envoyé par mail.
Vous n'avez pas reçu le mail ? Regardez dans les courriers indésirables, ou téléphonez à l'école.
Introduisez votre jeton de connexion.
Ce jeton n'est pas valable. Copiez-le en entier depuis le mail.
Ce jeton n'est plus valable depuis le %(date)s. Demandez-en un nouveau.
Ce jeton a déjà servi. Votre mot de passe est déjà défini : passez par « Connexions suivantes ».
Ce jeton n'est plus valable. Utilisez le mail le plus récent, ou demandez-en un nouveau.
Définition du mot de passe personnel
Votre nom d'utilisateur est %(name)s. Notez-le.
Au moins %(n)s caractères. Par exemple trois mots sans rapport.
Votre mot de passe est enregistré.
Introduisez un mot de passe.
Le mot de passe doit compter au moins %(n)s caractères.
Ce mot de passe est trop courant. Choisissez-en un autre.
Ce mot de passe ressemble trop à votre nom, à celui d'un enfant ou de l'école.
Les deux mots de passe ne sont pas identiques.
Connexion
Nom d'utilisateur ou mot de passe incorrect.
Trop d'essais. Réessayez dans %(n)d minutes, ou redéfinissez votre mot de passe.
Trop d'essais. Redéfinissez votre mot de passe par mail.
Si un compte est lié à cette adresse, un mail vient d'être envoyé.
Il arrive en une minute ou deux. Regardez aussi dans les courriers indésirables.
Vous ne recevez rien ? Recommencez avec l'adresse mail que vous avez communiquée à l'école.
%(school)s : votre jeton de connexion
Vous n'avez rien demandé ? Ignorez ce mail.
Choisissez un enfant
Se connecter avec ce compte
Aucun enfant n'est lié à votre compte. Téléphonez à l'école.
Mes enfants
Changer mon mot de passe
Se déconnecter
Vous êtes connecté au compte de %(child)s
Revenir à mes enfants
La page est restée ouverte trop longtemps. Recommencez.
Un problème est survenu. Réessayez plus tard.
Ce compte est fermé. Téléphonez à l'école.
Ce lien est pour le compte %(wanted)s. Vous êtes connecté avec %(present)s.
CONTINUER AVEC %(name)s
Rester avec %(name)s
Beaucoup de parents se connectent en ce moment. Réessayez dans une minute.
Vous êtes déconnecté.
Mot de passe actuel
Le mot de passe actuel n'est pas correct.
%(school)s : votre mot de passe a été modifié
Votre mot de passe a été modifié le %(date)s.
Ce n'était pas vous ? Demandez tout de suite un nouveau jeton de connexion, ou téléphonez à l'école.
%(school)s : un enfant a été ajouté à votre compte
Un enfant a été ajouté à votre compte. Connectez-vous comme d'habitude.
%(school)s : votre adresse mail a été modifiée
L'école a remplacé l'adresse mail de votre compte. Ce n'est pas normal ? Téléphonez à l'école.
Il y a un problème
Afficher
Masquer"""
# English of the code, and the words agreed for it in the other languages.
AGREED = {
    "Access code": {"nl": "Toegangscode", "de": "Zugangscode"},
    "Enter the access code we sent you by email.": {
        "nl": "Vul de toegangscode in die u per e-mail hebt gekregen.",
        "de": "Geben Sie den Zugangscode ein, den Sie per E-Mail erhalten haben.",
    },
    "SIGN IN": {"nl": "AANMELDEN", "de": "ANMELDEN"},
    "Set your personal password": {
        "nl": "Persoonlijk wachtwoord instellen",
        "de": "Persönliches Passwort festlegen",
    },
    "New password": {"nl": "Nieuw wachtwoord", "de": "Neues Passwort"},
    "Repeat the password": {"nl": "Wachtwoord herhalen", "de": "Passwort wiederholen"},
    "CHANGE": {"nl": "WIJZIGEN", "de": "ÄNDERN"},
    "SUBMIT": {"nl": "VERSTUREN", "de": "ABSENDEN"},
    "First sign-in": {"nl": "Eerste keer aanmelden", "de": "Erste Anmeldung"},
    "Signing in again": {"nl": "Volgende keren", "de": "Spätere Anmeldungen"},
    "Username": {"nl": "Gebruikersnaam", "de": "Benutzername"},
    "Forgotten your password? Don't panic, click here to set a new one.": {
        "nl": "Wachtwoord vergeten? Geen paniek, klik hier om een nieuw wachtwoord te kiezen.",
        "de": "Passwort vergessen? Keine Panik, klicken Sie hier, um Ihr Passwort neu festzulegen.",
    },
    "Sign in with this account": {
        "nl": "Aanmelden met dit account",
        "de": "Mit diesem Konto anmelden",
    },
}


def plain(text: str) -> str:
    """Return a text with ordinary blanks and apostrophes."""
    return text.replace(NBSP, " ").replace(THIN, " ").replace("’", "'")


@cache
def extracted() -> set[tuple[str, ...]]:
    """Return every text in the code: one, or singular and plural."""
    keywords = {"t": None, "texts": None, "plural": (1, 2)}
    found = extract_from_dir(
        str(PACKAGE), method_map=[("**.py", "python")], keywords=keywords, comment_tags=()
    )
    return {
        (message,) if isinstance(message, str) else tuple(message)
        for _, _, message, _, _ in found
        if message and message != ("", "")
    }


def written(entry: polib.POEntry) -> list[str]:
    """Return every form of a translation."""
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


ENTRIES = [
    pytest.param(entry, id=f"{code}-{entry.msgid[:30]}")
    for code, catalogue in CATALOGUES.items()
    for entry in catalogue
]


class TestCatalogues:
    @pytest.mark.parametrize("code", CATALOGUES)
    def test_complete(self, code: str) -> None:
        """A catalogue has every text of the code and no other."""
        there = {
            (entry.msgid, entry.msgid_plural) if entry.msgid_plural else (entry.msgid,)
            for entry in CATALOGUES[code]
            if not entry.obsolete
        }

        assert extracted() == there

    def test_french(self) -> None:
        """There is a French one: it is the reference."""
        assert "fr" in CATALOGUES

    @pytest.mark.parametrize("entry", ENTRIES)
    def test_translated(self, entry: polib.POEntry) -> None:
        """Every text is translated and confirmed, with the same placeholders."""
        assert not entry.fuzzy
        for text in written(entry):
            assert text.strip()
            wanted = set(PLACEHOLDER.findall(entry.msgid))
            assert wanted == set(PLACEHOLDER.findall(text))
            assert "%" not in PLACEHOLDER.sub("", text)

    @pytest.mark.parametrize("code", CATALOGUES)
    def test_compiled(self, code: str) -> None:
        """What is compiled is what is written."""
        assert code in available()
        for entry in CATALOGUES[code]:
            names = re.findall(r"%\((\w+)\)", entry.msgid)
            values = dict.fromkeys(names, 2)
            if entry.msgid_plural:
                text = texts(code).plural(entry.msgid, entry.msgid_plural, 2)
                assert entry.msgstr_plural[max(entry.msgstr_plural)] % {"n": 2} == text
            else:
                assert entry.msgstr % values == texts(code)(entry.msgid, **values)

    @pytest.mark.parametrize("code", CATALOGUES)
    def test_plain_words(self, code: str) -> None:
        """No parent reads jargon."""
        jargon = re.compile(
            r"\b(token|session|login|log in|authenti\w+|captcha|bug)\b", re.IGNORECASE
        )
        for entry in CATALOGUES[code]:
            for text in written(entry):
                assert not jargon.search(PLACEHOLDER.sub("", text)), text

    def test_english_plain_words(self) -> None:
        """Nor in English, the code's own."""
        jargon = re.compile(
            r"\b(token|session|login|log in|authenti\w+|captcha|bug)\b", re.IGNORECASE
        )
        for message in extracted():
            assert not jargon.search(PLACEHOLDER.sub("", " ".join(message))), message

    @pytest.mark.parametrize("message", AGREED)
    def test_agreed(self, message: str) -> None:
        """The agreed words are in every language that there is."""
        assert (message,) in extracted()
        for code, text in AGREED[message].items():
            if code in CATALOGUES:
                assert text == plain(texts(code)(message))


class TestFrench:
    @pytest.mark.parametrize("sentence", FRENCH.splitlines())
    def test_reference(self, sentence: str) -> None:
        """The reference's wording is kept to the letter, whatever the kind of its blanks."""
        there = {plain(text) for entry in CATALOGUES["fr"] for text in written(entry)}

        assert sentence in there

    @pytest.mark.parametrize("entry", [param for param in ENTRIES if param.id.startswith("fr-")])
    def test_blanks(self, entry: polib.POEntry) -> None:
        """Before ? ! : ; and inside « » there is a no-break space, so that no line begins with them."""
        for text in written(entry):
            assert not re.search(r"[^\s\xa0\u202f][?!;»]|[^\s\xa0\u202f]:(?=\s|$)", text), text
            assert not re.search(r" [?!:;»]|« ", text), text
            assert not re.search(r"«[^\xa0\u202f]", text), text


class TestTexts:
    def test_unknown(self) -> None:
        """A language without catalogue is refused, with those that there are."""
        with pytest.raises(ConfigurationError, match=r"'xx'.*fr.*en"):
            texts("xx")

    @pytest.mark.parametrize("locale", ["../fr", "", "fr\0", "FR"])
    def test_no_path(self, locale: str) -> None:
        """A language is a code, never a path."""
        with pytest.raises(ConfigurationError):
            texts(locale)

    def test_source(self) -> None:
        """English needs no catalogue."""
        assert "Sign in" == texts("en")("Sign in")
        assert "en" == texts("en").locale

    def test_menu(self) -> None:
        """The menu's order is fixed, and each language is named in its own."""
        assert [code for code in NAMES if code in available()] == list(available())
        assert {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"} == NAMES

    def test_percent_in_values(self) -> None:
        """A value may hold anything: it is not read again."""
        assert "Bonjour %(x)s 100%," == texts("fr")("Hello %(name)s,", name="%(x)s 100%")

    @pytest.mark.parametrize(("n", "word"), [(0, "minute"), (1, "minute"), (2, "minutes")])
    def test_plural(self, n: int, word: str) -> None:
        """French counts nought as one."""
        text = texts("fr").plural(
            "Too many requests. Try again in %(n)d minute.",
            "Too many requests. Try again in %(n)d minutes.",
            n,
        )

        assert f"dans {n} {word}." in plain(text)


class TestNegotiate:
    @pytest.mark.parametrize(
        ("wishes", "expected"),
        [
            ([], "fr"),
            ([None, "", None], "fr"),
            (["en"], "en"),
            (["EN-gb"], "en"),
            (["xx", "en"], "en"),
            ([None, "fr", "en"], "fr"),
            (["es,en;q=0.5"], "en"),
            (["en;q=0.5,fr;q=0.9"], "fr"),
            (["en;q=0,fr;q=0.1"], "fr"),
            (["en;q=x,*"], "fr"),
            (["en;q=1.0"], "en"),
            ([" en "], "en"),
            (["en-GB,en-US;q=0.9"], "en"),
            ([",;,=;q"], "fr"),
            (["en;q=nan"], "fr"),
        ],
    )
    def test_table(self, wishes: list[str | None], expected: str) -> None:
        """The first wish that there is, by its order of quality; else the portal's."""
        assert expected == negotiate(wishes, "fr")

    @given(st.lists(st.none() | st.text(st.characters(exclude_categories=[]))))
    def test_any_text(self, wishes: list[str | None]) -> None:
        """Whatever a browser or a cookie says, the answer is a language that there is."""
        assert negotiate(wishes, "en") in available()

    @given(st.sampled_from(["en", "fr"]), st.text(max_size=10))
    def test_first_wins(self, code: str, other: str) -> None:
        """A wish that there is wins, whatever follows it."""
        assert code == negotiate([code, other], "fr")

    def test_long(self) -> None:
        """A header of a megabyte is not read to its end."""
        assert "fr" == negotiate(["x," * 500_000 + "en"], "fr")
