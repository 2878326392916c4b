# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that work with Argo CD's objects."""

from __future__ import annotations


class ModuleDocFragment:
    """The namespace of Argo CD, and a choice of Applications."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace of the Applications and ApplicationSets, which is usually that of Argo CD.
    type: str
    default: argocd
"""

    SELECTION = r"""
options:
  names:
    description:
      - Names of Applications. One that does not exist is an error, before anything is done.
      - With O(applicationsets) those of both are meant; O(label_selectors) limits either.
    type: list
    elements: str
  label_selectors:
    description: Label selectors of Applications, all of which must match.
    type: list
    elements: str
  applicationsets:
    description: Names of ApplicationSets whose Applications are meant.
    type: list
    elements: str
notes:
  - "Error C(there is no Application): a name is misspelled, or the Application is in another O(namespace)."
  - "Error C(No Application matches): neither a label nor an ApplicationSet leads to an Application."
  - "Error C(names, label_selectors and applicationsets are empty): a variable that should name Applications is empty."
"""
