/** Notes, the sample resource. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Answer, assertInvalid, assertProblem, type Client, start } from "./setup.ts";

const NOTES = "/api/v1/notes";

async function startAsAda(t: TestContext): Promise<Client> {
  return (await start(t)).person();
}

async function write(client: Client, ...titles: string[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const title of titles) {
    answers.push(await client.post(NOTES, { title }));
  }
  return answers;
}

async function titles(client: Client, query = ""): Promise<string[]> {
  const { body } = await client.get(NOTES + query);
  return body.items.map(({ title }: { title: string }) => title);
}

/** A note to edit: where it is and its first ETag. */
async function oneNote(client: Client): Promise<{ path: string; etag: string }> {
  const body = { title: "one", body: "first", tags: ["a", "b"] };
  const { headers } = await client.post(NOTES, body);
  return { path: headers.get("location") ?? "", etag: headers.get("etag") ?? "" };
}

test("a note is created with location and etag", async (t) => {
  const ada = await startAsAda(t);
  const sent = { title: "one", body: "first", tags: ["b", "a"] };
  const { status, headers, body } = await ada.post(NOTES, sent);
  assert.equal(status, 201);
  assert.equal(headers.get("location"), `${NOTES}/${body.id}`);
  assert.equal(headers.get("etag"), '"1"');
  const { id, created_at, updated_at, ...rest } = body;
  assert.deepEqual(rest, sent);
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.equal(updated_at, created_at);
  const read = await ada.get(`${NOTES}/${id}`);
  assert.deepEqual([read.body, read.headers.get("etag")], [body, '"1"']);
  assertInvalid(await ada.post(NOTES, { title: "", tags: ["x", "x"] }), {
    "#/tags": "must not repeat",
    "#/title": "must have at least 1 characters",
  });
});

test("notes are listed newest first", async (t) => {
  const ada = await startAsAda(t);
  await write(ada, "one", "two", "three");
  assert.deepEqual(await titles(ada), ["three", "two", "one"]);
});

test("tags keep their order in a list", async (t) => {
  const ada = await (await start(t)).person();
  const tags = ["red", 'a "quoted" one', "blue", "\u{1f600}"];
  await ada.post("/api/v1/notes", { title: "with tags", tags });
  await ada.post("/api/v1/notes", { title: "without" });
  const { body } = await ada.get("/api/v1/notes");
  const found = body.items.map((note: { tags: string[] }) => note.tags);
  assert.deepEqual(found, [[], tags]);
});

test("pages follow each other without gaps", async (t) => {
  const ada = await startAsAda(t);
  await write(ada, "one", "two", "three", "four", "five");
  const first = await ada.get(`${NOTES}?limit=2`);
  assert.equal(
    first.headers.get("link"),
    `<${ada.app.config.publicUrl}${first.body.next}>; rel="next"`,
  );
  await write(ada, "came meanwhile");
  const second = await ada.get(first.body.next);
  const third = await ada.get(second.body.next);
  const items = [first, second, third].flatMap(({ body }) => body.items);
  assert.deepEqual(
    items.map(({ title }) => title),
    ["five", "four", "three", "two", "one"],
  );
  assert.equal(third.body.next, null);
  assertInvalid(await ada.get(`${NOTES}?limit=0&cursor=made-up`), {
    "#/query/cursor": "has the wrong form",
    "#/query/limit": "must be at least 1",
  });
});

test("search takes wildcards literally", async (t) => {
  const ada = await startAsAda(t);
  await write(ada, "100% sure", "1000 times", "snake_case", "snakeXcase", "back\\slash", "bang!");
  const found = (part: string) => titles(ada, `?q=${encodeURIComponent(part)}`);
  assert.deepEqual(await found("100%"), ["100% sure"]);
  assert.deepEqual(await found("E_C"), ["snake_case"]);
  assert.deepEqual(await found("\\"), ["back\\slash"]);
  assert.deepEqual(await found("!"), ["bang!"]);
  assert.deepEqual(await found("' OR 1=1"), []);
});

test("notes are filtered by tag", async (t) => {
  const ada = await startAsAda(t);
  await ada.post(NOTES, { title: "one", tags: ["red", "round"] });
  await ada.post(NOTES, { title: "two", tags: ["reddish"] });
  await ada.post(NOTES, { title: "three", tags: ["round"] });
  assert.deepEqual(await titles(ada, "?tag=red"), ["one"]);
  assert.deepEqual(await titles(ada, "?tag=round"), ["three", "one"]);
  assert.deepEqual(await titles(ada, "?tag=round&q=thr"), ["three"]);
});

test("a note is unchanged for its etag", async (t) => {
  const ada = await startAsAda(t);
  const { path, etag } = await oneNote(ada);
  for (const known of [etag, `W/${etag}`, `"9", ${etag}`, "*"]) {
    const answer = await ada.get(path, { "if-none-match": known });
    assert.deepEqual([answer.status, answer.text], [304, ""]);
    assert.equal(answer.headers.get("etag"), etag);
  }
  assert.equal((await ada.get(path, { "if-none-match": '"9"' })).status, 200);
});

test("a stale edit is refused", async (t) => {
  const ada = await startAsAda(t);
  const { path, etag } = await oneNote(ada);
  const edited = await ada.patch(path, { title: "two" }, { "if-match": etag });
  assert.deepEqual([edited.status, edited.headers.get("etag")], [200, '"2"']);
  for (const stale of [etag, 'W/"2"']) {
    const answer = await ada.patch(path, { title: "three" }, { "if-match": stale });
    assertProblem(answer, 412, "precondition-failed");
    assertProblem(
      await ada.delete(path, undefined, { "if-match": stale }),
      412,
      "precondition-failed",
    );
  }
  assert.equal((await ada.get(path)).body.title, "two");
  assert.equal((await ada.delete(path, undefined, { "if-match": '"2"' })).status, 204);
  assertProblem(await ada.get(path), 404, "not-found");
});

test("an edit without a precondition is refused", async (t) => {
  const ada = await startAsAda(t);
  const { path } = await oneNote(ada);
  assertProblem(await ada.patch(path, { title: "two" }), 428, "precondition-required");
  assert.equal((await ada.get(path)).body.title, "one");
  assert.equal((await ada.delete(path)).status, 204);
});

test("a merge patch resets with null", async (t) => {
  const ada = await startAsAda(t);
  const { path } = await oneNote(ada);
  const headers = { "content-type": "application/merge-patch+json", "if-match": "*" };
  const reset = await ada.patch(path, { body: null, tags: null }, headers);
  const { title, body, tags } = reset.body;
  assert.deepEqual([title, body, tags], ["one", "", []]);
  assertInvalid(await ada.patch(path, { title: null }, headers), {
    "#/title": "must be a string",
  });
});

test("another persons note is not found", async (t) => {
  const ada = await startAsAda(t);
  const { path } = await oneNote(ada);
  for (const role of ["user", "admin"] as const) {
    const eve = await ada.with({}).person(`${role}@example.com`, role);
    const match = { "if-match": "*" };
    assertProblem(await eve.get(path), 404, "not-found");
    assertProblem(await eve.patch(path, { title: "mine" }, match), 404, "not-found");
    assertProblem(await eve.delete(path), 404, "not-found");
    assert.deepEqual(await titles(eve), []);
  }
  assert.equal((await ada.get(path)).body.title, "one");
});

test("parallel edits have one winner", async (t) => {
  const ada = await startAsAda(t);
  const { path, etag } = await oneNote(ada);
  const names = Array.from({ length: 8 }, (_, index) => `edit ${index}`);
  const edits = names.map((title) => ada.patch(path, { title }, { "if-match": etag }));
  const answers = await Promise.all(edits);
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [200, ...Array<number>(7).fill(412)]);
  const winner = answers.find(({ status }) => status === 200);
  assert.deepEqual((await ada.get(path)).body, winner?.body);
});
