"""What is stored sealed: AES-256-GCM under the app's secret keys."""

import base64
import secrets
from functools import cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app import config

_NONCE_BYTES = 12


class Unsealed(NamedTuple):
    plain: bytes
    # Sealed with a key that is no longer the first.
    is_outdated: bool


@cache
def _cipher(key: bytes, purpose: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(key))


def seal(plain: bytes, purpose: str, owner: str) -> str:
    """Encrypt for a purpose and for the row of `owner`; nowhere else will it open."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    cipher = _cipher(config.current().secret_keys[0], purpose)
    sealed = nonce + cipher.encrypt(nonce, plain, owner.encode())
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(sealed: str, purpose: str, owner: str) -> Unsealed | None:
    """Open with whichever key fits; None when none does."""
    data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    nonce, rest = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
    for number, key in enumerate(config.current().secret_keys):
        try:
            plain = _cipher(key, purpose).decrypt(nonce, rest, owner.encode())
        except (InvalidTag, ValueError):
            continue
        return Unsealed(plain, is_outdated=number > 0)
    return None
