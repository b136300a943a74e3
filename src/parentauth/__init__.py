"""Pluggable authentication for school portals: a username, a mailed token, a password."""

from parentauth._auth import ParentAuth
from parentauth._events import Event, EventKind, Listener
from parentauth._families import Family
from parentauth._families_csv import read_families
from parentauth._hashing import Argon2Hasher
from parentauth._importing import Saved
from parentauth._model import (
    Account,
    CheckedToken,
    Child,
    ChildLink,
    ChooseChild,
    Client,
    Dashboard,
    Landing,
    NoChild,
    Origin,
    Parent,
    Present,
    Purpose,
    Session,
    SignedIn,
    Status,
    Token,
)
from parentauth._office import Departed
from parentauth._outbox import Delivery
from parentauth._passwords import PasswordPolicy, Violation
from parentauth._site import Paths, School, Site
from parentauth._upkeep import Purged

__all__ = [
    "Account",
    "Argon2Hasher",
    "CheckedToken",
    "Child",
    "ChildLink",
    "ChooseChild",
    "Client",
    "Dashboard",
    "Delivery",
    "Departed",
    "Event",
    "EventKind",
    "Family",
    "Landing",
    "Listener",
    "NoChild",
    "Origin",
    "Parent",
    "ParentAuth",
    "PasswordPolicy",
    "Paths",
    "Present",
    "Purged",
    "Purpose",
    "Saved",
    "School",
    "Session",
    "SignedIn",
    "Site",
    "Status",
    "Token",
    "Violation",
    "read_families",
]
