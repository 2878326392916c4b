# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, keys and kubeconfigs of a node."""

from __future__ import annotations

import base64
import datetime
from ipaddress import ip_address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=7)
# name: (common name, organization) of those who have a kubeconfig
USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
}


class Authority:
    """A certificate authority that writes what it signs into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = subject("gitops-real-node", "")
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self.certificate = self._sign(
            self.name, self.key, [(x509.BasicConstraints(ca=True, path_length=None), True), (usage, True)]
        )
        write_key(folder / "ca.key", self.key)
        (folder / "ca.crt").write_bytes(self.certificate)

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extensions: list[tuple[x509.ExtensionType, bool]]
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + LIFETIME)
        )
        # Newer versions of Python want both.
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        for extension, critical in [*extensions, (issuer, False), (own, False)]:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, file: str, common_name: str, organization: str = "", hosts: tuple[str, ...] = ()) -> None:
        """Write a key and its certificate, for a client and, with hosts, for a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage(usages), False)]
        if hosts:
            extensions.append((x509.SubjectAlternativeName([general_name(host) for host in hosts]), False))
        write_key(self.folder / f"{file}.key", key)
        (self.folder / f"{file}.crt").write_bytes(self._sign(subject(common_name, organization), key, extensions))

    def kubeconfig(self, user: str, server: str) -> None:
        """Write a kubeconfig with the certificate of a user."""
        data = {part: encoded((self.folder / f"{user}.{part}").read_bytes()) for part in ("crt", "key")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "real", "cluster": {"server": server, "certificate-authority-data": encoded(self.certificate)}}
            ],
            "users": [{"name": user, "user": {"client-certificate-data": data["crt"], "client-key-data": data["key"]}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": user}}],
            "current-context": "real",
        }
        path = self.folder / f"{user}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))


def create(folder: Path, server: str, node: str, hosts: tuple[str, ...], node_hosts: tuple[str, ...]) -> None:
    """Write everything that the processes of a node show each other; `server` is the URL of the API server."""
    folder.mkdir(mode=0o700)
    authority = Authority(folder)
    authority.issue("apiserver", "kube-apiserver", hosts=hosts)
    authority.issue("front-proxy", "front-proxy")
    authority.issue("kubelet", f"system:node:{node}", "system:nodes", node_hosts)
    for user, (name, organization) in USERS.items():
        authority.issue(user, name, organization)
    for user in (*USERS, "kubelet"):
        authority.kubeconfig(user, server)
    key = ec.generate_private_key(ec.SECP256R1())  # of the tokens of ServiceAccounts
    write_key(folder / "sa.key", key)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "sa.pub").write_bytes(public)


def subject(common_name: str, organization: str) -> x509.Name:
    """Return a name; Kubernetes takes the user from the common name and the group from the organization."""
    parts = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts if value])


def general_name(host: str) -> x509.GeneralName:
    """Return a host name or an address for a certificate."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key that nobody else can read."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


def encoded(content: bytes) -> str:
    """Return content as a kubeconfig has it."""
    return base64.b64encode(content).decode()
