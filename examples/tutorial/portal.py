"""A school portal in one file."""

from pathlib import Path

from flask import Flask, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from parentauth.flask import ParentAuth, child_required, current_child
from parentauth.mailers import FileMailer
from parentauth.storage.sqlalchemy import SQLAlchemyStorage

HERE = Path(__file__).parent

app = Flask(__name__)
app.config.update(
    SECRET_KEY=(HERE / "secret.key").read_text().strip(),
    PARENTAUTH_BASE_URL="http://127.0.0.1:5000",
    PARENTAUTH_SCHOOL_NAME="École des Tilleuls",
    PARENTAUTH_SCHOOL_TELEPHONE="02 555 01 20",
    PARENTAUTH_DASHBOARD="dashboard",
)
app.config.from_prefixed_env()  # FLASK_PARENTAUTH_BASE_URL in the environment wins.

ParentAuth(
    app,
    storage=SQLAlchemyStorage.from_url(f"sqlite:///{HERE}/portal.db"),
    mailer=FileMailer(HERE / "mails"),
)


@app.get("/")
def home() -> ResponseReturnValue:
    """Lead everybody to the sign-in page."""
    return redirect(url_for("parentauth.login"), code=303)


@app.get("/children/<child_id>")
@child_required
def dashboard(child_id: str) -> ResponseReturnValue:
    """Show the page of the child that the parent may see now, whatever the address says."""
    if child_id != current_child.id:
        return redirect(url_for("dashboard", child_id=current_child.id), code=303)
    return render_template("dashboard.html")
