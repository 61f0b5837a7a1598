"""Chapter 4: which passwords are accepted and how they are kept."""

from __future__ import annotations

import secrets
import unicodedata

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.auth import LOGIN, REGISTER, body
from scaffold.contract.target import Target, fresh_email

COMMON = ("password1234", "123456789012", "qwertyuiop12", "passwordpassword", "iloveyou1234")


def refusal(app: Target, **changed: object) -> str | None:
    """What is said about the password, or None when it is accepted."""
    answer = app.anonymous.post(REGISTER, body(**changed))
    if answer.expect(202, 422).status == 202:
        return None
    equal(answer.pointers(), ["#/password"], answer)
    return str(answer.json()["errors"][0]["detail"])


@check(4, "Passwords have 12 to 128 characters, whatever they are", "ASVS 6.2.1, 6.2.9")
def password_length(app: Target) -> None:
    for length in (0, 1, 11, 129, 2000):
        text = (secrets.token_hex(16) * 63)[:length]
        said = refusal(app, password=text)
        true(said is not None, f"{length} characters accepted")
    for text in ((secrets.token_hex(64))[:128], secrets.token_hex(6), "🜁🜂🜃🜄" * 3 + "\u00e9"):
        equal(refusal(app, password=text), None, f"{len(text)} characters")


@check(4, "No composition rules: spaces and any character are fine", "ASVS 6.2.5")
def password_free(app: Target) -> None:
    for text in ("purple monkey dishwasher", "ёлки палки лес густой", "\t tab inside \t it is"):
        equal(refusal(app, password=text), None, text)


@check(4, "Common passwords are refused, in any case", "ASVS 6.2.4")
def password_common(app: Target) -> None:
    for text in (*COMMON, COMMON[0].upper()):
        equal(refusal(app, password=text), "is too common", text)


@check(4, "A password must not contain the address or the name", "ASVS 6.2.11")
def password_context(app: Target) -> None:
    email = fresh_email()
    said = "must not contain the address or the name"
    equal(refusal(app, email=email, password=f"x{email}x"), said, "address")
    equal(refusal(app, email=email, password=f"x{email.upper()}x"), said, "ADDRESS")
    equal(refusal(app, name="Grace Hopper", password=f"my grace hopper {1}"), said, "name")


@check(4, "Length and equality are those of the NFKC form", "NIST SP 800-63B 5.1.1.2, Unicode TR15")
def password_normal_form(app: Target) -> None:
    # Sixteen characters as sent, eight once they are put together.
    accented = "".join(f"{letter}\u0301" for letter in "aeiouycn")
    equal(
        refusal(app, password=accented),
        "must have between 12 and 128 characters",
        "letters and their accents",
    )
    composed = unicodedata.normalize("NFC", f"cafe\u0301 au lait {secrets.token_hex(4)}")
    account = body(password=composed)
    app.anonymous.post(REGISTER, account).expect(202)
    for form in ("NFD", "NFKC"):
        text = unicodedata.normalize(form, composed)
        login = {"email": account["email"], "password": text}
        app.anonymous.post(LOGIN, login).expect(200)


@check(4, "A password is compared whole and with its case", "ASVS 6.2.8")
def password_exact(app: Target) -> None:
    account = body(password=f"A{secrets.token_hex(50)}Z")
    app.anonymous.post(REGISTER, account).expect(202)
    password = str(account["password"])
    for text in (password[:-1], password.lower(), f"{password} ", f" {password}"):
        login = {"email": account["email"], "password": text}
        app.anonymous.post(LOGIN, login).expect(401)
    app.anonymous.post(LOGIN, {"email": account["email"], "password": password}).expect(200)


@check(4, "Passwords are kept as Argon2id with OWASP's parameters", "ASVS 11.4.2")
def password_hash(app: Target) -> None:
    email = app.account()["email"]
    rows = app.operator.sql("SELECT password_hash FROM users WHERE email_normalized = ?", email)
    equal(rows[0][0].split("$")[:4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"], "PHC string")


@check(4, "The same password is never kept the same way", "ASVS 11.4.2")
def password_salted(app: Target) -> None:
    first, second = body(), body()
    second["password"] = first["password"]
    hashes = set()
    for account in (first, second):
        app.anonymous.post(REGISTER, account).expect(202)
        email = str(account["email"])
        (row,) = app.operator.sql(
            "SELECT password_hash FROM users WHERE email_normalized = ?", email
        )
        hashes.add(row[0])
    equal(len(hashes), 2, "different hashes")


OLD_PASSWORD = "271828182845904523536028"  # noqa: S105 (of accounts that live for seconds)
OLD_HASH = (
    "$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg"
    "$th3pjcjIXzEu72KV9DhFEN1LNd2fFgsSvmMmpBhYie0"
)


@check(4, "A hash of older parameters is made anew at log-in", "ASVS 11.2.2, 11.4.2")
def password_rehashed(app: Target) -> None:
    email = app.account()["email"]
    move = "UPDATE users SET password_hash = ? WHERE email_normalized = ?"
    app.operator.sql(move, OLD_HASH, email)
    app.anonymous.post(LOGIN, {"email": email, "password": "wrong"}).expect(401)
    ask = "SELECT password_hash FROM users WHERE email_normalized = ?"
    equal(app.operator.sql(ask, email)[0][0], OLD_HASH, "hash after a wrong password")
    for _ in "twice":
        app.enter(email, OLD_PASSWORD)
    found = str(app.operator.sql(ask, email)[0][0]).split("$")[:4]
    equal(found, ["", "argon2id", "v=19", "m=19456,t=2,p=1"], "PHC string")
