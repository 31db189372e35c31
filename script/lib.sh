# lib.sh - what the scripts share. Sourced, not run.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then BOLD=$'\e[1m' PLAIN=$'\e[0m'; else BOLD='' PLAIN=''; fi

say() { printf '%s==> %s%s\n' "$BOLD" "$*" "$PLAIN"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Packages of the list that are not installed yet.
missing_packages() {
    local p
    for p in "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^.i' || echo "$p"
    done
}

APT_FRESH=''
install_packages() {
    local want
    mapfile -t want < <(missing_packages "$@")
    [ ${#want[@]} -gt 0 ] || return 0
    say "installing ${want[*]}"
    if [ -z "$APT_FRESH" ]; then
        as_root apt-get update -qq || true
        APT_FRESH=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${want[@]}" >/dev/null
}
