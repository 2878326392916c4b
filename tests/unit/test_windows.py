# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sync windows are closed: what CanSync and Matches of Argo CD v3.6.1 have answered, and how it is said."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.windows import closing

# Some written by hand, some at random. `automated` and `manual` are what Argo CD's code lets begin at that time.
CASES = json.loads((Path(__file__).parent / "fixtures" / "sync_windows.json").read_text())
NOW = "2026-11-28T22:30:00Z"


def said(windows, at=NOW, destination=None):
    application = {"metadata": {"name": "web-a"}, "spec": {"destination": destination or {"namespace": "shop"}}}
    return closing(windows, application, datetime.fromisoformat(at))


@pytest.mark.parametrize("case", CASES, ids=lambda case: json.dumps(case["windows"]))
def test_a_sync_may_begin_when_argo_cd_lets_it_begin(case):
    text = said(case["windows"], case["at"], case["destination"])
    by_hand = not text or text.endswith("; a sync by hand may begin")
    invalid = text.endswith(": schedule or duration is not valid")
    assert (not text, by_hand, invalid) == (case["automated"], case["manual"], case["invalid"]), text


def test_only_the_windows_that_count_are_named():
    deny = {"kind": "deny", "schedule": "0 22 * * *", "duration": "1h", "applications": ["*"]}
    allow = deny | {"kind": "allow", "schedule": "0 7 * * 1", "timeZone": "Asia/Tokyo"}
    tonight = deny | {"schedule": "0 23 * * *"}
    assert said([tonight, allow | {"schedule": "0 7 * * 0"}]) == ""
    assert said([tonight, deny, allow]) == "deny 0 22 * * * for 1h, UTC"
    assert said([tonight, allow]) == "allow 0 7 * * 1 for 1h, Asia/Tokyo"
    assert said([deny | {"manualSync": True}]) == "deny 0 22 * * * for 1h, UTC; a sync by hand may begin"
    assert said([allow, deny | {"schedule": "@daily"}]) == (
        "deny @daily for 1h, UTC: schedule or duration is not valid"
    )
