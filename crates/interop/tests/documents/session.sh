# Ends what the session started, by the numbers that it noted.
ended() {
    if [ -f "$ROOT/unit.pid" ]; then kill "$(cat "$ROOT/unit.pid")" 2>/dev/null; fi
    kill $(jobs -p) 2>/dev/null
}
trap ended EXIT

# Waits until a file holds a text, half a minute at most.
await() {
    for _ in $(seq 300); do
        if grep -qF -- "$2" "$1"; then return; fi
        sleep 0.1
    done
    exit 1
}
