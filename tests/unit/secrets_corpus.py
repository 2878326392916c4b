# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up credentials in manifests, and manifests that look as if they had some.

None of them is a real one. They are put together here, so that no scanner of a repository takes this file for a leak.
"""

from __future__ import annotations

import base64
import json
import random
import string
from typing import Any

Manifest = dict[str, Any]

CHANCE = random.Random(20261128)
MADE: list[str] = []
ALNUM = string.ascii_letters + string.digits
URLSAFE = f"{ALNUM}_-"
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits


def some(number: int, letters: str = ALNUM) -> str:
    """Return so many letters by chance, the same ones each time."""
    MADE.append("".join(CHANCE.choices(letters, k=number)))
    return MADE[-1]


def encoded(text: str) -> str:
    """Return a text in Base64."""
    return base64.b64encode(text.encode()).decode()


def pem(algorithm: str, end: str = "") -> str:
    """Return what looks like a private key."""
    words = f"{algorithm}PRIVATE{' '}KEY{end}-----"
    return f"-----BEGIN {words}\n{some(64)}\n{some(64)}\n-----END {words}\n"


def jwt() -> str:
    """Return what looks like a JSON Web Token."""
    parts = (json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": some(12)}))
    return ".".join([*(encoded(part).rstrip("=") for part in parts), some(43, URLSAFE)])


def config(key: str, value: str) -> Manifest:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {key: value}}


def workload(name: str, value: str) -> Manifest:
    """Return a Deployment with an environment variable."""
    container = {"name": "web", "image": "web:1", "env": [{"name": name, "value": value}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def custom(**spec: Any) -> Manifest:
    """Return a custom resource."""
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": spec}


# In a variable or a key whose name says nothing.
BY_FORM = {
    "GitHub, personal": f"gh{'p_'}{some(36)}",
    "GitHub, app": f"gh{'s_'}{some(36)}",
    "GitHub, OAuth": f"gh{'o_'}{some(36)}",
    "GitHub, fine-grained": f"github{'_pat_'}{some(22)}_{some(59)}",
    "GitLab, personal": f"gl{'pat-'}{some(20, URLSAFE)}",
    "GitLab, deploy": f"gl{'dt-'}{some(20, URLSAFE)}",
    "GitLab, runner": f"gl{'rt-'}{some(20, URLSAFE)}",
    "GitLab, agent": f"gl{'agent-'}{some(50, URLSAFE)}",
    "GitLab, feed": f"gl{'ft-'}{some(20, URLSAFE)}",
    "AWS, access key": f"AK{'IA'}{some(16, UPPER)}",
    "AWS, temporary access key": f"AS{'IA'}{some(16, UPPER)}",
    "Slack, bot": f"xox{'b-'}{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}",
    "Slack, app": f"xapp{'-1-'}A{some(10, UPPER)}-{some(13, string.digits)}-{some(64, HEX)}",
    "Slack, webhook": f"https://hooks.slack{'.com/services/'}T{some(8, UPPER)}/B{some(8, UPPER)}/{some(24)}",
    "Discord, webhook": f"https://discord{'.com/api/webhooks/'}{some(18, string.digits)}/{some(68, URLSAFE)}",
    "Google, API key": f"AI{'za'}{some(35)}",
    "Google, client secret": f"GOC{'SPX-'}{some(28)}",
    "Stripe, secret key": f"sk{'_live_'}{some(24)}",
    "Stripe, restricted key": f"rk{'_live_'}{some(24)}",
    "Stripe, webhook": f"wh{'sec_'}{some(32)}",
    "SendGrid": f"SG{'.'}{some(22)}.{some(43)}",
    "Mailchimp": f"{some(32, HEX)}{'-us'}12",
    "Mailgun": f"key{'-'}{some(32, HEX)}",
    "npm": f"npm{'_'}{some(36)}",
    "PyPI": f"pypi{'-AgEIcHlwaS5vcmc'}{some(80)}",
    "Docker Hub": f"dckr{'_pat_'}{some(27)}",
    "OpenAI": f"sk{'-proj-'}{some(24)}T3Blbk{'FJ'}{some(20)}",
    "Anthropic": f"sk{'-ant-'}api03-{some(93)}",
    "Hugging Face": f"hf{'_'}{some(34, string.ascii_letters)}",
    "Azure, storage": f"DefaultEndpointsProtocol=https;AccountName=shop;Account{'Key='}{some(86)}==;EndpointSuffix=x",
    "Azure, client secret": f"{some(3)}8{'Q~'}{some(33)}",
    "DigitalOcean": f"dop{'_v1_'}{some(64, HEX)}",
    "Vault, service": f"hv{'s.'}{some(28)}",
    "Terraform": f"{some(14)}{'.atlasv1.'}{some(67)}",
    "Telegram": f"{some(9, '123456789')}{':AA'}{some(33)}",
    "Grafana": f"gl{'sa_'}{some(32)}_{some(8, HEX)}",
    "New Relic": f"NR{'AK-'}{some(27, UPPER)}",
    "Databricks": f"da{'pi'}{some(32, HEX)}",
    "Shopify": f"shp{'at_'}{some(32, HEX)}",
    "Square": f"sq0{'csp-'}{some(43)}",
    "Artifactory": f"AK{'Cp8'}{some(68)}",
    "age": f"AGE-SECRET{'-KEY-1'}{some(58, UPPER)}",
    "JSON Web Token": jwt(),
    "private key": pem(""),
    "private key, RSA": pem("RSA "),
    "private key, EC": pem("EC "),
    "private key, OpenSSH": pem("OPENSSH "),
    "private key, encrypted": pem("ENCRYPTED "),
    "private key, PGP": pem("PGP ", " BLOCK"),
    "URL, encoded": f"postgresql://shop:{some(12)}@db:5432/shop",
    "URL, unencoded": f"amqp://shop:{some(5)}/{some(3)}#{some(4)}@queue:5672",
    "URL, without a user": f"redis://:{some(14)}@redis:6379/0",
}
# What the name of a variable or a key says.
BY_NAME = {
    "variable, password": workload("DB_PASSWORD", "correct-horse"),
    "variable, simple password": workload("POSTGRES_PASSWORD", "postgres"),
    "variable, passphrase": workload("BACKUP_PASSPHRASE", some(20)),
    "variable, token": workload("AUTH_TOKEN", some(32)),
    "variable, API key": workload("SEARCH_API_KEY", some(32, HEX)),
    "variable, secret": workload("SESSION_SECRET", some(40)),
    "variable of an init container": custom(
        template={"spec": {"initContainers": [{"name": "a", "env": [{"name": "ADMIN_PASSWORD", "value": some(9)}]}]}}
    ),
    "key, password": config("SMTP_PASSWORD", some(12)),
    "key, camel case": config("dbPassword", some(12)),
    "properties": config("application.properties", f"spring.datasource.password={some(10)}\nserver.port=8080\n"),
    "YAML": config("config.yaml", f"database:\n  user: shop\n  password: {some(10)}\n"),
    "JSON": config("config.json", json.dumps({"user": "shop", "password": some(10)}, indent=1)),
    "INI": config("app.ini", f"[mail]\nuser = shop\npasswd = {some(10)}\n"),
    "environment file": config(".env", f'export API_TOKEN="{some(32)}"\n'),
    "AWS, secret key": config("credentials", f"[default]\naws_secret{'_access_key'} = {some(40)}\n"),
    "npm, configuration": config(".npmrc", f"//registry.example.com/:_auth{'Token='}{some(32, HEX)}\n"),
    "Docker, login": config("config.json", json.dumps({"auths": {"r": {"auth": encoded(f"shop:{some(12)}")}}})),
    "kubeconfig, private key": config("kubeconfig", f"users:\n- user:\n    client-key-data: {encoded(pem('RSA '))}\n"),
    "HTTP, bearer": custom(headers={"Authorization": f"Bearer {some(40)}"}),
    "HTTP, basic": config("headers", f"Authorization: Basic {encoded(f'shop:{some(12)}')}"),
}
TRUE = {name: config("note", text) for name, text in BY_FORM.items()} | BY_NAME

CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{some(64)}\n{some(64)}\n-----END CERTIFICATE-----\n"
REFERENCE = {"secretKeyRef": {"name": "db", "key": "password"}}
VARIABLES = {
    "reference to a variable": ("DB_PASSWORD", "$(OTHER)"),
    "reference in a URL": ("DATABASE_URL", "postgresql://$(USER):$(PASSWORD)@db:5432/shop"),
    "file with a password": ("POSTGRES_PASSWORD_FILE", "/run/secrets/password"),
    "path to a token": ("AUTH_TOKEN", "/var/run/secrets/kubernetes.io/serviceaccount/token"),
    "name of a Secret": ("TLS_SECRET", "web-server-certificate-2026"),
    "name of a Secret with dots": ("PULL_SECRET", "registry.example.com.v2"),
    "switch": ("REQUIRE_PASSWORD", "true"),
    "empty": ("MAIL_PASSWORD", ""),
    "lifetime": ("ACCESS_TOKEN_LIFETIME", "3600"),
    "type": ("PASSWORD_ENCRYPTION", "scram-sha-256"),
    "URL of tokens": ("TOKEN_URL", "https://login.example.com/oauth2/token"),
    "URL that is a token's name": ("SESSION_TOKEN", "https://login.example.com/realms/shop1"),
    "registry with digest": ("IMAGE", f"registry.example.com:5000/shop/web@sha256:{some(64, HEX)}"),
    "commit": ("REVISION", some(40, HEX)),
    "UUID": ("CLUSTER_ID", "7f3b6c1e-0d3a-4c56-9d0c-2a1f8f6b5e4d"),
    "public key of Stripe": ("STRIPE_KEY", f"pk{'_live_'}{some(24)}"),
    "working folder": ("PWD", "/srv/app"),
    "Java options": ("JAVA_OPTS", "-Xmx512m -Djavax.net.ssl.trustStorePassword=$(TRUST)"),
    "address with a port": ("PACKAGE", "http://localhost:8080/@scope/package"),
    "user in a URL": ("REMOTE", "ssh://git@example.com:22/shop.git"),
    "placeholder in a URL": ("EXAMPLE", "https://<user>:<password>@example.com"),
    "IPv6": ("UPSTREAM", "http://[2001:db8::1]:8080/"),
    "cipher suites": ("CIPHERS", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384"),
    "Base64 of no secret": ("GREETING", encoded("hello world, this is a longer text")),
    "time": ("BUILT", "2026-11-28T07:11:40.123456Z"),
    "key of a header": ("API_KEY_HEADER", "X-Api-Key"),
}
KEYS = {
    "certificate": ("ca.crt", CERTIFICATE),
    "certificate in Base64": ("ca", encoded(CERTIFICATE)),
    "public key": ("key.pub", f"-----BEGIN PUBLIC{' '}KEY-----\n{some(64)}\n-----END PUBLIC{' '}KEY-----\n"),
    "SSH public key": ("authorized_keys", f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{some(43)} shop@example.com\n"),
    "SSH host key": ("known_hosts", f"git.example.com ssh-rsa AAAAB3NzaC1yc2E{some(200)}\n"),
    "checksums": ("SHA256SUMS", f"{some(64, HEX)}  web.tar.gz\n{some(64, HEX)}  api.tar.gz\n"),
    "template": ("config.tpl", "database:\n  password: {{ .Values.password }}\n"),
    "shell variable": ("run.sh", 'export PGPASSWORD="$PASSWORD"\npsql "$URL"\n'),
    "shell default": ("run.sh", "PASSWORD=${PASSWORD:-}\n"),
    "shell command": ("run.sh", "TOKEN=$(cat /run/token)\nPASSWORD=`cat /run/password`\n"),
    "comment": ("app.conf", "# password: set it in the Secret\nport: 8080\n"),
    "empty setting": ("app.properties", "db.password=\ndb.user=shop\n"),
    "setting of length": ("app.yaml", "passwordMinLength: 12\npassword_policy: strict\n"),
    "path in a file": ("app.yaml", "password_file: /run/password\ntoken: /run/token\n"),
    "map with a reference": ("app.yaml", "password:\n  valueFrom: db\n"),
    "file of Prometheus": ("prometheus.yml", "basic_auth:\n  username: shop\n  password_file: /run/password\n"),
    "nginx": ("nginx.conf", "proxy_set_header Authorization $http_authorization;\n"),
    "nginx, token": ("nginx.conf", 'proxy_set_header Authorization "Bearer $token";\n'),
    "PGP public key": ("key.asc", f"-----BEGIN PGP PUBLIC{' '}KEY BLOCK-----\n{some(64)}\n"),
    "mail address": (
        "people",
        "https://example.com/?mail=bob@example.com, http://one.example.com, mailto:a@b.example.com",
    ),
    "Java package": ("classes", "com.example.security.PasswordEncoder\norg.example.TokenStore\n"),
    "SQL": ("init.sql", "ALTER ROLE shop SET password_encryption TO 'scram-sha-256';\n"),
    "documentation": ("README", "The password: of a user is generated. Bearer tokens are not kept.\n"),
    "JSON schema": ("schema.json", json.dumps({"password": {"type": "string", "minLength": 12}}, indent=1)),
    "log format": ("log", "token: %{token}e\n"),
}
OBJECTS = {
    "reference to a Secret": {**workload("A", ""), "spec": {"env": [{"name": "DB_PASSWORD", "valueFrom": REFERENCE}]}},
    "ExternalSecret": {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "db"},
        "spec": {
            "target": {"template": {"data": {"url": "postgresql://{{ .username }}:{{ .password }}@db:5432/shop"}}},
            "data": [{"secretKey": "password", "remoteRef": {"key": "shop/database", "property": "password"}}],
        },
    },
    "generator": custom(generator={"passwordSpec": {"length": 64, "symbols": 0, "noUpper": False}}),
    "webhook": custom(clientConfig={"caBundle": encoded(CERTIFICATE)}),
    "image by digest": custom(image=f"quay.io/shop/web:1.2.3@sha256:{some(64, HEX)}"),
    "CRD": custom(
        schema={"description": "Password is the password. Token: a bearer token for basic auth.", "type": "object"}
    ),
    "CRD, example of a key": custom(description=f"-----BEGIN RSA PRIVATE{' '}KEY-----\n<key>\n-----END"),
    "names of Secrets": custom(
        passwordSecretRef={"name": "db-credentials-2026", "key": "password"}, secretName="tls-1"
    ),
    "ServiceAccount": {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "web"},
        "imagePullSecrets": [{"name": "registry"}],
        "automountServiceAccountToken": False,
    },
    "certificate request": custom(privateKey={"algorithm": "ECDSA", "size": 256}, secretName="web-tls"),
    "user of Kafka": custom(authentication={"type": "scram-sha-512", "password": {"valueFrom": REFERENCE}}),
    "annotation": {
        **config("a", "b"),
        "metadata": {"name": "a", "annotations": {"checksum/config": some(64, HEX), "reloader/secret": "db"}},
    },
    "empty Secret": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "empty"}, "type": "Opaque"},
}
FALSE = (
    {name: workload(*pair) for name, pair in VARIABLES.items()}
    | {name: config(*pair) for name, pair in KEYS.items()}
    | OBJECTS
)
