from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from parentauth import ChildLink, Family, read_families
from parentauth._families_csv import OPTIONAL, REQUIRED
from parentauth.exceptions import FamiliesError
from tests.school import Portal

ZONE = ZoneInfo("Europe/Brussels")
HEADER = "parent_id,username,email,parent_name,locale,child_id,child_name,class"
ROW = "p1,anna,anna@example.be,Zoë Peeters,fr,c1,Noor,1A"
ZOE = Family("p1", "anna", "Zoë Peeters", "anna@example.be", "fr", (ChildLink("c1", "Noor", "1A"),))


def read(text: str, encoding: str = "utf-8") -> list[Family]:
    """Read a text as a file."""
    return read_families(text.encode(encoding), zone=ZONE)


def told(data: str | bytes) -> list[str]:
    """Return the problems of a file."""
    with pytest.raises(FamiliesError) as caught:
        read_families(data.encode() if isinstance(data, str) else data, zone=ZONE)
    return list(caught.value.problems)


class TestForms:
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
    def test_spreadsheets(self, separator: str, end: str, encoding: str) -> None:
        """Commas, semicolons or tabs; any line end; UTF-8 with or without BOM, or cp1252."""
        text = end.join([HEADER, ROW, ""]).replace(",", separator)

        assert [ZOE] == read(text, encoding)

    def test_stray_byte(self) -> None:
        """One byte that is not UTF-8 in a file that is spoils no name: its line is told."""
        data = f"{HEADER}\n{ROW}\n".encode() + ROW.encode("cp1252")

        [problem] = told(data)
        assert problem.startswith("line 3: ")
        [problem] = told(f"{HEADER}\n{ROW}\n".encode("cp1252") + b"\x81")
        assert "neither" in problem

    def test_file(self, tmp_path: Path) -> None:
        """A path is read like its contents."""
        path = tmp_path / "families.csv"
        path.write_text(f"{HEADER}\n{ROW}\n", "utf-8")

        assert [ZOE] == read_families(path, zone=ZONE)

    @pytest.mark.parametrize("name", ["missing.csv", "."])
    def test_no_file(self, tmp_path: Path, name: str) -> None:
        """A path that can't be read is told."""
        with pytest.raises(FamiliesError, match="can't be read"):
            read_families(tmp_path / name, zone=ZONE)

    def test_header(self) -> None:
        """Columns come in any order, capitals and blanks around them don't matter."""
        names = HEADER.split(",")
        cells = dict(zip(names, ROW.split(","), strict=True))
        text = ",".join(f" {name.upper()} " for name in reversed(names))
        row = ",".join(f" {cells[name]} " for name in reversed(names))

        assert [ZOE] == read(f"{text}\n{row}\n")

    def test_quoted(self) -> None:
        """Quotes hold separators and quotes."""
        [family] = read(f'{HEADER}\np1,anna,,"Peeters, ""Zoë""",,c1,"Noor; 1",1A\n')

        assert ('Peeters, "Zoë"', "Noor; 1") == (family.name, family.children[0].name)

    def test_quoted_line_end(self) -> None:
        """A quoted line end does not end the row; it is told afterwards as no name."""
        [first, second] = read(f'{HEADER}\np1,anna,,"Zoë\nPeeters",,c1,Noor,1A\n{ROW}\n')

        assert "Zoë\nPeeters" == first.name
        assert "line 4" == second.place
        with pytest.raises(FamiliesError, match="parent_name is too long or has characters"):
            Portal().auth.save([first])

    def test_blank_rows(self) -> None:
        """Blank rows are left out, and lines are counted all the same."""
        families = read(f"{HEADER}\n\n,,,,,,,\n  \n{ROW}\n")

        assert ["line 5"] == [family.place for family in families]

    def test_without_child(self) -> None:
        """A row whose child columns are empty is a parent without child."""
        [family] = read(f"{HEADER}\np1,anna,,,,,,\n")

        assert Family("p1", "anna") == family

    def test_half_a_child(self) -> None:
        """A child with a name alone is a problem when it is saved."""
        [family] = read(f"{HEADER}\np1,anna,,,,,Noor,\n")
        with pytest.raises(FamiliesError, match="child_id is empty"):
            Portal().auth.save([family])

    @pytest.mark.parametrize("username", ["Anna.Peeters", " ANNA.peeters "])
    def test_without_ids(self, username: str) -> None:
        """Without a column of ids the canonical username is the id."""
        header, row = HEADER.removeprefix("parent_id,"), ROW.removeprefix("p1,anna")
        [family] = read(f"{header}\n{username}{row}\n")

        assert ("anna.peeters", username.strip()) == (family.id, family.username)

    def test_without_ids_and_username(self) -> None:
        """Without either the row has an error."""
        header, row = HEADER.removeprefix("parent_id,"), ROW.removeprefix("p1,anna")
        with pytest.raises(FamiliesError, match="line 2: username is empty"):
            Portal().auth.save(read(f"{header}\n{row}\n"))


class TestDates:
    def read(self, since: str, until: str) -> ChildLink:
        """Read a link's period."""
        [family] = read(f"{HEADER},since,until\n{ROW},{since},{until}\n")
        return family.children[0]

    @pytest.mark.parametrize(
        ("since", "until"), [("2026-09-01", "2027-06-30"), ("01/09/2026", "30/06/2027")]
    )
    def test_days(self, since: str, until: str) -> None:
        """Days are the school's: from the first midnight to the midnight after the last day."""
        link = self.read(since, until)

        assert datetime(2026, 8, 31, 22, tzinfo=UTC) == link.since
        assert datetime(2027, 6, 30, 22, tzinfo=UTC) == link.until

    def test_summer_time(self) -> None:
        """A day on which clocks change is a day."""
        link = self.read("2026-03-29", "2026-03-29")

        assert (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)) == (
            link.since,
            link.until,
        )

    def test_empty(self) -> None:
        """No date is no limit."""
        assert (None, None) == (self.read("", "").since, self.read("", "").until)

    @pytest.mark.parametrize(
        "text",
        [
            "30.06.2026",
            "2026-02-30",
            "31/04/2026",
            "06/30/2026",
            "26-06-30",
            "tomorrow",
            "0001-01-01",
        ],
    )
    def test_no_date(self, text: str) -> None:
        """What is no date is told with line, column and an example."""
        [problem] = told(f"{HEADER},since\n{ROW},{text}\n")

        assert problem == (
            f"line 2: since: {text!r} is no date; write it like 2026-06-30 or 30/06/2026"
        )

    def test_last_day_of_all(self) -> None:
        """The day after the calendar's last is no date."""
        assert 1 == len(told(f"{HEADER},until\n{ROW},9999-12-31\n"))

    def test_year_2038(self) -> None:
        """Dates go beyond 2038."""
        assert 2045 == self.read("2045-01-01", "").since.year + 1


class TestProblems:
    @pytest.mark.parametrize("name", REQUIRED)
    def test_missing_column(self, name: str) -> None:
        """A missing column is told by name."""
        header = ",".join(column for column in HEADER.split(",") if column != name)

        assert f"line 1: column {name!r} is missing; add it to the header" in told(f"{header}\n")

    def test_all_columns(self) -> None:
        """All that is wrong with the header is told at once."""
        problems = told("username,username,nonsense\n")

        assert len(REQUIRED) - 1 + 1 + 1 == len(problems)
        assert "line 1: column 'nonsense' is unknown; remove or rename it" in problems
        assert "line 1: column 'username' is there twice; keep one" in problems

    def test_optional(self) -> None:
        """Optional columns may be missing, one by one."""
        for name in OPTIONAL:
            assert f"column {name!r}" not in "\n".join(told("x\n"))

    @pytest.mark.parametrize("row", [f"{ROW},more", ROW.removesuffix(",1A"), "p1", f'"{ROW}"'])
    def test_cells(self, row: str) -> None:
        """Too many or too few cells are told with their line."""
        assert ["line 2: has more or fewer cells than the header; check its separators"] == told(
            f"{HEADER}\n{row}\n"
        )

    def test_all_rows(self) -> None:
        """Every row's problems are told at once."""
        text = f"{HEADER},since,until\n{ROW},x,y\n{ROW}\n{ROW},z,\n"

        assert ["line 2: since", "line 2: until", "line 3: has", "line 4: since"] == [
            problem[: len(start)]
            for problem, start in zip(
                told(text),
                ["line 2: since", "line 2: until", "line 3: has", "line 4: since"],
                strict=True,
            )
        ]

    @pytest.mark.parametrize("text", ["", "\n", HEADER, f"{HEADER}\n", f"{HEADER}\n,,,,,,,\n"])
    def test_empty(self, text: str) -> None:
        """A file without families is told."""
        assert told(text)

    def test_other_encoding(self) -> None:
        """A file in UTF-16 is told, not read as nonsense."""
        assert told(f"{HEADER}\n{ROW}\n".encode("utf-16"))

    @pytest.mark.parametrize(
        "data",
        [
            b"\0" * 1000,
            b"\xff\xfe\xfd" * 1000,
            HEADER.encode() + b"\n" + b"x" * 1_000_000,
            HEADER.encode() + b"\n" + b'"' + b"x" * 1_000_000,
            HEADER.encode() + b"\n" + b"," * 1_000_000,
            b"," * 1_000_000,
            b"x" * 1_000_000,
            HEADER.encode() + b'\n"' + b"\n" * 200_000,
            b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100,
            b"PK\x03\x04" + bytes(range(256)) * 100,
        ],
    )
    def test_garbage(self, data: bytes) -> None:
        """Garbage of any size is told, in bounded words."""
        problems = told(data)

        assert len(problems) < 50
        assert sum(map(len, problems)) < 100_000

    @given(st.binary(max_size=2000) | st.text().map(lambda text: f"{HEADER}\n{text}".encode()))
    @example(f'{HEADER}\n"p1"x,anna,,,,,,\n'.encode())
    @example(f"{HEADER}\np1\0,anna,,,,,,\n".encode())
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever a file holds, it is read, or refused as families."""
        try:
            families = read_families(data, zone=ZONE)
        except FamiliesError:
            return
        else:
            assert families
            for family in families:
                assert family.place.startswith("line ")


class TestRoundTrip:
    CELL = st.text(
        st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12
    ).map(str.strip)

    @given(CELL.filter(bool), CELL.filter(bool), st.sampled_from(",;\t"))
    def test_any_cell(self, name: str, child: str, separator: str) -> None:
        """Whatever a cell holds is read as it was, but for blanks at its ends."""
        cells = ["p1", "anna", "", name, "", "c1", child, ""]
        row = separator.join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
        [family] = read(f"{HEADER.replace(',', separator)}\n{row}\n")

        assert (name, child) == (family.name, family.children[0].name)


class TestSaved:
    def test_whole(self) -> None:
        """A file is read and saved: several children of one parent, two parents of one child."""
        text = f"{HEADER}\n{ROW}\n{ROW.replace('c1,Noor', 'c9,Tom')}\nq1,ella,,Ella,,c9,Tom,1A\n"
        portal = Portal()
        saved = portal.auth.save(read(text))

        assert (("q1",), ("p1",)) == (saved.added, saved.changed)
        assert ["c1", "c9"] == [link.child_id for link in portal.account("p1").children]

    def test_nothing_when_one_row_is_bad(self) -> None:
        """When one row is bad none is written, and its line is told."""
        portal = Portal()
        before = portal.everything()
        rows = read(f"{HEADER}\n{ROW}\nq1,els,no address,Els,,c9,Tom,1A\n")
        with pytest.raises(FamiliesError, match="line 3: email 'no address'"):
            portal.auth.save(rows)

        assert before == portal.everything()
