#!/bin/sh
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Stub of the entry point of temporalio/auto-setup, for PostgreSQL and databases that exist: schema, server, namespace.
set -eu
export SQL_PLUGIN="$DB" SQL_HOST="$POSTGRES_SEEDS" SQL_PORT="$DB_PORT" SQL_USER="$POSTGRES_USER" SQL_PASSWORD="$POSTGRES_PWD"
export SQL_TLS="$POSTGRES_TLS_ENABLED" SQL_TLS_CA_FILE="$POSTGRES_TLS_CA_FILE" SQL_TLS_SERVER_NAME="$POSTGRES_TLS_SERVER_NAME"
export TEMPORAL_ADDRESS="$BIND_ON_IP:7233"

set_up() {
    # The database may not run yet.
    until temporal-sql-tool --db "$1" setup-schema -v 0.0; do sleep 1; done
    temporal-sql-tool --db "$1" update-schema -d "schema/postgresql/v12/$2/versioned"
}

create_namespace() {
    until temporal operator cluster health; do sleep 1; done
    until temporal operator namespace describe --namespace "$DEFAULT_NAMESPACE" ||
        temporal operator namespace create --namespace "$DEFAULT_NAMESPACE" --retention "$DEFAULT_NAMESPACE_RETENTION"; do
        sleep 1
    done
}

set_up "$DBNAME" temporal
set_up "$VISIBILITY_DBNAME" visibility
create_namespace &
exec ./entrypoint-server.sh
