/** Every error is a problem document. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { assertInvalid, assertProblem, start } from "./setup.ts";

const MEBIBYTE = 1024 * 1024;

test("malformed json is a problem", async (t) => {
  const ada = await (await start(t)).person();
  for (const body of ["", "{", '{"title": NaN}', '{"title": "x"} more', "[".repeat(100)]) {
    const answer = await ada.post("/api/v1/notes", body);
    assertProblem(answer, 400, "malformed-json");
    assert.equal(answer.body.instance, "/api/v1/notes");
  }
});

test("duplicate keys are refused", async (t) => {
  const ada = await (await start(t)).person();
  const answer = await ada.post("/api/v1/notes", '{"title": "one", "title": "two"}');
  assertProblem(answer, 400, "malformed-json");
});

test("unknown fields are refused", async (t) => {
  const ada = await (await start(t)).person();
  const body = { title: "one", user_id: "someone", version: 7 };
  assertInvalid(await ada.post("/api/v1/notes", body), {
    "#/user_id": "is not allowed",
    "#/version": "is not allowed",
  });
  assertInvalid(await ada.get("/api/v1/notes?colour=red"), {
    "#/query/colour": "is not allowed",
  });
});

test("a crash tells nothing", async (t) => {
  const anyone = await start(t);
  const logged = t.mock.method(anyone.app.log, "error", () => undefined);
  t.mock.method(anyone.app.store, "limit", () => {
    throw new Error("the inner secret");
  });
  const answer = await anyone.get("/api/v1/notes");
  assertProblem(answer, 500, "internal");
  assert.doesNotMatch(answer.text, /inner secret|\.ts|at /);
  assert.match(inspect(logged.mock.calls[0]?.arguments), /the inner secret[\s\S]*errors\.test\.ts/);
});

test("an unknown path is a problem", async (t) => {
  const anyone = await start(t);
  for (const path of ["/nowhere", "/api/v1/notes/", "/api/v1/%00", "/%E0%A4%A"]) {
    const answer = await anyone.get(`${path}?secret=1`);
    assertProblem(answer, 404, "not-found");
    assert.equal(answer.body.instance, path);
  }
});

test("a wrong method names the allowed ones", async (t) => {
  const anyone = await start(t);
  const answer = await anyone.delete("/api/v1/notes");
  assertProblem(answer, 405, "method-not-allowed");
  const allowed = new Set((answer.headers.get("allow") ?? "").split(", "));
  assert.deepEqual(
    ["GET", "HEAD", "POST", "DELETE"].map((method) => allowed.has(method)),
    [true, true, true, false],
  );
});

test("a body over one mebibyte is refused", async (t) => {
  const ada = await (await start(t)).person();
  const noteOf = (bytes: number) => {
    const rest = JSON.stringify({ title: "long", body: "" }).length;
    return { title: "long", body: "x".repeat(bytes - rest) };
  };
  assertProblem(await ada.post("/api/v1/notes", noteOf(MEBIBYTE + 1)), 413, "content-too-large");
  assertInvalid(await ada.post("/api/v1/notes", noteOf(MEBIBYTE)), {
    "#/body": "must have at most 10000 characters",
  });
});

test("a wrong media type is refused", async (t) => {
  const ada = await (await start(t)).person();
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/xml"]) {
    const answer = await ada.post("/api/v1/notes", { title: "one" }, { "content-type": type });
    assertProblem(answer, 415, "unsupported-media-type");
  }
  const type = "application/json; charset=utf-8";
  const answer = await ada.post("/api/v1/notes", { title: "one" }, { "content-type": type });
  assert.equal(answer.status, 201);
});
