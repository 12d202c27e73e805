#!/bin/sh
# Builds firn and shows what it is for: a container that counts survives being written to disk.
# Needs nothing but a shell, and root only while packages are missing; keeps its data apart from yours and removes it at the end.
#
#   ./demo.sh          the demonstration
#   ./demo.sh --keep   leaves the demonstration's data in place, for a look around
set -eu
cd "$(dirname "$0")"

keep=no
case ${1:-} in
--keep) keep=yes ;;
'') ;;
*)
    echo "usage: ./demo.sh [--keep]" >&2
    exit 2
    ;;
esac

# Root is needed for installing packages only.
if [ "$(id -u)" != 0 ] && [ -n "$(tools/install-dependencies --list build)" ]; then
    command -v sudo >/dev/null 2>&1 && exec sudo ./demo.sh "$@"
    echo "Packages are missing, and there is no sudo here. As root, run:" >&2
    echo "    $PWD/tools/install-dependencies build" >&2
    exit 1
fi

bold=''
plain=''
if [ -t 1 ]; then
    bold=$(printf '\033[1m')
    plain=$(printf '\033[0m')
fi

step() {
    printf '\n%s== %s%s\n' "$bold" "$*" "$plain"
}

fail() {
    printf '\n%s** %s%s\n' "$bold" "$*" "$plain" >&2
    exit 1
}

step "What is missing is installed, and firn is built"
tools/install-dependencies build
make

# The demonstration's own place, so that containers of yours are not touched.
place=$(mktemp -d /var/tmp/firn-demo.XXXXXX)
FIRN="$PWD/build/firn"
root="$place/data"
runroot="$place/run"

firn() {
    "$FIRN" --root "$root" --runroot "$runroot" "$@"
}

clean_up() {
    status=$?
    if [ $keep = yes ]; then
        echo "Kept: build/firn --root $root --runroot $runroot ps -a"
        exit $status
    fi
    firn rm -f -a >/dev/null 2>&1 || true
    if [ "$(id -u)" != 0 ]; then # what is in there may belong to this user's subordinate ids
        "$FIRN" unshare rm -rf "$place"
    fi
    rm -rf "$place"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Says the command as one would type it, then runs it.
run() {
    printf '\n%s$ firn' "$bold"
    for word; do
        case $word in
        *[!A-Za-z0-9_./:=@%+-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '%s\n' "$plain"
    firn "$@"
}

# The log of the container must be 0, 1, 2, ... each once. Prints the last number.
check_count() {
    firn logs "$1" | tr -d '\r' | awk '
        $1 != n { printf "line %d says %s, not %d\n", NR, $1, n > "/dev/stderr"; exit 1 }
        { n++ }
        END { if (!n) exit 1; print n - 1 }'
}

went_on() {
    now=$(check_count "$1") || fail "the count of $1 is broken"
    if [ "$now" -le "$2" ]; then
        fail "the count of $1 did not go on: it was $2 and is $now"
    fi
    printf '\n   The count went on from %s to %s: no number repeated, none missing.\n' "$2" "$now"
}

make_busybox_root() {
    mkdir -p "$1/bin" "$1/etc" "$1/proc" "$1/sys" "$1/dev" "$1/tmp" "$1/root"
    cp "$(command -v busybox)" "$1/bin/busybox"
    for applet in $(busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
    echo 'root:x:0:' >"$1/etc/group"
    chmod 1777 "$1/tmp"
}

step "Below, firn is build/firn --root $root --runroot $runroot"

step "An image is made of Debian's static busybox"
make_busybox_root "$place/busybox"
tar -C "$place/busybox" -cf "$place/busybox.tar" .
run import -q -c 'CMD ["sh"]' "$place/busybox.tar" busybox
run images

step "A container that counts"
run run -d --name looper busybox /bin/sh -c \
    'i=0; while true; do echo $i; i=$(expr $i + 1); sleep 1; done'
sleep 3
run logs -l
run ps

step "It is written to disk, memory and all, and is gone from here"
run container checkpoint -l
run ps
run ps -a
before=$(check_count looper) || fail "the count is broken"

step "It comes back and goes on where it was"
run container restore -l
sleep 3
run logs -l
went_on looper "$before"

step "The same through a file that could travel to another machine"
before=$(check_count looper) || fail "the count is broken"
run container checkpoint --export "$place/looper.tar.zst" looper
ls -l "$place/looper.tar.zst"
run rm looper
run ps -a
run container restore --import "$place/looper.tar.zst"
sleep 3
run logs looper
went_on looper "$before"

step "And out of the same file a second one, under another name"
run container restore --import "$place/looper.tar.zst" --name twin
sleep 2
run ps
went_on twin "$before"

step "The end"
run kill -a
run ps -a
run rm -a
printf '\n%sThat was firn. It is built as build/firn; build/firn --help says what else it can.%s\n' "$bold" "$plain"
