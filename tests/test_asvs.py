"""The ASVS table names every requirement, and nothing that is not there."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_twins import EXPRESS, FLASK, _titles
from trees import STACKS, text, unrendered, words

from scaffold.contract import asvs
from scaffold.contract.checks import checks
from scaffold.stacks import Stack

ROOT = Path(__file__).resolve().parent.parent
ROWS = {row.number: row for row in asvs.rows()}
# Of "NUMBER LEVEL" of each requirement of levels 1 and 2, a line each, in the standard's order.
STANDARD = "29debb6cfc11acf5deb2b2bb4e01bd836c5648dcc592aae17957e36b808cec05"
SOURCE = re.compile(r"ASVS ((?:[0-9.]+(?:, )?)+)")

each_stack = pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)


def cited() -> dict[str, list[str]]:
    """The ASVS numbers in the source of each check."""
    found = {name: SOURCE.findall(check.source) for name, check in checks().items()}
    return {name: re.findall(r"[0-9.]+", " ".join(parts)) for name, parts in found.items()}


def test_every_requirement_of_levels_1_and_2_is_there_once() -> None:
    assert len(ROWS) == len(asvs.rows())
    listed = [f"{row.number} {row.level}" for row in ROWS.values() if row.level in asvs.LEVELS]
    assert len(listed) == 253
    assert hashlib.sha256("\n".join(listed).encode()).hexdigest() == STANDARD


def test_rows_stand_in_order() -> None:
    assert list(ROWS.values()) == sorted(ROWS.values(), key=lambda row: row.order)


def test_level_3_is_there_for_what_checks_follow() -> None:
    third = {row.number for row in ROWS.values() if row.level not in asvs.LEVELS}
    assert third <= {number for numbers in cited().values() for number in numbers}
    assert {ROWS[number].level for number in third} <= {"3"}


def test_every_row_says_what_proves_it_or_why_nothing_does() -> None:
    wrong = []
    for row in ROWS.values():
        has = (bool(row.proof), bool(row.note))
        may = {
            "proven": {(True, False), (True, True)},
            "in part": {(True, True)},
            "yours": {(False, True)},
            "absent": {(False, False)},
        }[row.verdict]
        if has not in may or not row.wants:
            wrong.append(row)
    assert wrong == []
    long = [row for row in ROWS.values() if row.verdict == "yours" and len(row.note.split()) > 7]
    assert long == []


def test_every_check_named_exists() -> None:
    named = {name for row in ROWS.values() for name in row.checks}
    assert sorted(named - set(checks())) == []


def test_every_number_a_check_gives_is_in_the_table_and_names_the_check() -> None:
    wrong = [
        f"{name}: {number}"
        for name, numbers in cited().items()
        for number in numbers
        if number not in ROWS or name not in ROWS[number].checks
    ]
    assert wrong == [], "correct the check's source, or name the check in asvs.tsv"


def test_every_title_is_a_test_of_both_repositories() -> None:
    flask = _titles(FLASK, r"tests/test_(\w+)\.py", r"^\s*(?:async )?def test_(\w+)")
    express = _titles(
        EXPRESS, r"tests/(\w+)\.test\.ts", r"^\s*(?:await )?(?:test|it)\(\s*[\"'`](.+?)[\"'`],"
    )
    known = [
        {words(title) for found in side.values() for title in found} for side in (flask, express)
    ]
    named = {words(title) for row in ROWS.values() for title in row.titles}
    assert [sorted(named - side) for side in known] == [[], []]


def test_every_file_is_in_both_templates() -> None:
    wrong = []
    for name in sorted({name for row in ROWS.values() for name in row.files}):
        flask, _, express = name.partition("|")
        for stack, path in ((FLASK, flask), (EXPRESS, express or flask)):
            if not (stack.tree / path).is_file():
                wrong.append(f"{stack.name}: {path}")
    assert wrong == []


def test_every_test_of_ours_exists() -> None:
    wrong = []
    for name in sorted({name for row in ROWS.values() for name in row.tests}):
        path, _, function = name.partition("::")
        source = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""
        if not re.search(rf"^def {function}\(", source, re.MULTILINE):
            wrong.append(name)
    assert wrong == []


def test_the_readme_says_what_the_data_says() -> None:
    readme = asvs.README.read_text(encoding="utf-8")
    assert asvs.replaced(readme) == readme, "write it anew: python -m scaffold.contract.asvs"


def test_the_decisions_are_the_same_in_both_repositories() -> None:
    assert text(FLASK, "docs/security.md") == text(EXPRESS, "docs/security.md")


def test_the_decisions_answer_real_requirements() -> None:
    headings = re.findall(r"^## .*\((.+)\)$", text(FLASK, "docs/security.md"), re.MULTILINE)
    numbers = [number for heading in headings for number in heading.split(", ")]
    assert len(numbers) > 10
    assert [n for n in numbers if "docs/security.md" not in ROWS[n].files] == []
    pointing = [row.number for row in ROWS.values() if "docs/security.md" in row.files]
    assert sorted(pointing) == sorted(numbers)


# What looks like an event in the code.
EVENT = re.compile(
    r"[\"'](register|login|logout"
    r"|(?:register|login|sessions?|user|role|email|password|totp|recovery-code|mail)\.(?!id|user|html)[a-z]+)[\"']"
)


@each_stack
def test_the_events_that_are_written_down_are_those_of_the_app(stack: Stack) -> None:
    logs = text(stack, "docs/security.md").split("## Logs", 1)[1].split("\n## ")[0]
    rows = [line for line in logs.splitlines() if line.startswith("|")]
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    found = {name for source in sources(stack).values() for name in EVENT.findall(source)}
    assert sorted(found ^ listed) == []


def sources(stack: Stack) -> dict[str, str]:
    """The code of the app, without its pages."""
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in unrendered(stack).items()
        if name.startswith("app/") and path.suffix in {".py", ".ts"}
    }


# Ways to run text, start programs, read shapeless data, fetch, redirect, or guess at random.
DANGEROUS = {
    "flask": (
        r"^\s*(?:import|from) (?:subprocess|pickle|marshal|shelve|ctypes|xml|jinja2)\b"
        r"|^\s*(?:import|from) (?:requests|httpx|aiohttp|http\.client|urllib\.request)\b"
        r"|(?<![.\w])(?:eval|exec|compile|__import__)\("
        r"|\bos\.(?:system|popen|exec\w*|spawn\w*)\(|render_template|yaml\.load\b|\brandom\.(?!SystemRandom)\w+|\bredirect\("
    ),
    "express": (
        r"from \"(?:node:)?(?:child_process|vm|v8|http2|https|undici|axios|xml\w*)\""
        r"|(?<![.\w])(?:eval|fetch|Function)\(|new Function\b|Math\.random|\.redirect\("
    ),
}


@each_stack
def test_the_apps_leave_dangerous_tools_alone(stack: Stack) -> None:
    found = {
        name: re.findall(DANGEROUS[stack.name], source, re.MULTILINE)
        for name, source in sources(stack).items()
    }
    assert len(found) > 20
    assert {name: uses for name, uses in found.items() if uses} == {}


# Ways to make markup of text, to keep data in the browser, and to talk between windows.
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    r"|localStorage|sessionStorage|indexedDB|document\.cookie|postMessage"
)


@each_stack
def test_pages_show_text_only_and_keep_nothing(stack: Stack) -> None:
    scripts = [name for name in unrendered(stack) if re.fullmatch(r"app/static/\w+\.js", name)]
    assert scripts
    assert {name: UNSAFE.findall(text(stack, name)) for name in scripts} == {n: [] for n in scripts}


class Fields(HTMLParser):
    """The password fields of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "input" and "password" in f"{given.get('name')} {given.get('id')}":
            self.found.append(given)


@each_stack
def test_password_fields_suit_people_and_their_managers(stack: Stack) -> None:
    pages = [name for name in unrendered(stack) if re.fullmatch(r"app/static/[\w-]+\.html", name)]
    fields = [field for name in pages for field in Fields(text(stack, name)).found]
    assert fields
    for field in fields:
        assert field["type"] == "password"
        assert field["autocomplete"] in {"new-password", "current-password"}
        assert [name for name in field if name.startswith("on")] == []
    listened = [name for name in unrendered(stack) if name.endswith(".js")]
    assert [name for name in listened if re.search(r"[\"'](?:paste|copy)", text(stack, name))] == []


@each_stack
def test_no_account_comes_with_the_schema(stack: Stack) -> None:
    migrations = [
        name for name in unrendered(stack) if re.fullmatch(r"migrations/.*\d+_\w+\.(?:py|ts)", name)
    ]
    assert migrations
    made = [name for name in migrations if re.search(r"(?i)\binsert|\bsave\(", text(stack, name))]
    assert made == []


@each_stack
def test_common_passwords_are_many_and_long_enough(stack: Stack) -> None:
    listed = text(stack, "app/data/passwords.txt").split("\n")[:-1]
    assert Counter(listed).most_common(1)[0][1] == 1
    assert len([word for word in listed if 12 <= len(word) <= 128]) >= 3000
