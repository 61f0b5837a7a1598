"""Columns that several tables share."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import CHAR, DateTime, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from app import databases
from app.ids import format_time


class Id(TypeDecorator[str]):
    """A UUID as lower-case text, whatever the database makes of it."""

    impl = CHAR(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(databases.by_dialect(dialect.name).id_type)


class Time(TypeDecorator[datetime]):
    """A moment in UTC with microseconds."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(databases.by_dialect(dialect.name).time_type)


class Shown(TypeDecorator[str]):
    """A moment that is only read, as the API shows it."""

    # The driver hands over text, or a time in UTC.
    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        if isinstance(value, str):
            return f"{value[:10]}T{value[11:]}Z"
        return value and format_time(value)


class JsonText(TypeDecorator[Any]):
    """JSON that a statement put together."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return orjson.loads(value)
