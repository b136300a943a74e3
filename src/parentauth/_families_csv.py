"""Reads the school's ``families.csv``, as spreadsheets of Belgian offices save it."""

import csv
import io

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from parentauth._canonical import username_key
from parentauth._families import Family
from parentauth._model import ChildLink
from parentauth.exceptions import FamiliesError

REQUIRED: Final = ("username", "email", "parent_name", "locale", "child_id", "child_name", "class")
OPTIONAL: Final = ("parent_id", "since", "until")
COLUMNS_MAX: Final = 50
# So much of what is wrong is repeated in a message.
NAME_SHOWN: Final = 60


def read_families(source: Path | bytes, *, zone: ZoneInfo) -> list[Family]:
    """
    Read rows of parent and child.

    UTF-8 or cp1252; separated by comma, semicolon or tab.  Dates are
    ``YYYY-MM-DD`` or ``DD/MM/YYYY``, ``until`` being the last day.  Without a column
    ``parent_id`` the canonical username is the id.

    Args:
        zone: The school's time zone, in which days begin.

    Returns:
        One family per row, each with its line as ``place``.

    Raises:
        FamiliesError: Every problem of the file's form, with line, column and cure.
    """
    data = source if isinstance(source, bytes) else _contents(source)
    reader = csv.DictReader(io.StringIO(_decoded(data), newline=""), delimiter=_separator(data))
    try:
        return _read(reader, zone)
    except csv.Error as error:
        raise FamiliesError(
            [f"line {reader.line_num}: can't be read ({error}); save the file as CSV again"]
        ) from error


def _read(reader: "csv.DictReader[str]", zone: ZoneInfo) -> list[Family]:
    header = [name.strip().lower() for name in reader.fieldnames or ()]
    _check_header(header)
    reader.fieldnames = header
    found, families = list[str](), list[Family]()
    for row in reader:
        place = f"line {reader.line_num}"
        if any(isinstance(value, str) and value.strip() for value in row.values()):
            families += _family(row, place, zone, found)
    if found:
        raise FamiliesError(found)
    if not families:
        raise FamiliesError(["the file has no row below its header; add the families"])
    return families


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FamiliesError(
            [f"{path.name} can't be read ({error.strerror}); check its name"]
        ) from error


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not data[: error.start].isascii():
            # Read as cp1252, one stray byte would spoil every name, and ids made of names.
            line = data.count(b"\n", 0, error.start) + 1
            raise FamiliesError(
                [f"line {line}: is not UTF-8 like the lines before; save the file as UTF-8"]
            ) from None
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FamiliesError(
            [f"line {line}: is neither UTF-8 nor cp1252; save the file as UTF-8"]
        ) from None


def _separator(data: bytes) -> str:
    header = _decoded(data).partition("\n")[0]
    return max(",;\t", key=header.count)


def _check_header(header: list[str]) -> None:
    if len(header) > COLUMNS_MAX:
        raise FamiliesError(
            [f"line 1: {len(header)} columns are too many; begin with a header of column names"]
        )
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name[:NAME_SHOWN] for name in header if name not in REQUIRED + OPTIONAL]
    twice = {name[:NAME_SHOWN] for name, count in Counter(header).items() if count > 1}
    found = [f"line 1: column {name!r} is missing; add it to the header" for name in missing]
    found += [f"line 1: column {name!r} is unknown; remove or rename it" for name in unknown]
    found += [f"line 1: column {name!r} is there twice; keep one" for name in sorted(twice)]
    if found:
        raise FamiliesError(found)


def _family(
    row: Mapping[str | None, str | list[str] | None],
    place: str,
    zone: ZoneInfo,
    found: list[str],
) -> Iterator[Family]:
    if None in row or None in row.values():
        found.append(f"{place}: has more or fewer cells than the header; check its separators")
        return
    cells = {str(name): str(value).strip() for name, value in row.items()}
    since = _day(cells.get("since", ""), zone, f"{place}: since", found)
    until = _day(cells.get("until", ""), zone, f"{place}: until", found, last=True)
    yield Family(
        id=cells["parent_id"] if "parent_id" in cells else username_key(cells["username"]),
        username=cells["username"],
        name=cells["parent_name"],
        email=cells["email"] or None,
        locale=cells["locale"] or None,
        children=tuple(_links(cells, since, until)),
        place=place,
    )


def _links(
    cells: Mapping[str, str], since: datetime | None, until: datetime | None
) -> Iterable[ChildLink]:
    """A parent without a child has a row whose child columns are all empty."""
    if cells["child_id"] or cells["child_name"] or cells["class"]:
        yield ChildLink(
            child_id=cells["child_id"],
            name=cells["child_name"],
            school_class=cells["class"],
            since=since,
            until=until,
        )


def _day(
    text: str, zone: ZoneInfo, place: str, found: list[str], *, last: bool = False
) -> datetime | None:
    if not text:
        return None
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no zone yet
            return _midnight(day + timedelta(days=1) if last else day, zone)
        except (ValueError, OverflowError):
            continue
    found.append(
        f"{place}: {text[:NAME_SHOWN]!r} is no date; write it like 2026-06-30 or 30/06/2026"
    )
    return None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
