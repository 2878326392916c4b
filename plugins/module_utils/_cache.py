# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the user's cache stays small: whatever is missing there is created again.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths

# How many of the most recently used entries are kept: built overlays (about a megabyte each), private clones, manifests
# rendered for Argo CD, one for each inventory, and official manifests.
KEPT = {_paths.BUILDS: 200, _paths.CLONES: 50, _paths.INSTALL: 50, _paths.DOWNLOADS: 100}
# Another run may be using an entry, and an interrupted build leaves one behind.
DAY = 24 * 3600
# On a day with very many runs even what was used today goes, but not what a run may still need.
MOST, HOURS = 2, 2 * 3600


def use(entry: Path) -> None:
    """Record that an entry is used; ignore a missing one."""
    with contextlib.suppress(OSError):
        os.utime(entry)


def prune(name: str) -> None:
    """Remove what was not used for a day: all leftovers, and the entries beyond the number to keep.

    Twice this number is the most there can be of what was not used in the last two hours.
    """
    entries: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        entries = sorted(((path.stat().st_mtime, path) for path in _paths.cache_folder(name).iterdir()), reverse=True)
    complete = [entry for entry in entries if not entry[1].name.startswith(".")]
    leftovers = [entry for entry in entries if entry[1].name.startswith(".")]
    kept, most = KEPT[name], MOST * KEPT[name]
    removable = [(DAY, complete[kept:most]), (HOURS, complete[most:]), (DAY, leftovers)]
    for age, found in removable:
        for used, path in found:
            if time.time() - used > age:
                remove(path)


def remove(path: Path) -> None:
    """Remove an entry in one step, so that no run finds half of it; another run may be doing the same."""
    gone = path.with_name(f".gone-{os.getpid()}-{path.name}")
    with contextlib.suppress(OSError):
        path.rename(gone)
        if gone.is_dir():
            shutil.rmtree(gone)
        else:
            gone.unlink()
