"""Columns that several tables share."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import CHAR, DateTime, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine, UserDefinedType

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


class Shown(UserDefinedType[str]):
    """A moment that is only read, as the API shows it; the driver hands over text or a time."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str]:
        return _show


class JsonText(UserDefinedType[Any]):
    """JSON that a statement put together."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str], Any]:
        return orjson.loads


def _show(value: Any) -> str:
    return f"{value[:10]}T{value[11:]}Z" if isinstance(value, str) else format_time(value)
