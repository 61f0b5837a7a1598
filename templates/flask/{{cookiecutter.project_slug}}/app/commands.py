"""Commands for operators: make the first admin, write the OpenAPI document."""

import argparse
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

from app.config import ConfigError, load

_HERE = Path(__file__).parent.parent
OPENAPI = _HERE / "openapi.yaml"


def main() -> int:
    parser = argparse.ArgumentParser(prog="app.commands")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("env", help="write .env with fresh secrets, when there is none")
    commands.add_parser("migrate", help="bring the database up to date")
    commands.add_parser("rollback", help="undo the last migration")
    commands.add_parser("openapi", help="write openapi.yaml").add_argument(
        "--check", action="store_true", help="only say whether it is fresh"
    )
    commands.add_parser("admin", help="make a registered user an admin").add_argument("email")
    given = parser.parse_args()
    load_dotenv(_HERE / ".env")
    try:
        return int(_run(given))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 78


def _run(given: argparse.Namespace) -> int:
    if given.command == "env":
        return write_env(_HERE / ".env.example", _HERE / ".env")
    if given.command == "migrate":
        from app import migrations

        migrations.migrate()
        return 0
    if given.command == "rollback":
        return roll_back()
    if given.command == "admin":
        return make_admin(given.email)
    return write_openapi(check=given.check)


def write_env(example: Path, target: Path) -> int:
    """Copy the example with a fresh secret, readable by its owner only."""
    line = f"SECRET_KEYS={secrets.token_urlsafe(48)}"
    text = re.sub(r"^SECRET_KEYS=.*$", line, example.read_text("utf-8"), flags=re.MULTILINE)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return 0
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


def roll_back() -> int:
    from app import migrations

    name = migrations.rollback()
    if name is None:
        print("There is nothing to undo.", file=sys.stderr)
        return 1
    print(f"Undid {name}.")
    return 0


def make_admin(email: str) -> int:
    from sqlalchemy import update
    from sqlalchemy.engine import CursorResult

    from app import create_app, db, ids
    from app.auth.model import User

    config = load(os.environ)
    with create_app(config).app_context(), db.writing() as work:
        found: Any = work.execute(
            update(User)
            .where(User.email_normalized == email.strip().lower())
            .values(role="admin", updated_at=ids.now())
        )
    if not isinstance(found, CursorResult) or found.rowcount != 1:
        print(f"Nobody has registered as {email}; register first.", file=sys.stderr)
        return 1
    print(f"{email} is an admin now.")
    return 0


def openapi_document() -> dict[str, Any]:
    from app import create_app, openapi

    return openapi.document(create_app(load({})))


def write_openapi(*, check: bool) -> int:
    import yaml

    document = openapi_document()
    if not check:
        text = yaml.dump(document, Dumper=_plain(), sort_keys=True, allow_unicode=True, width=100)
        OPENAPI.write_text(text, "utf-8")
        return 0
    if yaml.safe_load(OPENAPI.read_text("utf-8")) == document:
        return 0
    print("openapi.yaml is stale; run: make openapi", file=sys.stderr)
    return 1


def _plain() -> type[Any]:
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, _data: object) -> bool:
            return True

    return Plain


if __name__ == "__main__":
    sys.exit(main())
