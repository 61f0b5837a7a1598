"""What is particular to MySQL and MariaDB."""

import ssl
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

from app.databases.address import Encryption, encryption

DUPLICATE_ENTRY = 1062
# Full, too many connections, shutting down, lock wait, deadlock, gone: worth another try.
AWAY = {0, 1021, 1114, 1040, 1044, 1045, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2014, 2055}


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
    is_server = True
    begin = "BEGIN"
    undoes_schema = False
    id_type: TypeEngine[Any] = CHAR(36)
    time_type: TypeEngine[Any] = UtcTime()
    table_options: Mapping[str, str] = MappingProxyType(
        {
            "mysql_engine": "InnoDB",
            "mysql_charset": "utf8mb4",
            "mysql_collate": "utf8mb4_bin",
        }
    )
    # MySQL's JSON_ARRAYAGG knows no order.
    tags_of_note = (
        "(SELECT coalesce(concat('[', group_concat(json_quote(t.tag) ORDER BY t.position), ']'),"
        " '[]') FROM note_tags t WHERE t.note_id = n.id)"
    )

    def check(self, url: str) -> None:
        encryption(url)
        parts = urlsplit(url)
        _ = parts.port
        make_url(url)
        if len(parts.path) < 2 or not url.isprintable():
            raise ValueError(url)

    def engine_url(self, url: str) -> URL:
        return make_url(url).set(drivername="mysql+pymysql", query={})

    def engine_options(self, url: str, statement_seconds: int | None) -> dict[str, Any]:
        return {
            "connect_args": {
                **_encrypt(encryption(url)),
                "charset": "utf8mb4",
                "collation": "utf8mb4_bin",
                "connect_timeout": 2,
                "read_timeout": statement_seconds,
                "write_timeout": statement_seconds,
                "init_command": "SET time_zone = '+00:00', sql_mode = 'TRADITIONAL'",
            }
        }

    def on_connect(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            # Ten tags, each sign of them escaped.
            cursor.execute("SET SESSION group_concat_max_len = 65536")

    def is_unique_violation(self, error: BaseException | None) -> bool:
        return isinstance(error, pymysql.err.IntegrityError) and error.args[0] == DUPLICATE_ENTRY

    def is_unavailable(self, error: BaseException | None) -> bool:
        if isinstance(error, pymysql.err.InterfaceError):
            return True
        if not isinstance(error, pymysql.err.OperationalError | pymysql.err.InternalError):
            return False
        return bool(error.args) and error.args[0] in AWAY

    def is_full(self, error: BaseException | None) -> bool:
        return isinstance(error, pymysql.err.Error) and error.args[:1] in {(1021,), (1114,)}

    def lock(self, connection: Connection) -> None:
        if not connection.exec_driver_sql("SELECT GET_LOCK('app.migrations', 600)").scalar():
            raise TimeoutError("another run of migrations goes on for longer than ten minutes")

    def unlock(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT RELEASE_LOCK('app.migrations')")


def _encrypt(wanted: Encryption) -> dict[str, Any]:
    if wanted.mode == "disable":
        return {"ssl_disabled": True}
    context = ssl.create_default_context(cafile=wanted.root or None)
    if wanted.mode == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl": context}
