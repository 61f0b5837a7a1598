"""What is stored about notes."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import Id, Time
from app.databases import TABLE_OPTIONS
from app.db import Model


class Note(Model):
    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_user_id_id", "user_id", "id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime] = mapped_column(Time)
    updated_at: Mapped[datetime] = mapped_column(Time)


class NoteTag(Model):
    __tablename__ = "note_tags"
    __table_args__ = (
        PrimaryKeyConstraint("note_id", "position"),
        UniqueConstraint("note_id", "tag", name="uq_note_tags_note_id_tag"),
        Index("ix_note_tags_tag", "tag", "note_id"),
        TABLE_OPTIONS,
    )

    note_id: Mapped[str] = mapped_column(Id, ForeignKey("notes.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(autoincrement=False)
    tag: Mapped[str] = mapped_column(String(50))
