"""What is particular to PostgreSQL."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import URL, Connection, Uuid, make_url
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeEngine

# Any number will do, as long as nobody else takes the same one.
MIGRATION_LOCK = 7_310_582_461
# Connection trouble, shutdown, too many connections, deadlock: worth another try.
AWAY = ("08", "57P", "53", "40")


class PostgreSQL:
    dialect = "postgresql"
    scheme = "postgresql"
    default_url = "postgresql://app:app@127.0.0.1:5432/app"
    form = "postgresql://USER:PASSWORD@HOST:PORT/NAME"
    begin = "BEGIN"
    id_type: TypeEngine[Any] = Uuid(as_uuid=False)
    time_type: TypeEngine[Any] = TIMESTAMP(timezone=True, precision=6)
    table_options: Mapping[str, str] = MappingProxyType({})

    def check(self, url: str) -> None:
        parts = urlsplit(url)
        _ = parts.port
        make_url(url)
        if len(parts.path) < 2 or not url.isprintable():
            raise ValueError(url)

    def engine_url(self, url: str) -> URL:
        return make_url(url).set(drivername="postgresql+psycopg")

    def engine_options(self) -> dict[str, Any]:
        return {
            "connect_args": {
                "connect_timeout": 2,
                "options": "-c timezone=UTC -c statement_timeout=15000 -c lock_timeout=10000",
            }
        }

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

    def lock(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET lock_timeout = 0")
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        connection.exec_driver_sql("BEGIN")

    def unlock(self, connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
