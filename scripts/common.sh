# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this use them
# Sourced by the scripts of this folder: where things are kept, and how a script says what it does.

# The project's own folder, and what set-up makes once and every run uses.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ringround
voices=$cache/voices

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
# Somebody called the script in a way that it does not know.
refuse() { printf '%s: %s; see scripts/%s --help\n' "${0##*/}" "$*" "${0##*/}" >&2; exit 2; }

# The remarks at a script's head are its help.
case ${1:-} in -h | --help)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$top/scripts/${0##*/}"
    exit
    ;;
esac

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else echo "only root may do this, and there is no sudo: $*" >&2; return 1
    fi
}

# Prints the folder under which Asterisk's files are ("" for the machine's own installation), or fails.
# The machine's own is taken from 22.4: requests over the events socket, and Opus, must be there.
asterisk_root() {
    local own modules
    own=$(PATH=$PATH:/usr/sbin command -v asterisk || true)
    modules=$(echo /usr/lib/*/asterisk/modules/codec_opus_open_source.so)
    if [ -z "${RINGROUND_ASTERISK_FOLDER:-}" ] && [ -n "$own" ] && [ -e "$modules" ] &&
        [ "$(printf '%s\n' 22.4 "$("$own" -V | sed 's/^Asterisk //; s/[^0-9.].*//')" | sort -V | head -n 1)" = 22.4 ]; then
        echo ''
    elif [ -e "$cache/asterisk/.ready" ]; then
        echo "$cache/asterisk"
    else
        return 1
    fi
}

# Prints the mirror from which this machine's apt takes Debian; nothing where apt has read no lists yet.
debian_mirror() {
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(SITE) $(ORIGIN)' 'Created-By: Packages' | sed -n 's/ Debian$//p' | grep -v security | sort -u | head -n 1
}

# Rust that was installed a moment ago, in a shell that does not know it yet.
if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH; fi

# The programs that set-up may have put into the cache folder come first.
if [ -d "$cache/node/bin" ]; then PATH=$cache/node/bin:$PATH; fi

# The pages, as the app has them inside: built only when something of theirs is newer than what is built.
build_pages() {
    local mark
    mark=$(cksum <"$top/ui/package-lock.json")
    if [ "$(cat "$top/ui/node_modules/.ringround" 2>/dev/null)" != "$mark" ]; then
        (cd "$top/ui" && npm ci --no-audit --no-fund) && echo "$mark" >"$top/ui/node_modules/.ringround"
    fi
    if [ ! -e "$top/ui/dist/assets" ] || [ -n "$(find "$top/ui" -path "$top/ui/node_modules" -prune -o \
        -path "$top/ui/dist" -prune -o -type f -newer "$top/ui/dist/index.html" -print -quit)" ]; then
        npm --prefix "$top/ui" run build
    fi
}
