"""The rules about notes."""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import (
    Integer,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    type_coerce,
    update,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased

from app import cursors, databases, db, ids
from app.columns import Id, JsonText, Shown
from app.errors import Problem
from app.notes.model import Note, NoteTag
from app.notes.schema import NoteCreate, NoteQuery, NoteUpdate, show
from app.validation import invalid

Precondition = Callable[[int], bool]
Versioned = tuple[dict[str, Any], int]
_n = aliased(Note, name="n")
_TAGS = literal_column(databases.DEFAULT.tags_of_note, JsonText).label("tags")
# A note as the API shows it.
_SHOWN = select(
    _n.id,
    _n.title,
    _n.body,
    _TAGS,
    type_coerce(_n.created_at, Shown).label("created_at"),
    type_coerce(_n.updated_at, Shown).label("updated_at"),
)
_ONE = db.Read(
    _SHOWN.add_columns(_n.version).where(
        _n.id == bindparam("note_id"), _n.user_id == bindparam("user_id")
    )
)


def create(user_id: str, wanted: NoteCreate) -> Versioned:
    moment = ids.now()
    note = Note(
        id=ids.new_id(),
        user_id=user_id,
        title=wanted.title,
        body=wanted.body,
        version=1,
        created_at=moment,
        updated_at=moment,
    )
    with db.writing() as work:
        work.add(note)
        work.flush()
        _store_tags(work, note.id, wanted.tags)
    return show(note, wanted.tags), 1


def listed(user_id: str, query: NoteQuery) -> list[dict[str, Any]]:
    """Return one more note than asked when there are more, newest first."""
    after = cursors.read(query.cursor, user_id)
    values = {"user_id": user_id, "most": query.limit + 1, "after": after, "tag": query.tag}
    values["pattern"] = cursors.like(query.q) if query.q else None
    given = {name: value for name, value in values.items() if value is not None}
    return _listing(frozenset(given)).ask(**given)


@cache
def _listing(given: frozenset[str]) -> db.Read:
    """Build the query once for each set of filters."""
    found = _SHOWN.where(_n.user_id == bindparam("user_id"))
    if "after" in given:
        found = found.where(_n.id < bindparam("after", type_=Id))
    if "pattern" in given:
        pattern = func.lower(bindparam("pattern"))
        found = found.where(func.lower(_n.title).like(pattern, escape="!"))
    if "tag" in given:
        tagged = select(NoteTag.note_id).where(NoteTag.note_id == _n.id)
        found = found.where(tagged.where(NoteTag.tag == bindparam("tag")).exists())
    return db.Read(found.order_by(_n.id.desc()).limit(bindparam("most", type_=Integer)))


def read(user_id: str, note_id: str) -> Versioned:
    found = _ONE.ask(user_id=user_id, note_id=note_id)
    if not found:
        raise Problem("not-found")
    return found[0], found[0].pop("version")


def change(user_id: str, note_id: str, wanted: NoteUpdate, holds: Precondition) -> Versioned:
    """Merge what was sent into the note; of two edits of one version the second is refused."""
    given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    wanted_tags = given.pop("tags", ()) or []
    if "body" in given:
        given["body"] = given["body"] or ""
    with db.writing() as work:
        note, tags = _find(work, user_id, note_id)
        if not holds(note.version):
            raise Problem("precondition-failed")
        same = update(Note).where(Note.id == note_id, Note.version == note.version)
        version = note.version + 1
        given |= {"version": version, "updated_at": ids.now()}
        _expect_one(work.execute(same.values(**given).execution_options(synchronize_session=False)))
        if "tags" in wanted.model_fields_set:
            work.execute(delete(NoteTag).where(NoteTag.note_id == note_id))
            _store_tags(work, note_id, wanted_tags)
            tags = wanted_tags
        work.expunge(note)
    for name, value in given.items():
        setattr(note, name, value)
    return show(note, tags), version


def remove(user_id: str, note_id: str, holds: Precondition) -> None:
    with db.writing() as work:
        note, _ = _find(work, user_id, note_id)
        if not holds(note.version):
            raise Problem("precondition-failed")
        same = delete(Note).where(Note.id == note_id, Note.version == note.version)
        _expect_one(work.execute(same.execution_options(synchronize_session=False)))


def _expect_one(result: Any) -> None:
    if not isinstance(result, CursorResult) or result.rowcount != 1:
        raise Problem("precondition-failed")


def _find(work: Session, user_id: str, note_id: str) -> tuple[Note, list[str]]:
    """Hold the note until the transaction ends, and return it with its tags."""
    found = select(_n, _TAGS).where(_n.id == note_id, _n.user_id == user_id)
    row = work.execute(found.with_for_update()).first()
    if row is None:
        raise Problem("not-found")
    return row.n, row.tags


def _store_tags(work: Session, note_id: str, tags: list[str]) -> None:
    work.add_all(
        NoteTag(note_id=note_id, position=position, tag=tag) for position, tag in enumerate(tags)
    )
    try:
        work.flush()
    except DBAPIError as error:
        if db.is_unique_violation(error):
            # Some databases take tags for equal that differ in spaces at their ends.
            raise invalid("#/tags", "must not repeat") from error
        raise
