"""What is particular to PostgreSQL."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import URL, Connection, Uuid, make_url
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeEngine

from app.databases.address import encryption, system_root

# Any number will do, as long as nobody else takes the same one.
MIGRATION_LOCK = 7_310_582_461
# Connection trouble, shutdown, too many connections, deadlock: worth another try.
AWAY = ("08", "57P", "53", "40")


class PostgreSQL:
    dialect = "postgresql"
    scheme = "postgresql"
    default_url = "postgresql://app:app@127.0.0.1:5432/app"
    form = "postgresql://USER:PASSWORD@HOST:PORT/NAME"
    is_server = True
    begin = "BEGIN"
    undoes_schema = True
    id_type: TypeEngine[Any] = Uuid(as_uuid=False)
    time_type: TypeEngine[Any] = TIMESTAMP(timezone=True, precision=6)
    table_options: Mapping[str, str] = MappingProxyType({})
    tags_of_note = (
        "array_to_json(ARRAY(SELECT t.tag FROM note_tags t"
        " WHERE t.note_id = n.id ORDER BY t.position))::text"
    )

    def check(self, url: str) -> None:
        encryption(url)
        parts = urlsplit(url)
        _ = parts.port
        make_url(url)
        if len(parts.path) < 2 or not url.isprintable():
            raise ValueError(url)

    def engine_url(self, url: str) -> URL:
        return make_url(url).set(drivername="postgresql+psycopg", query={})

    def engine_options(self, url: str, statement_seconds: int | None) -> dict[str, Any]:
        wanted = encryption(url)
        options = f"-c timezone=UTC -c statement_timeout={(statement_seconds or 0) * 1000}"
        arguments = {"connect_timeout": 2, "options": options, "sslmode": wanted.mode}
        if wanted.mode == "verify-full":
            arguments["sslrootcert"] = wanted.root or system_root()
        return {"connect_args": arguments}

    def on_connect(self, connection: Any) -> None:
        pass

    def is_unique_violation(self, error: BaseException | None) -> bool:
        return isinstance(error, psycopg.errors.UniqueViolation)

    def is_unavailable(self, error: BaseException | None) -> bool:
        if isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
            return True
        if not isinstance(error, psycopg.OperationalError):
            return False
        return error.sqlstate is None or error.sqlstate.startswith(AWAY)

    def is_full(self, error: BaseException | None) -> bool:
        return isinstance(error, psycopg.errors.DiskFull)

    def lock(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        connection.exec_driver_sql("BEGIN")

    def unlock(self, connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
