"""A database's schema as its own catalogue tells it, without the names no client sees."""

from __future__ import annotations

import re
from typing import Any

from services import Database  # noqa: TC002 (ours)

WORDS = re.compile(
    r"\bCHECK ?\((?:[^()]|\([^()]*\))*\)|\bCOLLATE \w+"
    r"|\b(?:GENERATED|AUTOINCREMENT|STRICT|WITHOUT ROWID|TRIGGER|VIEW)\b",
    re.IGNORECASE,
)
BOOKKEEPING = {"alembic_version", "migrations"}
QUESTIONS = {
    "postgresql": {
        "columns": """
            SELECT table_name,
                   -- A column that was dropped keeps its number.
                   row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position),
                   column_name, data_type, is_nullable, character_maximum_length,
                   numeric_precision, datetime_precision, column_default, collation_name,
                   is_identity, is_generated
            FROM information_schema.columns
            WHERE table_schema = 'public' ORDER BY 1, 2""",
        "constraints": """
            SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
              AND contype <> 'n'
            ORDER BY 1, 2, 3""",
        "indexes": """
            SELECT tablename, regexp_replace(indexdef, ' INDEX \\S+', ' INDEX')
            FROM pg_indexes
            WHERE schemaname = 'public' ORDER BY 1, 2""",
        "names": """
            SELECT tablename, indexname FROM pg_indexes
            WHERE schemaname = 'public'
              AND (indexname LIKE 'ix!_%' ESCAPE '!' OR indexname LIKE 'uq!_%' ESCAPE '!')
            ORDER BY 1""",
    },
    "mysql": {
        "columns": """
            SELECT table_name, ordinal_position, column_name, column_type, is_nullable,
                   column_default, character_set_name, collation_name, extra
            FROM information_schema.columns
            WHERE table_schema = database() ORDER BY 1, 2""",
        "tables": """
            SELECT table_name, engine, table_collation FROM information_schema.tables
            WHERE table_schema = database() ORDER BY 1""",
        "references": """
            SELECT r.table_name, k.column_name, r.referenced_table_name, k.referenced_column_name,
                   r.delete_rule, r.update_rule
            FROM information_schema.referential_constraints r
            JOIN information_schema.key_column_usage k
              ON k.constraint_schema = r.constraint_schema
             AND k.constraint_name = r.constraint_name AND k.table_name = r.table_name
            WHERE r.constraint_schema = database() ORDER BY 1, 2""",
        "checks": """
            SELECT table_name, check_clause FROM information_schema.check_constraints
            WHERE constraint_schema = database() ORDER BY 1, 2""",
        "indexes": """
            SELECT table_name, group_concat(column_name ORDER BY seq_in_index), non_unique
            FROM information_schema.statistics
            WHERE table_schema = database()
            GROUP BY table_name, index_name, non_unique ORDER BY 1, 2, 3""",
        "names": """
            SELECT DISTINCT table_name, index_name FROM information_schema.statistics
            WHERE table_schema = database()
              AND left(index_name, 3) IN ('ix_', 'uq_') ORDER BY 1""",
    },
    "sqlite": {
        "columns": """
            SELECT m.name, c.cid, c.name, c.type, c."notnull", c.dflt_value, c.pk
            FROM sqlite_schema m JOIN pragma_table_info(m.name) c
            WHERE m.type = 'table' ORDER BY 1, 2""",
        "references": """
            SELECT m.name, f."from", f."table", f."to", f.on_delete, f.on_update
            FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f
            WHERE m.type = 'table' ORDER BY 1, 2""",
        # It has no catalogue of the rest.
        "rest": """
            SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'view', 'trigger')
            ORDER BY 1""",
        "indexes": """
            SELECT m.name, i."unique", i.partial,
                   (SELECT group_concat(x.name) FROM pragma_index_info(i.name) x)
            FROM sqlite_schema m JOIN pragma_index_list(m.name) i
            WHERE m.type = 'table' ORDER BY 1, 2, 3""",
    },
}


def schema(database: Database, kind: str, url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything the catalogue says, by question."""
    return {
        what: sorted(
            (
                tuple(plain(value) for value in (rest(row) if what == "rest" else row))
                for row in database.sql(url, question)
                if row[0] not in BOOKKEEPING and not row[0].startswith("sqlite_")
            ),
            key=repr,
        )
        for what, question in QUESTIONS[kind].items()
    }


def plain(value: Any) -> Any:
    """One spelling for what a catalogue quotes and spaces in many ways."""
    if not isinstance(value, str):
        return value
    text = re.sub(r"[\s`]+", " ", value).strip().lower()
    return {"'1'": "1", "'0'": "0", "false": "0"}.get(text, text)


def rest(row: tuple[Any, ...]) -> tuple[str, ...]:
    """What only the text of a table says: its checks, collations and kind."""
    name, text = row[0], " ".join(row[1].split())
    said = WORDS.findall(text)
    return (name, *sorted(said))
