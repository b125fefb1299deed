#!/bin/bash
# Stands in for the tools of a real machine, under their names. It knows one unit, and one user.
unit="$ROOT/etc/systemd/system/sealstoned.service"
journal="$ROOT/journal"
touch "$journal"

# Whether the server still runs; one that has ended may wait to be reaped.
alive() {
    [ -e "/proc/$pid" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status"
}

# Waits until the journal holds one more line with a text than it did, or the server has ended.
more() {
    for _ in $(seq 300); do
        if [ "$(grep -cF -- "$1" "$journal")" -gt "$2" ]; then return 0; fi
        alive || return 1
        sleep 0.1
    done
    return 1
}

start() {
    before=$(grep -cF ' serving ' "$journal")
    setsid $(sed -n 's/^ExecStart=//p' "$unit") </dev/null >>"$journal" 2>&1 &
    pid=$!
    echo "$pid" >"$ROOT/unit.pid"
    more ' serving ' "$before"
}

stop() {
    pid=$(cat "$ROOT/unit.pid")
    kill "$pid" 2>/dev/null
    while alive; do sleep 0.05; done
}

case "$(basename "$0") $1" in
"systemctl enable" | "systemctl start") start ;;
"systemctl stop") stop ;;
"systemctl restart") stop && start ;;
"systemctl reload")
    before=$(grep -cF 'reload' "$journal")
    pid=$(cat "$ROOT/unit.pid")
    kill -HUP "$pid" && more 'reload' "$before"
    ;;
"journalctl "*) cat "$journal" ;;
"sudo -u") shift 2 && exec "$@" ;;
"useradd "* | "chown "*) ;;
*)
    echo "not known here: $0 $*" >&2
    exit 1
    ;;
esac
