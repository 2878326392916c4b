# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that are recognized by their form, whatever is around them.

detect-secrets finds fewer of these in manifests, and takes digests and names of Secrets for credentials: the numbers
are in tests/unit/test_secrets_corpus.py.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

# The first words of a private key, which are whole bytes in Base64.
PEM = ["", "RSA ", "EC ", "DSA ", "ENCRYPTED ", "OPENSSH "]
PEM_BASE64 = {
    base64.b64encode(text.encode()[: len(text) // 3 * 3]).decode()
    for text in (f"-----BEGIN {algorithm}PRIVATE KEY" for algorithm in PEM)
}


# The lines of a key belong to it: they are what differs between two, and what must not be shown.
PEM_BODY = r"(?:[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[\s\S]*)"
PUTTY_BODY = r"(?:[\s\S]*?Private-(?:MAC|Hash): *[0-9a-fA-F]*|[\s\S]*)"
# Base64 may have several lines, with the signs of a difference before each; a short last one has no part of the key.
BASE64_BODY = r"[A-Za-z0-9+/=_-]*(?:(?:(?:\\+[rn])+|\s)[-+\s]*[A-Za-z0-9+/=_-]{16,})*"


class Form(NamedTuple):
    """A credential by its form; a text without one of its words has none, which is faster to see than a pattern."""

    words: tuple[str, ...]
    pattern: re.Pattern[str]


# Forms of one provider, which begin a word.
WORDS = {
    "a GitHub token": (
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}",
    ),
    "a GitLab token": (
        "gl GR1348941",
        r"gl(?:pat|dt|rt|ft|soat|agent|oas|ptt|cbt|imt|ffct)-[A-Za-z0-9_-]{20,}|GR1348941[A-Za-z0-9_-]{20,}",
    ),
    "an AWS access key": ("A3T ABIA ACCA AKIA ASIA", r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a JSON Web Token": ("eyJ", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "a Slack token": ("xox xapp-", r"xox[abceoprs]-[A-Za-z0-9-]{20,}|xapp-\d-[A-Za-z0-9-]{20,}"),
    "a webhook with its token": (
        "hooks.slack.com/ /api/webhooks/ webhook.office.com/",
        r"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{6,}/[A-Z0-9]{6,}/[A-Za-z0-9]{16,}"
        r"|discord(?:app)?\.com/api/webhooks/\d{15,}/[A-Za-z0-9_-]{50,}"
        r"|webhook\.office\.com/webhookb2/[a-f0-9-]{36}@[a-f0-9-]{36}/IncomingWebhook/[a-f0-9]{32}",
    ),
    "a Google key": (
        "AIza GOCSPX- ya29.",
        r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{40,}",
    ),
    "a Stripe key": ("k_live_ k_test_ whsec_", r"[rs]k_(?:live|test)_[A-Za-z0-9]{24,}|whsec_[A-Za-z0-9+/]{32,}"),
    "a SendGrid key": ("SG.", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    "a Mailchimp key": ("-us", r"[0-9a-f]{32}-us\d{1,2}\b"),
    "a Mailgun key": ("key-", r"key-[0-9a-f]{32}\b"),
    "an npm token": ("npm_", r"npm_[A-Za-z0-9]{36}\b"),
    "a PyPI token": ("pypi-Ag", r"pypi-Ag[A-Za-z0-9_-]{70,}"),
    "a Docker token": ("dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    "an OpenAI key": ("T3BlbkFJ", r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    "an Anthropic key": ("sk-ant-", r"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,}"),
    "a Hugging Face token": ("hf_", r"hf_[A-Za-z]{34}\b"),
    "an Azure key": ("AccountKey= Q~", r"AccountKey=[A-Za-z0-9+/]{86}==|[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
    "a DigitalOcean token": ("_v1_", r"do[opr]_v1_[a-f0-9]{64}\b"),
    "a Vault token": ("hvs. hvb. hvr.", r"hv[bsr]\.[A-Za-z0-9_-]{24,}"),
    "a Terraform token": (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"),
    "a Telegram token": (":AA", r"\d{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    "a Grafana token": ("glsa_ glc_", r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b|glc_eyJ[A-Za-z0-9+/=]{40,}"),
    "a New Relic key": ("NRAK-", r"NRAK-[A-Z0-9]{27}\b"),
    "a Databricks token": ("dapi", r"dapi[0-9a-f]{32}\b"),
    "a Shopify token": ("shp", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}\b"),
    "an Atlassian token": ("ATATT3", r"ATATT3[A-Za-z0-9_=-]{60,}"),
    "a Sentry token": ("sntrys_ sntryu_", r"sntry[su]_[A-Za-z0-9+/=_]{40,}"),
    "a Square secret": ("sq0csp-", r"sq0csp-[A-Za-z0-9_-]{43}"),
    "an Artifactory key": ("AKCp", r"AKCp[A-Za-z0-9]{60,}"),
    "an age key": ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
}
# Forms that need what stands before them.
OTHERS = {
    # CRD descriptions contain '-----BEGIN ... <placeholder>'; that is not a key.
    "a private key": (
        " ".join(["PRIVATE PuTTY-User-Key-File-", *sorted(PEM_BASE64)]),
        rf"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?!(?:\\+n|\s)*<){PEM_BODY}"
        rf"|\bPuTTY-User-Key-File-\d: {PUTTY_BODY}|(?:{'|'.join(sorted(PEM_BASE64))}){BASE64_BODY}",
    ),
    # A password may contain `/`, `@` and `#` although it should be encoded. What begins with a port is an address;
    # braces, `$(`, `${` and `$NAME` stand for a value.
    "a password in a URL": (
        "://",
        r"\b[a-z][a-z0-9+.-]*://[^\s/:@{}$\"'<>]*:(?!\d{1,5}(?:[/?#,]|$))"
        r"(?:[^\s{}$\"'<>`\\]|\$(?![({A-Za-z_]))+@[\w\[]",
    ),
    "an AWS secret key": (
        "ccess CCESS",
        r"(?i:secret_?access_?key)[\\\"']*\s*[:=]\s*[\\\"']*[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
    ),
    "a login for a registry": ("auth", r"[\\\"']auth\\*[\"']\s*:\s*\\*[\"'][A-Za-z0-9+/]{12,}={0,2}\\*[\"']"),
    "a token for npm": ("_authToken _password", r"_(?:authToken|password)\s*=\s*[A-Za-z0-9+/=-]{16,}"),
    "a bearer token": (
        "earer asic EARER ASIC",
        r"(?i:\bauthorization[\\\"']*\s*[:=]\s*[\\\"']*(?:bearer|basic))\s+[A-Za-z0-9._~+/-]{16,}",
    ),
}
TOKENS = {
    what: Form(tuple(words.split()), re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})"))
    for what, (words, pattern) in WORDS.items()
} | {what: Form(tuple(words.split()), re.compile(pattern, re.MULTILINE)) for what, (words, pattern) in OTHERS.items()}


def tokens(text: str) -> list[str]:
    """Return what kinds of credentials a text contains."""
    return [
        what for what, form in TOKENS.items() if any(word in text for word in form.words) and form.pattern.search(text)
    ]
