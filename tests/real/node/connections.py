# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect from the network namespace of a pod, whatever programs its image has.

A socket belongs to the network namespace in which it was opened, so a thread enters the namespace for this alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
# What a connection ends with that nobody answers, or that a policy refuses. Everything else is a fault of the test.
REFUSED = (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ETIMEDOUT)
_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: int) -> None:
    if getattr(_libc, function)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def open_namespace() -> int:
    """Return a file descriptor of the network namespace of this thread."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_namespace() -> int:
    """Return a file descriptor of a new network namespace; the namespace ends with it."""
    own = open_namespace()
    try:
        _call("unshare", CLONE_NEWNET)
        new = open_namespace()
        _call("setns", own, CLONE_NEWNET)
    finally:
        os.close(own)
    return new


@contextlib.contextmanager
def inside(namespace: int | Path) -> Iterator[None]:
    """Let this thread, and the processes that it starts, be in a network namespace."""
    own = open_namespace()
    target = namespace if isinstance(namespace, int) else os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", target, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", own, CLONE_NEWNET)
    finally:
        os.close(own)
        if not isinstance(namespace, int):
            os.close(target)


def has_address(namespace: Path, address: str) -> bool:
    """Return whether an address is one of a network namespace."""
    # The name of a namespace whose pod is about to end is a plain file.
    with contextlib.suppress(OSError), inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return True
    return False


def namespace_of(address: str) -> Path:
    """Return the network namespace of the pod with this address."""
    for namespace in NAMESPACES.glob("cni-*"):
        if has_address(namespace, address):
            return namespace
    raise LookupError(f"No pod on this node has the address {address}.")


def ask(
    namespace: int | Path, address: str, port: int, protocol: str = "TCP", *, say: bytes = b"", seconds: float = 0.5
) -> bytes:
    """Connect, say something and return the first part of the answer, which is empty when nobody answers."""
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    with inside(namespace):
        connection = socket.socket(socket.AF_INET, kind)
    with connection:
        connection.settimeout(seconds)
        try:
            connection.connect((address, port))
            connection.send(say)
            return connection.recv(65536)
        except OSError as error:
            if isinstance(error, TimeoutError) or error.errno in REFUSED:
                return b""
            raise
