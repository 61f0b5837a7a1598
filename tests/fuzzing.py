"""Who asks when schemathesis does: an admin, and another one when that session is over."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

from scaffold.contract.client import Client
from scaffold.contract.target import API, fresh_email, fresh_password


@schemathesis.auth(refresh_interval=1)
class Somebody:
    """A session that works; fuzzing logs out, ends sessions and is locked out for guessing."""

    token = ""

    def get(self, _case: Any, _context: Any) -> str:
        client = Client(os.environ["FUZZ_URL"])
        alive = self.token and Client(client.base, self.token).get(f"{API}/users/me").status == 200
        if not alive:
            login = {"email": fresh_email(), "password": fresh_password()}
            client.post(f"{API}/auth/register", login | {"name": "Fuzz"}).expect(202)
            found = client.post(f"{API}/auth/login", login).expect(200).json()
            promoter = Client(client.base, os.environ["FUZZ_ADMIN"])
            path = f"{API}/users/{found['user']['id']}"
            # In vain once an admin among those before her has demoted the promoter.
            promoter.patch(path, {"role": "admin"})
            self.token = found["token"]
        return self.token

    def set(self, case: Any, data: str, _context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
