"""What each page shows: ready-translated texts and plain values, nothing else."""

from collections.abc import Sequence
from typing import Final

from parentauth._model import CheckedToken, Present
from parentauth._page_frame import Form, Frame, Problem, Step, child_card, field, hidden
from parentauth._page_values import Context, Show

_MARK: Final = "\N{OBJECT REPLACEMENT CHARACTER}"


class Views(Frame):
    """The pages, one method each, named like their templates."""

    def login(
        self,
        *,
        username: str = "",
        after: str = "",
        problems: Sequence[Problem] = (),
        notice: str = "",
        steps: Sequence[Step] = (),
        status: int = 200,
    ) -> Show:
        """Sign-in, one page of two blocks."""
        t = self.texts
        fields = [
            field("username", t("Username"), value=username, autocomplete="username"),
            self.password_field("password", t("Password"), "current-password"),
        ]
        context = self.context(
            "login",
            t("Sign in"),
            form=Form("login", t("SIGN IN"), fields, hidden(next=after)),
            problems=problems,
            steps=steps,
            kept=hidden(username=username, next=after),
            text={
                "first_title": t("First sign-in"),
                "first_intro": t("to set your personal password"),
                "first_button": t("ACCESS CODE"),
                "next_title": t("Signing in again"),
                "forgot": t("Forgotten your password? Don't panic, click here to set a new one."),
            },
        )
        context["notices"] += [notice] if notice else []
        return Show("login.html", context, status)

    def token(
        self,
        *,
        token: str = "",
        switch: bool = False,
        problems: Sequence[Problem] = (),
        steps: Sequence[Step] = (),
        status: int = 200,
    ) -> Show:
        """The token field, filled from the link."""
        t = self.texts
        switched = hidden(switch="1" if switch else "")
        the_field = field(
            "token",
            t("Access code"),
            value=token,
            autocomplete="one-time-code",
            hint=t("Enter the access code we sent you by email."),
        )
        context = self.context(
            "token",
            t("Access code"),
            form=Form("token", t("SIGN IN"), [the_field], switched),
            problems=problems,
            steps=steps,
            kept=[*hidden(token=token), *switched],
            text={
                "missing_mail": t(
                    "Did you not receive the mail? Look among the unwanted mails, "
                    "or telephone the school."
                ),
                "sign_in_link": t("Signing in again"),
            },
        )
        return Show("token.html", context, status)

    def password(
        self,
        checked: CheckedToken,
        *,
        token: str,
        switch: bool,
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Show:
        """Choose a password; the token travels in the form."""
        t, username = self.texts, checked.parent.username
        carried = hidden(token=token, switch="1" if switch else "")
        sentence = t("Your username is %(name)s. Write it down.", name=_MARK)
        before, _, after = sentence.partition(_MARK)
        context = self.context(
            "password",
            t("Set your personal password"),
            form=Form("password", t("CHANGE"), self._password_fields(username), carried),
            problems=problems,
            kept=carried,
            text={
                "intro": t(
                    "You received or asked for a (new) access code in order to set your "
                    "personal password."
                ),
                "username_before": before,
                "username": username,
                "username_after": after,
                "rules": self.rules(),
            },
        )
        return Show("password.html", context, status)

    def password_change(
        self, *, username: str, problems: Sequence[Problem] = (), status: int = 200
    ) -> Show:
        """Change the password while signed in."""
        t = self.texts
        current = self.password_field("current_password", t("Current password"), "current-password")
        name, *new = self._password_fields(username)
        context = self.context(
            "password_change",
            t("Change my password"),
            form=Form("password_change", t("CHANGE"), [name, current, *new]),
            problems=problems,
            text={"rules": self.rules(), "back": t("Back to my children")},
        )
        return Show("password_change.html", context, status)

    def forgot(
        self, *, email: str = "", problems: Sequence[Problem] = (), status: int = 200
    ) -> Show:
        """Ask for a new token."""
        t = self.texts
        the_field = field(
            "email", t("email"), value=email, type="email", inputmode="email", autocomplete="email"
        )
        context = self.context(
            "forgot",
            t("Forgotten password"),
            form=Form("forgot", t("SUBMIT"), [the_field]),
            problems=problems,
            kept=hidden(email=email),
            text={
                "intro": t(
                    "To set a new password, please enter your email address. "
                    "You will receive instructions in your mailbox."
                ),
                "sign_in_link": t("Signing in again"),
            },
        )
        return Show("forgot.html", context, status)

    def forgot_sent(self, *, notice: str) -> Show:
        """
        The answer, the same for every address.

        Args:
            notice: What brings this page back when the language is changed.
        """
        t = self.texts
        context = self.context(
            "forgot",
            t("Forgotten password"),
            kept=hidden(notice=notice),
            text={"sign_in_link": t("Signing in again")},
        )
        context["paragraphs"] = [
            t("If an account is linked to this address, a mail has just been sent."),
            t("It arrives within a minute or two. Look among the unwanted mails, too."),
            t(
                "Do you receive nothing? Try again with the email address that you gave "
                "to the school."
            ),
        ]
        return Show("forgot_sent.html", context)

    def children(self, present: Present, *, after: str = "") -> Show:
        """Pick a child."""
        t = self.texts
        context = self.context(
            "children",
            t("Choose a child") if present.children else t("My children"),
            form=Form("children", t("Sign in with this account"), hidden=hidden(next=after)),
            kept=hidden(next=after),
            text={
                "none": t("No child is linked to your account. Telephone the school."),
                "change": t("Change my password"),
                "sign_out": t("Sign out"),
            },
        )
        context["children"] = [child_card(child) for child in present.children]
        return Show("children.html", context)

    def switch(self, *, token: str, wanted: str, present: str, status: int = 200) -> Show:
        """Ask before another account's session ends."""
        t = self.texts
        button = t("CONTINUE WITH %(name)s", name=wanted)
        context = self.context(
            "token",
            t("Access code"),
            form=Form("token", button, hidden=hidden(token=token, switch="1")),
            kept=hidden(token=token),
            text={
                "question": t(
                    "This link is for the account %(wanted)s. You are signed in as %(present)s.",
                    wanted=wanted,
                    present=present,
                ),
                "stay": t("Stay with %(name)s", name=present),
                "stay_href": self.request.links.page("children"),
            },
        )
        return Show("switch.html", context, status)

    def error(self, message: str, *, status: int, steps: Sequence[Step] = ()) -> Show:
        """Say what happened, with the school's telephone and a way on."""
        context = self.context(
            "login", self.texts("There is a problem"), steps=steps, text={"message": message}
        )
        return Show("error.html", context, status)

    def _password_fields(self, username: str) -> Sequence[Context]:
        """Return the username, read-only so that password managers save the pair, and the new password."""
        name = field(
            "username",
            self.texts("Username"),
            value=username,
            autocomplete="username",
            readonly=True,
        )
        return [name, *self.new_password_fields()]
