"""The shapes of note requests and answers."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app import api
from app.api import UNSET, Moment, Uuid
from app.cursors import PageQuery
from app.ids import format_time
from app.validation import unique

Title = Annotated[str, Field(min_length=1, max_length=200)]
Body = Annotated[str, Field(max_length=10_000)]
Tag = Annotated[str, Field(min_length=1, max_length=50)]
Tags = Annotated[
    list[Tag],
    Field(max_length=10, json_schema_extra={"uniqueItems": True}),
    AfterValidator(unique),
]


class Note(api.Shape):
    id: Uuid
    title: Title
    body: Body
    tags: Tags
    created_at: Moment
    updated_at: Moment


class NoteList(api.Shape):
    items: Sequence[Note]
    next: str | None


class NoteCreate(api.Shape):
    title: Title
    body: Body = ""
    tags: Tags = Field(default=[])


class NoteUpdate(api.Shape):
    """A merge patch: null gives a member its default back."""

    title: Title = UNSET
    body: Body | None = None
    tags: Tags | None = None


class NoteQuery(PageQuery):
    tag: Tag = UNSET


def show(note: Any, tags: list[str]) -> dict[str, Any]:
    """Write a note, or a row with the same columns, as the API shows it."""
    return {
        "id": note.id,
        "title": note.title,
        "body": note.body,
        "tags": tags,
        "created_at": format_time(note.created_at),
        "updated_at": format_time(note.updated_at),
    }
