"""HTTP for notes."""

from app import cursors, etags
from app.api import JSON, MERGE_PATCH, Answer, Call, Routes
from app.errors import Problem
from app.notes import service
from app.notes.schema import Note, NoteCreate, NoteList, NoteQuery, NoteUpdate

routes = Routes("notes")
BASE = "/api/v1/notes"
ONE = BASE + "/{id}"


@routes.add("GET", BASE, "listNotes", "List my notes", query=NoteQuery, answer=NoteList)
def list_notes(call: Call, query: NoteQuery) -> Answer:
    user_id = call.viewer.user_id
    return cursors.page(BASE, query, service.listed(user_id, query), user_id)


@routes.add(
    "POST",
    BASE,
    "createNote",
    "Create a note",
    body=NoteCreate,
    answer=Note,
    status=201,
    has_location=True,
)
def create_note(call: Call, wanted: NoteCreate) -> Answer:
    note, version = service.create(call.viewer.user_id, wanted)
    return Answer(note, {"ETag": etags.write(version), "Location": f"{BASE}/{note['id']}"})


@routes.add("GET", ONE, "readNote", "Read a note", answer=Note, etag="If-None-Match")
def read_note(call: Call, note_id: str) -> Answer:
    note, version = service.read(call.viewer.user_id, note_id)
    etag = etags.write(version)
    known = call.header("If-None-Match")
    is_fresh = known is not None and etags.is_fresh(known, etag)
    return Answer(note, {"ETag": etag}, status=304 if is_fresh else None)


@routes.add(
    "PATCH",
    ONE,
    "updateNote",
    "Change a note (RFC 7396)",
    body=NoteUpdate,
    media=(MERGE_PATCH, JSON),
    answer=Note,
    etag="If-Match",
    problems=(428,),
)
def update_note(call: Call, note_id: str, wanted: NoteUpdate) -> Answer:
    header = call.header("If-Match")
    user_id = call.viewer.user_id
    if header is None:
        service.read(user_id, note_id)
        raise Problem("precondition-required")
    note, version = service.change(user_id, note_id, wanted, _precondition(header))
    return Answer(note, {"ETag": etags.write(version)})


@routes.add("DELETE", ONE, "deleteNote", "Delete a note", status=204, etag="If-Match")
def delete_note(call: Call, note_id: str) -> Answer:
    service.remove(call.viewer.user_id, note_id, _precondition(call.header("If-Match") or "*"))
    return Answer()


def _precondition(header: str) -> service.Precondition:
    return lambda version: etags.matches(header, etags.write(version))
