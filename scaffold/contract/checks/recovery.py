"""Chapter 4: recovery codes: for the day the device is lost."""

from __future__ import annotations

import hashlib
from collections import Counter

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.guessing import TRIES, blocked
from scaffold.contract.checks.secondfactor import guarded, login
from scaffold.contract.target import Target, together
from scaffold.contract.totp import code


@check(4, "Each recovery code logs in once", "ASVS 6.5.1")
def recovery_once(app: Target) -> None:
    found = guarded(app)
    for word in (found.recovery[0], found.recovery[9]):
        login(app, found.person, word).expect(200)
        login(app, found.person, word).problem("invalid-credentials")
    login(app, found.person, code(found.secret)).expect(200)


@check(4, "Hyphens, blanks and case of a recovery code do not matter")
def recovery_spelling(app: Target) -> None:
    found = guarded(app)
    one, two, three, four = found.recovery[:4]
    for word in (
        one.upper(),
        two.replace("-", ""),
        three.replace("-", " "),
        f" {four.capitalize()} ",
    ):
        login(app, found.person, word).expect(200)
    for word in (one, two.replace("-", " ")):
        login(app, found.person, word).problem("invalid-credentials")


@check(4, "Of parallel log-ins with one recovery code one succeeds", "ASVS 2.3.4, 6.5.1")
def recovery_parallel(app: Target) -> None:
    found = guarded(app)
    answers = together([lambda: login(app, found.person, found.recovery[0])] * 24)
    statuses = Counter(answer.status for answer in answers)
    equal((statuses[200], set(statuses) - {200, 401, 429}), (1, set()), f"answers {statuses}")


@check(4, "A recovery code is its owner's alone", "ASVS 6.5.1")
def recovery_stranger(app: Target) -> None:
    one, two = guarded(app), guarded(app)
    login(app, one.person, two.recovery[0]).problem("invalid-credentials")
    login(app, two.person, two.recovery[0]).expect(200)


@check(4, "Guessing recovery codes counts", "ASVS 6.3.1")
def recovery_guesses(app: Target) -> None:
    found = guarded(app)
    for number in range(TRIES):
        word = f"aaaaaa-bbbbbb-cccccc-ddddd{number + 2}"
        login(app, found.person, word).problem("invalid-credentials")
    blocked(login(app, found.person, found.recovery[0]))


@check(4, "A piece of a recovery code is no code")
def recovery_whole(app: Target) -> None:
    found = guarded(app)
    word = found.recovery[0]
    for part in (word[:-1], word[:6], f"{word}a", word.replace(word[0], "1", 1)):
        login(app, found.person, part).problem("invalid-credentials")
    login(app, found.person, word).expect(200)


@check(4, "The database keeps only the hashes of recovery codes", "ASVS 6.5.2")
def recovery_hashed(app: Target) -> None:
    found = guarded(app)
    ask = "SELECT code_hash FROM recovery_codes WHERE user_id = ?"
    rows = {str(row[0]) for row in app.operator.sql(ask, found.person.id)}
    plain = [word.replace("-", "") for word in found.recovery]
    equal(rows, {hashlib.sha256(word.encode()).hexdigest() for word in plain}, "stored")
    true(not rows & {*plain, *found.recovery}, "a code as it is")
