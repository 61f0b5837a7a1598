/** Messages: what is in them, and what becomes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./setup.ts";

const ADA = "ada@example.com";

test("a message has text and html", async (t) => {
  const anyone = await start(t, { MAIL_FROM: "app@example.org" });
  await anyone.register(ADA, "<b>Ada</b>");
  const [mail, ...others] = await anyone.mails(ADA);
  assert.ok(mail && others.length === 0);
  for (const header of [
    /^From: app@example\.org$/m,
    /^To: ada@example\.com$/m,
    /^Subject: Confirm your address for .+$/m,
    /^Date: \w{3}, \d\d? \w{3} \d{4} /m,
    /^Message-ID: <[0-9a-f-]{36}@example\.org>$/m,
    /^Auto-Submitted: auto-generated$/m,
    /^Content-Type: multipart\/alternative;/m,
  ]) {
    assert.match(mail.headers.replaceAll("\r", ""), header);
  }
  const link = /\nhttp:\/\/localhost:8000\/verify-email#token=.{43}\n/.exec(mail.text)?.[0].trim();
  assert.ok(mail.html.includes(`<p><a href="${link}">${link}</a></p>`), mail.html);
  assert.ok(!`${mail.text}${mail.html}`.includes("Ada"), "nothing a user typed");
});

test("a link leads to the public url", async (t) => {
  const anyone = await start(t, { PUBLIC_URL: "https://app.example", TRUSTED_PROXIES: "1" });
  const forged = anyone.with({
    "x-forwarded-host": "evil.example",
    forwarded: "host=evil.example",
  });
  await forged.register(ADA);
  await forged.post("/api/v1/auth/password/forgot", { email: "ADA@example.com" });
  const mails = await anyone.mails(ADA);
  const links = mails.flatMap(({ text }) => text.match(/https?:\S+/g) ?? []).sort();
  assert.deepEqual(
    links.map((link) => link.slice(0, -43)),
    ["https://app.example/reset-password#token=", "https://app.example/verify-email#token="],
  );
});

test("a failing server does not change the answer", async (t) => {
  const anyone = await start(t, { MAIL_URL: "smtp://user:secret@127.0.0.1:1" });
  const errors = t.mock.method(anyone.app.log, "error", () => undefined);
  const first = await anyone.register(ADA);
  const second = await anyone.register(ADA);
  assert.deepEqual([first.status, first.body], [202, { status: "accepted" }]);
  assert.deepEqual([second.status, second.body], [202, { status: "accepted" }]);
  assert.equal((await anyone.login(ADA)).status, 200);
  await anyone.app.mail.stop(5000);
  const lines = errors.mock.calls.map((call) => call.arguments);
  assert.deepEqual(lines, [[{ event: "mail.failed", count: 2 }, "mail was left unsent"]]);
});

test("messages to one address are limited", async (t) => {
  const anyone = await start(t);
  for (const email of [ADA, "bob@example.com"]) {
    await anyone.register(email);
  }
  for (let count = 0; count < 8; count += 1) {
    await anyone.post("/api/v1/auth/password/forgot", { email: ADA });
  }
  await anyone.post("/api/v1/auth/password/forgot", { email: "bob@example.com" });
  assert.equal((await anyone.mails(ADA)).length, 1 + 5);
  assert.equal((await anyone.mails("bob@example.com")).length, 1 + 1);
});
