"""
What each mail says, as blocks that both its text and its HTML part are made from.

A mail names no child, has one recipient, and its links come from configuration.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from parentauth._mail_blocks import Block, Button, Code, Fact, Link, Paragraph, as_html, as_text
from parentauth._model import Account, Purpose
from parentauth._outbox import Mail
from parentauth._site import School, Site
from parentauth._texts import Texts


@attrs.frozen
class WayIn:
    """One account's way in: a token that was just issued, and how long it is valid."""

    account: Account
    purpose: Purpose
    token: str = attrs.field(repr=False)
    grouped: str = attrs.field(repr=False)
    expires_at: datetime


@attrs.frozen
class Envelope:
    """What every mail needs besides its words."""

    sender: str
    message_id: str
    date: datetime


@attrs.frozen
class Writer:
    """Writes the mails of one school in one language."""

    school: School
    site: Site
    texts: Texts

    def access(self, to: str, ways: Sequence[WayIn], envelope: Envelope) -> Mail:
        """
        Write the mail with one or several ways in, each with its username and link.

        A parent who never connected gets the first-connection mail, asked for or not.
        """
        t = self.texts
        first = len(ways) == 1 and ways[0].purpose is Purpose.FIRST_LOGIN
        blocks = [
            self._greeting(ways[0].account.name if len(ways) == 1 else ""),
            Paragraph(self._why(len(ways), first=first)),
            *(block for way in ways for block in self._way_in(way)),
            Paragraph(self._validity(ways)),
            Paragraph(t("Did you not ask for anything? Ignore this mail.")),
            *self._addresses(),
        ]
        subject = t("%(school)s: your access code", school=self.school.name)
        return self._mail(to, subject, blocks, envelope)

    def password_changed(
        self, account: Account, to: str, changed_at: datetime, envelope: Envelope
    ) -> Mail:
        """Write the notice that follows each new password."""
        t = self.texts
        blocks = [
            self._greeting(account.name),
            Paragraph(
                t(
                    "Your password was changed on %(date)s.",
                    date=t.moment(changed_at, self.school.zone),
                )
            ),
            Fact(self._label(t("Username")), account.username),
            Paragraph(
                t("Was it not you? Ask for a new access code at once, or telephone the school.")
            ),
            Link(self._label(t("Forgotten password")), self.site.url("forgot")),
        ]
        subject = t("%(school)s: your password was changed", school=self.school.name)
        return self._mail(to, subject, blocks, envelope)

    def child_added(self, account: Account, to: str, envelope: Envelope) -> Mail:
        """Write that there is one more child, without a credential and without its name."""
        t = self.texts
        blocks = [
            self._greeting(account.name),
            Paragraph(t("A child was added to your account. Sign in as usual.")),
            Fact(self._label(t("Username")), account.username),
            Link(self._label(t("Sign in")), self.site.url("login")),
        ]
        subject = t("%(school)s: a child was added to your account", school=self.school.name)
        return self._mail(to, subject, blocks, envelope)

    def address_changed(self, account: Account, to: str, envelope: Envelope) -> Mail:
        """Write to the old and to the new address that the school replaced it."""
        t = self.texts
        blocks = [
            self._greeting(account.name),
            Paragraph(
                t(
                    "The school replaced the email address of your account. "
                    "Is this not right? Telephone the school."
                )
            ),
            Fact(self._label(t("Username")), account.username),
        ]
        subject = t("%(school)s: your email address was changed", school=self.school.name)
        return self._mail(to, subject, blocks, envelope)

    def _greeting(self, name: str) -> Block:
        t = self.texts
        return Paragraph(t("Hello %(name)s,", name=name) if name else t("Hello,"))

    def _why(self, accounts: int, *, first: bool) -> str:
        t = self.texts
        if first:
            return t(
                "%(school)s gives you access to its portal. "
                "With the access code below you choose your personal password.",
                school=self.school.name,
            )
        if accounts == 1:
            return t(
                "Here is the access code with which you choose a new password. "
                "Your present password works until the new one is saved."
            )
        return t(
            "Several accounts are linked to this address. Each has its own username and "
            "its own access code, with which you choose a password."
        )

    def _validity(self, ways: Sequence[WayIn]) -> str:
        t, first = self.texts, min(way.expires_at for way in ways)
        date = t.moment(first, self.school.zone)
        if len(ways) == 1:
            return t("It is valid until %(date)s and can be used only once.", date=date)
        return t("They are valid until %(date)s, and each can be used only once.", date=date)

    def _way_in(self, way: WayIn) -> Iterable[Block]:
        t = self.texts
        yield Fact(self._label(t("Username")), way.account.username)
        yield Code(self._label(t("Access code")), way.grouped)
        yield Button(t("Use this access code"), self.site.token_url(way.token))

    def _label(self, text: str) -> str:
        return self.texts("%(label)s:", label=text)

    def _addresses(self) -> Iterable[Block]:
        t = self.texts
        yield Paragraph(t("For the next times, keep these two addresses:"))
        yield Link(self._label(t("Sign in")), self.site.url("login"))
        yield Link(self._label(t("Forgotten password")), self.site.url("forgot"))

    def _mail(self, to: str, subject: str, blocks: Sequence[Block], envelope: Envelope) -> Mail:
        footer = self._footer()
        locale = self.texts.locale
        return Mail(
            sender=envelope.sender,
            to=to,
            reply_to=self.school.email or None,
            subject=subject,
            text=as_text(blocks, footer),
            html=as_html(blocks, footer, locale=locale, title=subject),
            locale=locale,
            message_id=envelope.message_id,
            date=envelope.date,
        )

    def _footer(self) -> list[str]:
        t, school = self.texts, self.school
        telephone = school.telephone and t("Telephone: %(number)s", number=school.telephone)
        return [line for line in (school.name, school.address, telephone, school.email) if line]
