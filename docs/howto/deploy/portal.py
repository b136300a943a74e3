"""A portal behind a proxy, in several processes."""

import os

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from parentauth.flask import ParentAuth
from parentauth.mailers import SMTPMailer
from parentauth.storage.sqlalchemy import SQLAlchemyStorage, SQLAlchemyThrottle

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_PARENTAUTH_BASE_URL and the rest.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)

storage = SQLAlchemyStorage.from_url(os.environ["PORTAL_DATABASE_URL"])
ParentAuth(
    app,
    storage=storage,
    mailer=SMTPMailer.from_url(os.environ["PORTAL_SMTP_URL"]),
    throttle=SQLAlchemyThrottle(storage.engine),
)
