"""Keep the files of the chosen answers and remove those of the others."""

import json
import shutil
from pathlib import Path

cookiecutter = json.loads(r"""{{ cookiecutter | tojson }}""")

for option, answers in cookiecutter["_features"].items():
    for answer, entries in answers.items():
        for entry in entries:
            source, _, target = entry.partition(" -> ")
            path = Path(source)
            if not path.exists():
                continue
            if answer == cookiecutter[option]:
                path.replace(target or source)
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            for parent in path.parents[:-1]:
                if not any(parent.iterdir()):
                    parent.rmdir()
