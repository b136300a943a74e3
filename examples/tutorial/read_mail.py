"""Prints the newest mail to an address: ``python read_mail.py marie.dubois@example.com``."""

import sys

from pathlib import Path

from parentauth.mailers import FileMailer

mails = FileMailer(Path(__file__).parent / "mails").messages()
newest = next(mail for mail in mails if mail["To"] == sys.argv[1])
body = newest.get_body(("plain",))
if body is not None:
    print(newest["Subject"], body.get_content(), sep="\n\n")
