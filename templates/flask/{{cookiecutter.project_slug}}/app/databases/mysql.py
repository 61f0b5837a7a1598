"""What is particular to MySQL and MariaDB."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pymysql
from sqlalchemy import CHAR, URL, Connection, TypeDecorator, make_url
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

DUPLICATE_ENTRY = 1062
# Too many connections, shutting down, lock wait, deadlock, gone, lost: worth another try.
AWAY = {0, 1040, 1044, 1045, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2014, 2055}


class UtcTime(TypeDecorator[datetime]):
    """UTC in a column that knows no zones."""

    impl = DATETIME(fsp=6)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


class MySQL:
    dialect = "mysql"
    scheme = "mysql"
    default_url = "mysql://app:app@127.0.0.1:3306/app"
    form = "mysql://USER:PASSWORD@HOST:PORT/NAME"
    begin = "BEGIN"
    id_type: TypeEngine[Any] = CHAR(36)
    time_type: TypeEngine[Any] = UtcTime()
    table_options: Mapping[str, str] = MappingProxyType(
        {
            "mysql_engine": "InnoDB",
            "mysql_charset": "utf8mb4",
            "mysql_collate": "utf8mb4_bin",
        }
    )

    def check(self, url: str) -> None:
        parts = urlsplit(url)
        _ = parts.port
        make_url(url)
        if len(parts.path) < 2 or not url.isprintable():
            raise ValueError(url)

    def engine_url(self, url: str) -> URL:
        return make_url(url).set(drivername="mysql+pymysql")

    def engine_options(self) -> dict[str, Any]:
        return {
            "connect_args": {
                "charset": "utf8mb4",
                "collation": "utf8mb4_bin",
                "connect_timeout": 2,
                "read_timeout": 15,
                "write_timeout": 15,
                "init_command": "SET time_zone = '+00:00', sql_mode = 'TRADITIONAL'",
            }
        }

    def on_connect(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def is_unique_violation(self, error: BaseException | None) -> bool:
        return isinstance(error, pymysql.err.IntegrityError) and error.args[0] == DUPLICATE_ENTRY

    def is_unavailable(self, error: BaseException | None) -> bool:
        if isinstance(error, pymysql.err.InterfaceError):
            return True
        if not isinstance(error, pymysql.err.OperationalError | pymysql.err.InternalError):
            return False
        return bool(error.args) and error.args[0] in AWAY

    def lock(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT GET_LOCK('app.migrations', 600)")

    def unlock(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT RELEASE_LOCK('app.migrations')")
