"""
A page that shows the portal's mails, for trying out only: whoever opens it sees every token.

It exists only where no mail server is set.
"""

from email.message import EmailMessage
from typing import Final

from flask import Blueprint, Flask, Response, abort, current_app, render_template

from parentauth.mailers import FileMailer

blueprint = Blueprint("mailbox", __name__, url_prefix="/mailbox")

# What a mail program allows, too: styles, and links that are clicked.
SANDBOX: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; sandbox"
    ),
    # Browsers show no sandboxed page under another policy.
    "Cross-Origin-Opener-Policy": "unsafe-none",
}


def install(app: Flask) -> FileMailer:
    """Register the pages, and return the mailer whose mails they show."""
    mailer = FileMailer(app.config["PORTAL_MAILBOX"])
    app.extensions["mailbox"] = mailer
    app.register_blueprint(blueprint)
    return mailer


@blueprint.get("")
def index() -> str:
    """List the mails, the newest first."""
    return render_template("portal/mailbox.html", mails=_numbered())


@blueprint.get("/<int:number>")
def mail(number: int) -> str:
    """Show the text of a mail."""
    return render_template("portal/mail.html", number=number, mail=_mail(number), part=_part)


@blueprint.get("/<int:number>/html")
def html(number: int) -> Response:
    """Show the HTML part of a mail, locked up."""
    return Response(_part(_mail(number), "html"), headers=SANDBOX)


def _numbered() -> dict[int, EmailMessage]:
    """Number the mails from the oldest, so that a number keeps its mail."""
    mailer: FileMailer = current_app.extensions["mailbox"]
    messages = mailer.messages()
    return {len(messages) - behind: message for behind, message in enumerate(messages)}


def _mail(number: int) -> EmailMessage:
    message = _numbered().get(number)
    return abort(404) if message is None else message


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return str(body.get_content()) if body is not None else ""
