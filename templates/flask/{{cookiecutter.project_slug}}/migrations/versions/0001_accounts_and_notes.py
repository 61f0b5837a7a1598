"""Accounts, sessions and notes; tables that are there already are adopted."""

import sqlalchemy as sa
from alembic import op

from app.columns import Id, Time
from app.databases import TABLE_OPTIONS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _accounts()
    _secrets()
    _notes()


def downgrade() -> None:
    for table in ("note_tags", "notes", "recovery_codes", "one_time_tokens", "sessions", "users"):
        op.drop_table(table)


def _accounts() -> None:
    _table(
        "users",
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_normalized", sa.String(254), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("role", sa.String(20), nullable=False, server_default="user"),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("email_verified_at", Time),
        sa.Column("totp_secret", sa.String(255)),
        sa.Column("totp_confirmed_at", Time),
        sa.Column("totp_last_step", sa.BigInteger),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.UniqueConstraint("email_normalized", name="uq_users_email_normalized"),
        sa.CheckConstraint("role IN ('user', 'admin')", name=op.f("ck_users_role")),
    )
    _table(
        "sessions",
        _owner("sessions", "user_id", "users.id"),
        sa.Column("token_hash", sa.CHAR(64), nullable=False),
        sa.Column("user_agent", sa.String(255)),
        sa.Column("client_address", sa.String(45)),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("last_seen_at", Time, nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
    )
    _index("sessions", "ix_sessions_user_id", "user_id")
    _index("sessions", "ix_sessions_expires_at", "expires_at")


def _secrets() -> None:
    _table(
        "one_time_tokens",
        _owner("one_time_tokens", "user_id", "users.id"),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("email_normalized", sa.String(254), nullable=False),
        sa.Column("token_hash", sa.CHAR(64), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("used_at", Time),
        sa.UniqueConstraint("token_hash", name="uq_one_time_tokens_token_hash"),
        sa.CheckConstraint(
            "purpose IN ('verify-email', 'reset-password')", name=op.f("ck_one_time_tokens_purpose")
        ),
    )
    _index("one_time_tokens", "ix_one_time_tokens_user_id", "user_id")
    _table(
        "recovery_codes",
        _owner("recovery_codes", "user_id", "users.id"),
        sa.Column("code_hash", sa.CHAR(64), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("used_at", Time),
        sa.UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_user_id_code_hash"),
    )


def _notes() -> None:
    _table(
        "notes",
        _owner("notes", "user_id", "users.id"),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
    )
    _index("notes", "ix_notes_user_id_id", "user_id", "id")
    _table(
        "note_tags",
        _owner("note_tags", "note_id", "notes.id"),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("tag", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("note_id", "position", name="pk_note_tags"),
        sa.UniqueConstraint("note_id", "tag", name="uq_note_tags_note_id_tag"),
        has_id=False,
    )
    _index("note_tags", "ix_note_tags_tag", "tag", "note_id")


def _owner(table: str, column: str, target: str) -> sa.Column[str]:
    name = op.f(f"fk_{table}_{column}")
    key = sa.ForeignKey(target, name=name, ondelete="CASCADE")
    return sa.Column(column, Id, key, nullable=False)


def _table(name: str, *parts: sa.schema.SchemaItem, has_id: bool = True) -> None:
    first = [sa.Column("id", Id, nullable=False)] if has_id else []
    last = [sa.PrimaryKeyConstraint("id", name=f"pk_{name}")] if has_id else []
    op.create_table(name, *first, *parts, *last, if_not_exists=True, **TABLE_OPTIONS)


def _index(table: str, name: str, *columns: str) -> None:
    known = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
    if name not in known:
        op.create_index(name, table, list(columns))
