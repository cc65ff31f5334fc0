#!/bin/sh
# Index some videos, ask three questions, draw the answers. `make demo` prepares and calls this.
set -eu
find="$VENV/bin/framefind"
mkdir -p "$OUT"
export FRAMEFIND_LIBRARY="$OUT/demo.framefind"
rm -rf "$FRAMEFIND_LIBRARY"

if [ -n "${DEMO:-}" ]; then
    set -- "a close-up of a cat" "a red car on a road" "people playing in the snow"
else
    DEMO="$OUT/film"
    mkdir -p "$DEMO"
    [ -f "$DEMO/film.mp4" ] || "$VENV/bin/python" demo/film.py "$DEMO/film.mp4"
    set -- "a close-up of a cat" "a red motorcycle" "a temple by a lake"
fi

run() {
    printf '\n$ framefind'
    for word in "$@"; do
        case $word in *" "*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    "$find" "$@"
}

run index "$DEMO"
for query in "$@"; do
    name=$(printf '%s' "$query" | tr ' ' '-')
    run search "$query" --limit 6 --sheet "$OUT/$name.jpg"
done
printf '\nThe moments, drawn: %s/*.jpg\n' "$OUT"
