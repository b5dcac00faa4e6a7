#!/usr/bin/env bash
# Lint the Dockerfiles, check the compose file, and build the service image where buildah
# exists. EARSHOT_IMAGE_BASE names a base image that buildah can reach.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

hadolint docker/*.Dockerfile
echo "Dockerfiles: no findings"

check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

if docker compose version >/dev/null 2>&1; then
  if env -u EARSHOT_API_KEYS docker compose config -q 2>/dev/null; then
    echo "compose starts without EARSHOT_API_KEYS" >&2
    exit 1
  fi
  EARSHOT_API_KEYS=read:00 docker compose config -q
  echo "compose: refuses to start without keys, accepts them"
else
  echo "compose: no docker compose here, its refusal without keys was not run"
fi

if command -v nginx >/dev/null; then
  sed 's/server service:8000/server 127.0.0.1:8000/' docker/proxy/nginx.conf >"${TMPDIR:-/tmp}/earshot-nginx.conf"
  nginx -t -q -c "${TMPDIR:-/tmp}/earshot-nginx.conf"
  echo "proxy: configuration accepted by nginx"
else
  echo "proxy: no nginx here, its configuration was not checked"
fi

if command -v buildah >/dev/null && [ -n "${EARSHOT_IMAGE_BASE:-}" ]; then
  buildah build --build-arg "BASE=$EARSHOT_IMAGE_BASE" -f docker/service.Dockerfile -t earshot-service .
  echo "service image: built"
else
  echo "service image: not built (needs buildah and EARSHOT_IMAGE_BASE)"
fi
