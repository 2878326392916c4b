#!/bin/sh
# The entry point of the official image: options alone are for the server.
case "${1:-}" in -*) set -- redis-server "$@" ;; esac
exec "$@"
