"""Columns that several tables share."""

from datetime import datetime
from typing import Any

from sqlalchemy import CHAR, DateTime, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from app import databases


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
