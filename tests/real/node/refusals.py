# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name the connections that policies refused, by what the kernel logs to a group of NFLOG."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LOG_GROUP = 101  # of policies.py
# Of linux/netfilter/nfnetlink_log.h. A type has the number of the subsystem in its upper byte.
NETLINK_NETFILTER = 12
CONFIG, PACKET = 4 << 8 | 1, 4 << 8 | 0
CFG_CMD, CFG_MODE, CFG_QTHRESH = 1, 2, 5
BIND, COPY_PACKET = 1, 2
PAYLOAD, PREFIX = 9, 10
REQUEST, ACK = 1, 4
ERROR = 2
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
BUFFER_BYTES = 8 << 20
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Refusal:
    """A connection that was refused: names of pods where they are known, else addresses."""

    protocol: str
    source: str
    target: str
    port: int
    direction: str  # of the policy that refused it, where it is known

    def __str__(self) -> str:
        return f"{self.protocol} {self.source} -> {self.target}" + (f" {self.port}" if self.port else "")


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the attributes of a message; each begins at a multiple of four."""
    while len(data) >= 4:
        length, number = struct.unpack_from("=HH", data)
        yield number & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def attribute(number: int, content: bytes) -> bytes:
    """Return one attribute of a message."""
    padding = b"\0" * (-len(content) % 4)
    return struct.pack("=HH", 4 + len(content), number) + content + padding


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the messages in an answer of the kernel."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def read(content: bytes, names: Mapping[str, str]) -> Refusal:
    """Return what a logged packet was about."""
    found = dict(attributes(content[4:]))
    packet = found[PAYLOAD]
    number, (source, target) = packet[9], (socket.inet_ntoa(packet[place : place + 4]) for place in (12, 16))
    protocol = PROTOCOLS.get(number, f"protocol {number}")
    begin = (packet[0] & 15) * 4
    port = struct.unpack_from("!H", packet, begin + 2)[0] if number in PROTOCOLS else 0
    direction = found.get(PREFIX, b"").rstrip(b"\0").decode()
    return Refusal(protocol, names.get(source, source), names.get(target, target), port, direction)


class Refusals:
    """Collects what is refused in the network namespace of the thread that enters this, until the context ends.

    A packet is logged before it is answered, so what `ask` was refused is in `seen` when it returns.
    """

    def __init__(self, names: Mapping[str, str], group: int = LOG_GROUP) -> None:
        self.names, self.group = names, group
        self._found: list[Refusal] = []
        self._lost = False
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Refusals:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, BUFFER_BYTES)  # SO_RCVBUFFORCE, which Python does not name
        self._configure(CFG_CMD, struct.pack("=B", BIND))
        self._configure(CFG_MODE, struct.pack("!IBB", 128, COPY_PACKET, 0))
        self._configure(CFG_QTHRESH, struct.pack("!I", 1))  # each packet at once
        self._socket.setblocking(False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._collect()
        self._socket.close()

    def _configure(self, number: int, content: bytes) -> None:
        body = struct.pack("!BBH", 0, 0, self.group) + attribute(number, content)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), CONFIG, REQUEST | ACK, 0, 0) + body)
        for kind, answer in messages(self._socket.recv(65536)):
            code = struct.unpack_from("=i", answer)[0] if kind == ERROR else 0
            if code:
                raise OSError(-code, f"The kernel does not log group {self.group}: {errno.errorcode[-code]}")

    def _follow(self) -> None:
        while not self._stopped.is_set():
            if select.select([self._socket], [], [], POLL_SECONDS)[0]:
                self._collect()

    def _collect(self) -> None:
        """Read what is there; names are looked up now, since a later pod may get the same address."""
        with self._lock, contextlib.suppress(BlockingIOError):
            while True:
                try:
                    data = self._socket.recv(1 << 20)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    self._lost = True
                    continue
                self._found += [read(content, self.names) for kind, content in messages(data) if kind == PACKET]

    def seen(self) -> list[Refusal]:
        """Return what was refused until now, each once, in the order of the first time."""
        if not self._stopped.is_set():
            self._collect()
        if self._lost:
            raise RuntimeError("More was refused than the buffer could hold: the list is not complete.")
        return list(dict.fromkeys(self._found))

    def forget(self) -> None:
        """Begin again with an empty list."""
        self._collect()
        self._found.clear()
