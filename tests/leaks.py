# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the values of Secrets are to be found: in no file but those that keep them."""

from __future__ import annotations

import base64
import contextlib
import re
import stat
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LENGTH = 12  # what is shorter occurs by chance
# Keys of Secrets that are public by nature, each with the reason.
PUBLIC = {
    "access-key": "the name of the bucket is also the name of its user",
    "admin.passwordMtime": "the time of a change",
    "ca.crt": "a certificate, which every client gets",
    "dbname": "the name of a database",
    "host": "the name of a Service",
    "tls.crt": "a certificate, which every client gets",
    "url": "the address of a repository",
    "user.crt": "a certificate, which every server gets",
    "username": "the name of a user",
}
PASSWORD = re.compile(r"password=\"?([^&\";\s]+)")
POLL_SECONDS = 0.05


def values_of(secrets: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return what must be nowhere, as it would be written, with the Secret and the key that it comes from."""
    found = {}
    for secret in secrets:
        metadata = secret["metadata"]
        for key, encoded in (secret.get("data") or {}).items():
            for part in parts(base64.b64decode(encoded).decode(errors="replace"), key in PUBLIC):
                name = f"{metadata['namespace']}/{metadata['name']} {key}"
                found |= dict.fromkeys(written(part), name)
    return found


def parts(value: str, public: bool = False) -> Iterator[str]:
    """Yield the lines of a value that are long enough; of a URI and of a connection's settings the password only."""
    for line in value.splitlines():
        secret = password_of(line) or ("" if public else line)
        if len(secret) >= LENGTH and not secret.startswith("-----"):
            yield secret


def password_of(text: str) -> str:
    """Return the password in a URI or in settings such as those of JDBC and JAAS, or nothing."""
    with contextlib.suppress(ValueError):
        if "://" in text and (password := urlsplit(text).password):
            return password
    found = PASSWORD.search(text)
    return found[1] if found else ""


def written(text: str) -> Iterator[str]:
    """Yield a text as it is, and as it is in Base64, alone or anywhere in a longer text."""
    yield text
    for before in range(3):
        # The first and the last characters also depend on what is beside the text.
        inner = base64.b64encode(b" " * before + text.encode()).decode().rstrip("=")
        yield inner[(0, 2, 3)[before] : len(inner) - 1]


def leaks(values: dict[str, str], folder: Path, places: Iterable[Path], *leave_out: str) -> list[str]:
    """Return which value is in which file below some places, without the value itself."""
    patterns = folder / "patterns"
    patterns.touch(mode=0o600)
    patterns.write_text("\n".join(values))
    excluded = [f"--exclude-dir={name}" for name in leave_out]
    command = ["grep", "-rasoF", "--null", "--exclude=patterns", *excluded, "-f", patterns, *places]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    patterns.unlink()
    found = (line.partition("\0") for line in done.stdout.splitlines())
    return sorted({f"{path}: {values[value]}" for path, _sep, value in found})


def read_by_others(root: Path) -> Iterator[Path]:
    """Yield the files below a folder that everybody may read, because all folders on the way let everybody in."""
    with contextlib.suppress(OSError):  # it may be removed meanwhile
        for path in root.iterdir():
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode) and mode & stat.S_IXOTH:
                yield from read_by_others(path)
            elif stat.S_ISREG(mode) and mode & stat.S_IROTH:
                yield path


class Onlooker(threading.Thread):
    """Copies, while something runs, every file in a folder for temporary files that others may read."""

    def __init__(self, watched: Path, copies: Path) -> None:
        super().__init__(daemon=True)
        self.watched, self.copies, self.ended = watched, copies, threading.Event()
        self.seen: dict[Path, tuple[int, int]] = {}
        for folder in (watched, copies):
            folder.mkdir(parents=True)
        watched.chmod(0o1777)

    def run(self) -> None:
        """Look again and again."""
        while not self.ended.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """Copy what is new or has changed."""
        for path in read_by_others(self.watched):
            with contextlib.suppress(OSError):
                state = path.stat()
                if self.seen.get(path) != (version := (state.st_mtime_ns, state.st_size)):
                    (self.copies / f"{len(self.seen)}-{state.st_mtime_ns}-{path.name}").write_bytes(path.read_bytes())
                    self.seen[path] = version

    def __enter__(self) -> Onlooker:
        self.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self.ended.set()
        self.join()
