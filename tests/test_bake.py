"""Every variant renders, and what it renders is clean in its own eyes."""

from __future__ import annotations

from pathlib import Path

import pytest
from boots import baked
from environments import base_environment
from trees import EVERY, rendered

from scaffold.variants import Variant, variant

CI_FILES = {".scaffold.json", ".gitlab-ci.yml", "renovate.json"}


def code(variant: Variant, target: Path) -> dict[str, bytes]:
    """What the choice of a CI service must not change."""
    files = rendered(variant, target)
    return {
        name: data
        for name, data in files.items()
        if name not in CI_FILES and not name.startswith(".github/") and not name.endswith(".md")
    }


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.id)
def test_variant_is_what_was_booted(found: Variant, tmp_path: Path) -> None:
    """Its code is that of the variant whose checks and boots stand for it."""
    stand_in = variant(found.stack, database=found.answers["database"])
    assert code(found, tmp_path / "a") == code(stand_in, tmp_path / "b")


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.id)
def test_variant_lints_clean(found: Variant) -> None:
    with baked(found) as project:
        done = project.make("lint", env=base_environment())
        assert done.returncode == 0, done.stdout + done.stderr
