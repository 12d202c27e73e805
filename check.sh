#!/bin/sh
# Checks everything: installs what is missing, builds (with warnings as errors, and once more with
# the address and undefined-behaviour sanitizers), runs the format and layer checks and all tests.
# Ends with "N passed, N failed".
#
#   ./check.sh                    everything
#   ./check.sh --fast             without the sanitizer build
#   ./check.sh unit cli/run       only the tests of these suites, files or names
#   ./check.sh --list             the names of all tests
#
# FIRN_CHECK_BUILD names another place for the build directories (default: build, build-asan).
set -eu
cd "$(dirname "$0")"

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 && exec sudo ./check.sh "$@"
    echo "The tests make containers and have to run as root (and there is no sudo here)." >&2
    exit 1
fi

fast=no
selected=''
while [ $# -gt 0 ]; do
    case $1 in
    --fast) fast=yes ;;
    --list) exec tests/run --list ;;
    -*)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
        exit 2
        ;;
    *) selected="$selected $1" ;;
    esac
    shift
done

build=${FIRN_CHECK_BUILD:-build}
jobs=$(nproc)
results=$(mktemp /tmp/firn-check.XXXXXX)
trap 'rm -f "$results"' EXIT

tools/install-dependencies test

# Meson keeps its answers: a directory that is set up only needs ninja.
build_in() {
    dir=$1
    shift
    [ -e "$dir/build.ninja" ] || meson setup "$@" "$dir" >/dev/null
    ninja -C "$dir"
}

# One line per check, in the form of the tests, and one in the results.
check() {
    name=$1
    shift
    if "$@" >"$results.out" 2>&1; then
        echo "ok      $name"
        echo "passed $name" >>"$results"
    else
        echo "FAILED  $name"
        sed 's/^/        /' "$results.out"
        echo "failed $name" >>"$results"
    fi
    rm -f "$results.out"
}

count() {
    grep -c "^$1 " "$results" || true
}

check "build/-Werror" build_in "$build"
if [ -z "$selected" ]; then
    check "source/format" tools/check-format
    check "source/layers" tools/check-layers
fi
# shellcheck disable=SC2086 # words
tests/run --jobs "$jobs" --build "$build" --results "$results" $selected || true
# shellcheck disable=SC2086
tests/run --jobs "$jobs" --user --build "$build" --results "$results" $selected || true

if [ $fast = no ]; then
    check "build/sanitizers" build_in "$build-asan" -Dfaults=true -Db_sanitize=address,undefined -Db_lundef=false
    # shellcheck disable=SC2086
    tests/run --jobs "$jobs" --build "$build-asan" --prefix asan/ --sanitizer --results "$results" $selected || true
fi

passed=$(count passed)
failed=$(count failed)
skipped=$(count skipped)
if [ "$failed" != 0 ]; then
    echo
    grep '^failed ' "$results"
fi
if [ "$skipped" != 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ] && [ "$passed" != 0 ]
