"""Passwords: what is accepted and how it is kept."""

import os
import secrets
import threading
import unicodedata
from base64 import b64encode
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from app.validation import invalid

_DATA = Path(__file__).parent.parent / "data"
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
# Right for no password, and verified in the same time as a real one.
_NOBODYS = f"$argon2id$v=19$m={19 * 1024},t=2,p=1$" + "$".join(
    b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32)
)
# More at once would only take memory from each other.
_cores = threading.BoundedSemaphore(os.cpu_count() or 1)


@cache
def _common() -> frozenset[str]:
    return frozenset((_DATA / "passwords.txt").read_text("utf-8").split())


def check_strength(password: str) -> None:
    """Refuse a password that is easy to guess for anybody."""
    plain = unicodedata.normalize("NFKC", password)
    if not 12 <= len(plain) <= 128:
        raise invalid("#/password", "must have between 12 and 128 characters")
    if plain.lower() in _common():
        raise invalid("#/password", "is too common")


def check_personal(password: str, email: str, name: str) -> None:
    """Refuse a password that is easy to guess for this person."""
    folded = unicodedata.normalize("NFKC", password).lower()
    if _contains(folded, email.lower()) or _contains(folded, name.lower()):
        raise invalid("#/password", "must not contain the address or the name")


def _contains(password: str, word: str) -> bool:
    """Look for a word of three characters or more, or for the local part of an address."""
    words = [unicodedata.normalize("NFKC", part) for part in (word, word.partition("@")[0])]
    return any(len(each) >= 3 and each in password for each in words)


def hash_password(password: str) -> str:
    with _cores:
        return _hasher.hash(unicodedata.normalize("NFKC", password))


def verify(stored: str | None, password: str) -> bool:
    """Compare in the same time whether there is a stored hash or not."""
    plain = unicodedata.normalize("NFKC", password)
    target = stored or _NOBODYS
    with _cores:
        try:
            return _hasher.verify(target, plain) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    return _hasher.check_needs_rehash(stored)
