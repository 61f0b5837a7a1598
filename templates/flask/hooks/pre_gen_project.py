"""Refuse answers that would not make a working project."""

import json
import re
import sys

cookiecutter = json.loads(r"""{{ cookiecutter | tojson }}""")

for option, rule in cookiecutter["_validation"].items():
    answer = cookiecutter[option]
    if not re.fullmatch(rule["pattern"], answer) or len(answer) > rule["length"]:
        sys.exit(f"The {option} {answer!r} cannot be used: {rule['hint']}.")
    for owner, names in rule.get("reserved", {}).items():
        if answer in names:
            sys.exit(f"The {option} {answer!r} is reserved ({owner}): choose another.")
