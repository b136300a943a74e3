import re

from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import ChildLink, Family, Paths, School
from parentauth._mails import Envelope, WayIn, Writer
from parentauth._model import Account, Purpose
from parentauth._site import Site
from parentauth._texts import available, texts
from parentauth.mailers import as_message
from parentauth.ports import Mail
from tests.doubles import tokens_in
from tests.school import BASE_URL, SCHOOL, Portal

TOKEN = "ABCD1234EFGH5678JKMN9012PQRS3456"
GROUPED = "ABCD-1234-EFGH-5678-JKMN-9012-PQRS-3456"
ANNA = Account("p1", "anna.peeters", "Anna Peeters", "anna@example.be")
UNTIL = datetime(2026, 12, 7, 17, 0, 42, tzinfo=UTC)
ENVELOPE = Envelope("École <noreply@ecole.be>", "<1.1@ecole.be>", UNTIL)
HOSTILE = '"><svg/onload=1>{{7*7}}&amp;%(x)s{0}'


def plain(text: str) -> str:
    """Return a text with ordinary blanks."""
    return text.replace("\xa0", " ").replace("\u202f", " ")


def writer(locale: str = "fr", school: School = SCHOOL, **site: object) -> Writer:
    """Return a writer."""
    return Writer(school, Site(BASE_URL, **site), texts(locale))


def way(purpose: Purpose = Purpose.FIRST_LOGIN, account: Account = ANNA) -> WayIn:
    """Return a way in."""
    return WayIn(account, purpose, TOKEN, GROUPED, UNTIL)


def access(*ways: WayIn, by: Writer | None = None) -> Mail:
    """Write a mail with ways in."""
    return (by or writer()).access("anna@example.be", ways or [way()], ENVELOPE)


def all_mails(by: Writer, account: Account = ANNA) -> list[Mail]:
    """Write every kind of mail."""
    return [
        by.access("a@b.be", [way(account=account)], ENVELOPE),
        by.access("a@b.be", [way(Purpose.RESET, account)], ENVELOPE),
        by.access("a@b.be", [way(account=account), way(Purpose.RESET, account)], ENVELOPE),
        by.password_changed(account, "a@b.be", UNTIL, ENVELOPE),
        by.child_added(account, "a@b.be", ENVELOPE),
        by.address_changed(account, "a@b.be", ENVELOPE),
    ]


class Reader(HTMLParser):
    """Collects what a mail program shows, and what it would follow or load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links, self.tags, self.attributes = "", [], [], []
        self._skipped = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        self.links += [value for name, value in attributes if name in {"href", "src"}]
        self._skipped = tag == "title"
        if tag in {"p", "br"}:
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        """End a tag."""
        self._skipped = False

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if not self._skipped:
            self.text += data


class TestAccess:
    def test_subject(self) -> None:
        """The subject says school and action."""
        assert "École Saint-Exupéry : votre jeton de connexion" == plain(access().subject)

    def test_first_login(self) -> None:
        """The first mail greets by name and says why, username, token, link, until when, and whom to call."""
        text = plain(access().text)

        for line in (
            "Bonjour Anna Peeters,",
            "École Saint-Exupéry vous donne accès à son portail. Avec le jeton de connexion ci-dessous, vous choisissez votre mot de passe personnel.",
            "Nom d'utilisateur : anna.peeters",
            "Jeton de connexion :",
            "Il est valable jusqu'au lundi 7 décembre 2026 à 18 h, et utilisable une seule fois.",
            "Vous n'avez rien demandé ? Ignorez ce mail.",
            "Téléphone : 02 555 12 34",
        ):
            assert line in text.splitlines(), line

    def test_reset(self) -> None:
        """A reset's mail says that the present password works until the new one is saved."""
        text = plain(access(way(Purpose.RESET)).text)

        assert (
            "Votre mot de passe actuel fonctionne jusqu'à ce que le nouveau soit enregistré" in text
        )
        assert "vous donne accès" not in text

    def test_alone_on_their_lines(self) -> None:
        """The grouped token and each link stand alone on a line."""
        lines = access().text.splitlines()

        assert GROUPED in lines
        assert f"{BASE_URL}/token/{TOKEN}" in lines
        assert {f"{BASE_URL}/{page}" for page in ("login", "forgot")} < set(lines)
        assert all(line.startswith(BASE_URL) for line in lines if "http" in line)

    def test_length(self) -> None:
        """A normal portal's link has 76 characters at most: no mail program breaks it."""
        by = writer(paths=Paths(prefix="/parents"))
        links = re.findall(r"https://\S+", access(by=by).text)

        assert max(map(len, links)) <= 76

    def test_one_link_with_token(self) -> None:
        """One link holds the token; it is the portal's own."""
        reader = Reader(access().html)
        with_token = {link for link in reader.links if TOKEN in link}

        assert {f"{BASE_URL}/token/{TOKEN}"} == with_token

    def test_several(self) -> None:
        """Several accounts: each username with its token and link, no one name in the greeting."""
        other = attrs.evolve(ANNA, username="els", name="Els")
        second = attrs.evolve(way(Purpose.RESET, other), token="Z" * 32, grouped="Z")
        mail = access(way(), second)
        text = plain(mail.text)

        assert text.startswith("Bonjour,\n")
        assert text.index("anna.peeters") < text.index(GROUPED) < text.index(": els\n")
        assert f"{BASE_URL}/token/{'Z' * 32}" in text.splitlines()
        assert "Plusieurs comptes sont liés à cette adresse." in text

    def test_earliest_end(self) -> None:
        """Of several ends the earliest is told."""
        later = attrs.evolve(way(), expires_at=datetime(2027, 1, 1, tzinfo=UTC))

        assert "7 décembre 2026" in access(later, way()).text

    def test_without_name(self) -> None:
        """Without a name the greeting has none."""
        mail = access(way(account=attrs.evolve(ANNA, name="")))

        assert mail.text.startswith("Bonjour,\n")


class TestNotices:
    def test_password_changed(self) -> None:
        """The notice says when, and what to do if it was not you; it has no token."""
        mail = writer().password_changed(ANNA, "a@b.be", UNTIL, ENVELOPE)
        text = plain(mail.text)

        assert "École Saint-Exupéry : votre mot de passe a été modifié" == plain(mail.subject)
        assert "Votre mot de passe a été modifié le lundi 7 décembre 2026 à 18 h." in text
        assert (
            "Ce n'était pas vous ? Demandez tout de suite un nouveau jeton de connexion, "
            "ou téléphonez à l'école." in text
        )
        assert f"{BASE_URL}/forgot" in text.splitlines()

    def test_child_added(self) -> None:
        """The mail about a child says how to sign in, without a credential."""
        mail = writer().child_added(ANNA, "a@b.be", ENVELOPE)

        assert "École Saint-Exupéry : un enfant a été ajouté à votre compte" == plain(mail.subject)
        assert (
            "Un enfant a été ajouté à votre compte. Connectez-vous comme d'habitude." in mail.text
        )

    def test_address_changed(self) -> None:
        """The mail about an address names neither address."""
        mail = writer().address_changed(ANNA, "a@b.be", ENVELOPE)

        assert "École Saint-Exupéry : votre adresse mail a été modifiée" == plain(mail.subject)
        assert "@b.be" not in mail.text
        assert "anna@example.be" not in mail.text

    def test_no_token(self) -> None:
        """No notice holds a token or a link with one."""
        for mail in all_mails(writer())[3:]:
            assert [] == tokens_in(mail)
            assert "/token" not in mail.text + mail.html


class TestEveryMail:
    @pytest.mark.parametrize("locale", available())
    @pytest.mark.parametrize("number", range(6))
    def test_both_parts_say_the_same(self, locale: str, number: int) -> None:
        """The HTML part has every line of the text part, and the same links."""
        mail = all_mails(writer(locale))[number]
        reader = Reader(mail.html)
        shown = re.sub(r"\s+", " ", plain(reader.text))
        for line in plain(mail.text).splitlines():
            if line.strip(" -"):
                assert line.strip() in shown, line

        assert set(re.findall(r"https?://\S+", mail.text)) == set(reader.links)
        assert f'<html lang="{locale}">' in mail.html

    @pytest.mark.parametrize("number", range(6))
    def test_nothing_is_loaded(self, number: int) -> None:
        """No picture, script, stylesheet, form or tracker."""
        mail = all_mails(writer())[number]
        reader = Reader(mail.html)

        assert not {"img", "script", "link", "form", "iframe", "object"} & set(reader.tags)
        assert "src" not in reader.attributes
        assert "url(" not in mail.html

    @pytest.mark.parametrize("number", range(6))
    def test_footer(self, number: int) -> None:
        """The school's name, address, telephone and mailbox end every mail; replies go there."""
        mail = all_mails(writer())[number]

        for line in (SCHOOL.name, SCHOOL.address, SCHOOL.telephone, SCHOOL.email):
            assert line in mail.text.partition("-- \n")[2]
        assert SCHOOL.email == mail.reply_to

    def test_sparse_school(self) -> None:
        """A school that gave a name alone gets no empty lines, and no reply address."""
        mail = access(by=writer(school=School("École")))

        assert mail.text.endswith("-- \nÉcole\n")
        assert mail.reply_to is None

    @pytest.mark.parametrize("number", range(6))
    def test_names_no_child(self, number: int) -> None:
        """No mail names a child."""
        account = attrs.evolve(ANNA, children=(ChildLink("c1", "Canari", "Zèbres"),))
        mail = all_mails(writer(), account)[number]

        for part in (mail.subject, mail.text, mail.html):
            assert "Canari" not in part
            assert "Zèbres" not in part

    @pytest.mark.parametrize("number", range(6))
    def test_hostile_names(self, number: int) -> None:
        """Whatever parent and school are called stays text."""
        account = attrs.evolve(ANNA, name=HOSTILE, username=HOSTILE)
        school = attrs.evolve(SCHOOL, name=HOSTILE, address=HOSTILE, telephone=HOSTILE)
        mail = all_mails(writer(school=school), account)[number]
        reader = Reader(mail.html)

        assert HOSTILE in mail.text
        assert HOSTILE in reader.text
        assert "svg" not in reader.tags
        assert "onload" not in reader.attributes
        assert all(link.startswith(BASE_URL) for link in reader.links)

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"]), min_size=1))
    def test_any_name(self, name: str) -> None:
        """Any printable name is shown as it is, and opens no tag."""
        account = attrs.evolve(ANNA, name=name)
        first, named = Reader(access().html), Reader(access(way(account=account)).html)

        assert first.tags == named.tags
        assert name in unescape(access(way(account=account)).html)

    @pytest.mark.parametrize("number", range(6))
    def test_secrets_in_repr(self, number: int) -> None:
        """A mail's repr shows neither recipient nor words."""
        mail = all_mails(writer())[number]

        assert TOKEN not in repr(mail)
        assert GROUPED not in repr(mail)
        assert "anna" not in repr(mail)
        assert TOKEN not in repr(way())

    @pytest.mark.parametrize("number", range(6))
    def test_message(self, number: int) -> None:
        """Every mail becomes a message: one recipient, automatic, in its language."""
        message = as_message(all_mails(writer())[number])

        assert "a@b.be" == message["To"]
        assert "auto-generated" == message["Auto-Submitted"]
        assert "fr" == message["Content-Language"]
        assert "<1.1@ecole.be>" == message["Message-ID"]
        assert "secretariat@ecole.be" in message["Reply-To"]


class TestDrafts:
    def test_sender(self, portal: Portal) -> None:
        """Mails come from the school's name and the portal's address."""
        portal.invited("p1")

        assert "École Saint-Exupéry <noreply@portail.ecole.be>" == portal.mailer.sent[0].sender

    def test_configured_sender(self) -> None:
        """The address can be chosen; the school's name is put before it, without what breaks it."""
        school = attrs.evolve(SCHOOL, name='"École" <Saint-Ex>')
        portal = Portal(settings={"sender": "portail@ecole.be", "school": school})
        portal.invited("p1")

        assert "École Saint-Ex <portail@ecole.be>" == portal.mailer.sent[0].sender
        assert as_message(portal.mailer.sent[0])["From"]

    def test_language(self, portal: Portal) -> None:
        """Of several accounts on one address the first one's language is taken."""
        portal.auth.save([Family("q1", "q1", email="q@example.be", locale="en")])
        portal.auth.request_reset("q@example.be")
        portal.clock.advance(portal.auth._parts.lifetimes.reset_delay[1])
        portal.auth.deliver()

        assert "en" == portal.mailer.sent[0].locale
        assert portal.mailer.sent[0].text.startswith("Hello,")
