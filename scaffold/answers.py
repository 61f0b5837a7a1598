"""Answers from everywhere: a file, `--set`, and flags; the later wins."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from scaffold.errors import AnswersUnusable, InvalidAnswer, UnknownAnswer
from scaffold.options import NAME
from scaffold.stacks import stacks

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RECORD = ".scaffold.json"
STACK = "stack"
# `.scaffold.json` holds it; answers of another version are still answers.
VERSION = "template_version"


def gather(path: str | None, pairs: Iterable[str], flags: Mapping[str, Any]) -> dict[str, str]:
    """Every answer that was given, `stack` among them; the rest has defaults."""
    found = from_file(path) if path else {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidAnswer("pair", pair, "give KEY=VALUE", option="--set")
        found[_key(key, "--set")] = value
    known = _known()
    found |= {key: value for key, value in flags.items() if key in known and value is not None}
    if STACK in found and found[STACK] not in stacks():
        reason = f"choose from {', '.join(stacks())}"
        raise InvalidAnswer(STACK, found[STACK], reason, option="--stack")
    return found


def from_file(path: str) -> dict[str, str]:
    """Answers from TOML or JSON, flat or as a project's own file keeps them; `-` is stdin."""
    document = _parsed(path, _text(path))
    if isinstance(document.get("answers"), dict):
        document = {**document, **document["answers"]}
        del document["answers"]
    document.pop(VERSION, None)
    for key, value in document.items():
        if not isinstance(value, str):
            raise AnswersUnusable(path, f"{key} is not text")
    return {_key(key, "--answers"): value for key, value in document.items()}


def _text(path: str) -> str:
    if path == "-":
        return sys.stdin.read()
    # Its directory will do as well.
    place = os.path.join(path, RECORD) if os.path.isdir(path) else path
    try:
        with open(place, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise AnswersUnusable(path, error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise AnswersUnusable(path, "it is not UTF-8 text") from error


def _parsed(path: str, text: str) -> dict[str, Any]:
    # Late: few runs need them.
    import json
    import tomllib

    try:
        is_json = path.endswith(".json") or text.lstrip().startswith("{")
        document = json.loads(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswersUnusable(path, str(error)) from error
    if not isinstance(document, dict):
        raise AnswersUnusable(path, "it holds no keys")
    return document


def _known() -> list[str]:
    return [STACK, *(option.name for option in next(iter(stacks().values())).options)]


def _key(key: str, where: str) -> str:
    plain = key.strip().replace("-", "_")
    plain = NAME if plain == "name" else plain
    known = _known()
    if plain not in known:
        raise UnknownAnswer(key, where, known, _near(plain, known))
    return plain


def _near(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    # Late: only mistakes need it.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1)), "")
