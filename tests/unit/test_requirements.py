# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements of a release: exact versions with the hashes of their files."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASE = (ROOT / "requirements-release.txt").read_text()
PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def test_what_the_collection_imports_is_in_a_release_at_a_version_that_fits():
    pinned = {name.lower(): version for name, version, _hashes in PINNED.findall(RELEASE)}
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    wanted = [Requirement(line) for line in lines if line]
    assert wanted
    assert [str(entry) for entry in wanted if pinned.get(entry.name.lower(), "0") not in entry.specifier] == []


def test_every_line_of_a_release_is_a_version_with_hashes_and_no_address():
    rest = [line for line in PINNED.sub("", RELEASE).splitlines() if line and not line.startswith("#")]
    assert rest == []
    assert "://" not in RELEASE
