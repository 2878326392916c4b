# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Argo CD 3.6.1 wrote, recorded by tests/integration/test_streams.py, is a path of the model."""

from __future__ import annotations

import json

import pytest

from . import paths
from .paths import STREAMS, reached
from .world import Setting

NAMES = sorted(path.stem for path in STREAMS.glob("*.json"))


def recorded(name):
    return json.loads((STREAMS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_stream_is_a_path_of_the_model(name):
    stream = recorded(name)
    done = reached(stream, Setting(generated=name.endswith("_generated")))
    assert done == len(stream), f"the model cannot write {stream[done]} after {stream[:done]}"


def test_what_argo_cd_does_not_do_is_no_path_of_the_model():
    """A status that is in order before the operation begins, and an answer before the comparison was written."""
    stream = recorded("pushed")
    asked = next(number for number, entry in enumerate(stream) if entry.get("do") == "refresh")
    before, after = stream[asked + 1]["version"], stream[-1]["version"]
    early = [*stream[: asked + 2], {"version": before | {"revision": after["revision"]}}]
    assert reached(early, Setting()) == asked + 2
    answered = {key: value for key, value in before.items() if key not in ("refresh", "stamp")}
    assert reached([*stream[: asked + 2], {"version": answered}], Setting()) == asked + 2


def test_a_retry_before_its_time_and_a_new_sync_of_what_failed_are_no_paths_of_the_model(monkeypatch):
    """See processRequestedAppOperation and autoSync in controller/appcontroller.go at v3.6.1."""
    monkeypatch.setattr(paths, "COURSES", 500)  # all that there are would take long
    stream = recorded("rejected")
    paused = next(number for number, entry in enumerate(stream) if "between attempts" in entry.get("version", {}))
    tried, retry = stream[: paused + 1], stream[paused + 1]
    assert reached([*tried, retry], Setting()) == len(tried) + 1
    assert reached([*tried, retry | {"second": tried[-1]["second"] - 1}], Setting()) == len(tried)
    failed = stream[:-1]
    begun = {key: failed[-1]["version"][key] for key in ("revision", "sync", "health")} | {"operation": True}
    assert reached([*failed, stream[-1] | {"version": begun}], Setting()) == len(failed)
