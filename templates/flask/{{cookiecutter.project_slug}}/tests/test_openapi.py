"""The document and the code agree."""

import re

import yaml
from flask import Flask

from tests.database import ROOT
from tests.person import Person

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_the_document_is_fresh(anyone: Person) -> None:
    answer = anyone.get("/openapi.json")
    assert answer.status == 200
    written = yaml.safe_load((ROOT / "openapi.yaml").read_text("utf-8"))
    assert answer.body == written, "run `make openapi`"


def test_every_route_is_documented(app: Flask, anyone: Person) -> None:
    served = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in METHODS & (rule.methods or set())
        if rule.rule.startswith("/api/")
    }
    documented = {
        (method.upper(), path)
        for path, operations in anyone.get("/openapi.json").body["paths"].items()
        for method in operations
        if path.startswith("/api/")
    }
    assert served
    assert served == documented
