# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for the connection to the API server."""

from __future__ import annotations


class ModuleDocFragment:
    """Names, types and aliases are those of kubernetes.core; the descriptions are written here.

    So the documentation can be built where kubernetes.core is not installed. A test compares both.
    """

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig, or its content as a dictionary. A relative path is searched like the files of a role,
        and the file may be encrypted with Ansible Vault.
      - Without it, and without O(host), the default kubeconfig of kubectl is used.
      - The environment variable E(K8S_AUTH_KUBECONFIG) sets it as well.
    type: raw
  context:
    description:
      - Name of a context in the kubeconfig. By default the current one.
      - The environment variable E(K8S_AUTH_CONTEXT) sets it as well.
    type: str
  host:
    description:
      - URL of the API server.
      - The environment variable E(K8S_AUTH_HOST) sets it as well.
    type: str
  api_key:
    description:
      - Token that is sent to the API server.
      - The environment variable E(K8S_AUTH_API_KEY) sets it as well.
    type: str
  username:
    description:
      - User name for HTTP basic authentication, which a proxy in front of the API server may require.
      - The environment variable E(K8S_AUTH_USERNAME) sets it as well.
    type: str
  password:
    description:
      - Password that belongs to O(username).
      - The environment variable E(K8S_AUTH_PASSWORD) sets it as well.
    type: str
  client_cert:
    description:
      - Path of a client certificate.
      - The environment variable E(K8S_AUTH_CERT_FILE) sets it as well.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key that belongs to O(client_cert).
      - The environment variable E(K8S_AUTH_KEY_FILE) sets it as well.
    type: path
    aliases: [key_file]
  ca_cert:
    description:
      - Path of the CA certificate, with its whole chain, that verifies the certificate of the API server.
      - The environment variable E(K8S_AUTH_SSL_CA_CERT) sets it as well.
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether to verify the certificate of the API server.
      - The environment variable E(K8S_AUTH_VERIFY_SSL) sets it as well.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of an HTTP proxy on the way to the API server.
      - The environment variable E(K8S_AUTH_PROXY) sets it as well.
    type: str
  no_proxy:
    description:
      - Host names, domains, and ranges of IP addresses that are not reached through O(proxy), separated by commas.
      - The environment variable E(K8S_AUTH_NO_PROXY) sets it as well.
    type: str
  proxy_headers:
    description: Headers that are sent to O(proxy).
    type: dict
    suboptions:
      proxy_basic_auth:
        description:
          - User name and password for the proxy, separated by a colon.
          - The environment variable E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH) sets it as well.
        type: str
      basic_auth:
        description:
          - User name and password for the server, separated by a colon.
          - The environment variable E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH) sets it as well.
        type: str
      user_agent:
        description:
          - User agent.
          - The environment variable E(K8S_AUTH_PROXY_HEADERS_USER_AGENT) sets it as well.
        type: str
  persist_config:
    description:
      - Whether a token that was refreshed, as with OpenID Connect, is written back to the kubeconfig.
      - The environment variable E(K8S_AUTH_PERSIST_CONFIG) sets it as well.
    type: bool
  impersonate_user:
    description:
      - User to impersonate.
      - The environment variable E(K8S_AUTH_IMPERSONATE_USER) sets it as well.
    type: str
  impersonate_groups:
    description:
      - Groups to impersonate.
      - The environment variable E(K8S_AUTH_IMPERSONATE_GROUPS), separated by commas, sets it as well.
    type: list
    elements: str
requirements:
  - kubernetes (Python library)
  - PyYAML
attributes:
  action_group:
    description: Sets the connection of all modules at once with C(module_defaults).
    support: full
    membership:
      - monorepo.gitops.argocd
"""
