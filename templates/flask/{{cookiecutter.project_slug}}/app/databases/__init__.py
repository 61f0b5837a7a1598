"""The databases this app speaks, by URL scheme."""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import URL, Connection
from sqlalchemy.types import TypeEngine

# scaffold: if cookiecutter.database == 'mysql'
from app.databases.mysql import MySQL

# scaffold: endif
# scaffold: if cookiecutter.database == 'postgresql'
from app.databases.postgresql import PostgreSQL

# scaffold: endif
# scaffold: if cookiecutter.database == 'sqlite'
from app.databases.sqlite import SQLite

# scaffold: endif
Column = TypeEngine[Any]


class Database(Protocol):
    """What the app has to know about a kind of database."""

    dialect: str
    scheme: str
    default_url: str
    form: str
    # Whether its connections may end while nobody uses them.
    is_server: bool
    begin: str
    # Whether a transaction also undoes changes of the schema.
    undoes_schema: bool
    id_type: Column
    time_type: Column
    table_options: Mapping[str, str]
    # The tags of note `n` as the text of a JSON list, in their order.
    tags_of_note: str

    def check(self, url: str) -> None:
        """Raise ValueError when the URL cannot be meant."""

    def engine_url(self, url: str) -> URL: ...

    def engine_options(self, url: str, statement_seconds: int | None) -> dict[str, Any]:
        """How the driver connects; no limit for statements when there is no number."""

    def on_connect(self, connection: Any) -> None: ...
    def is_unique_violation(self, error: BaseException | None) -> bool: ...
    def is_unavailable(self, error: BaseException | None) -> bool: ...
    def is_full(self, error: BaseException | None) -> bool: ...

    def lock(self, connection: Connection) -> None:
        """Make other migrations wait until `unlock`."""

    def unlock(self, connection: Connection) -> None: ...


DATABASES: list[Database] = [
    # scaffold: if cookiecutter.database == 'sqlite'
    SQLite(),
    # scaffold: endif
    # scaffold: if cookiecutter.database == 'postgresql'
    PostgreSQL(),
    # scaffold: endif
    # scaffold: if cookiecutter.database == 'mysql'
    MySQL(),
    # scaffold: endif
]
DEFAULT = DATABASES[0]
TABLE_OPTIONS = {key: value for each in DATABASES for key, value in each.table_options.items()}
FORMS = " or ".join(database.form for database in DATABASES)


def find(url: str) -> Database:
    """Return the database that a URL speaks of; ValueError when there is none."""
    for database in DATABASES:
        if url.startswith(f"{database.scheme}://"):
            return database
    raise ValueError(url)


def by_dialect(name: str) -> Database:
    return next(database for database in DATABASES if database.dialect == name)
