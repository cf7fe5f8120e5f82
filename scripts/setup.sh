# Sourced by the other scripts: makes the environments that they run in, from nothing but Python 3.11 and pip.
#
#   set_up demo       .venv with what runs Segue and its demo
#   set_up dev        .venv with what checks and tests it as well (serves `demo` too)
#   set_up langgraph  .venv-langgraph, the benchmark's peer
#   set_up docs       .venv-docs, what builds the site
#
# Packages come from requirements/*.txt, pinned by hash; uv, which installs them, is itself pinned there and is
# fetched into .uv. A finished environment carries a stamp of what it was made from: the next call costs
# nothing while that is unchanged, and an environment without its stamp was interrupted and is made afresh.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
lock=$root/.set-up.lock

say() { printf '%s\n' "$*" >&2; }
die() { say "segue: $*"; exit 1; }

# Print the first Python on PATH that is new enough; uv never downloads one.
find_python() {
    found=
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
        found="$found $name ($version)"
    done
    die "Python 3.11 or newer is needed, PATH has${found:- none at all}. Install it and try again."
}

# What pip was told about its index and certificates is told to uv as well.
prepare_uv() {
    export UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_NO_PROGRESS=1 UV_NO_CONFIG=1
    if [ -z "${UV_CACHE_DIR:-}" ] && ! { [ -n "${HOME:-}" ] && mkdir -p "$HOME/.cache/uv" 2>/dev/null; }; then
        export UV_CACHE_DIR="$root/.uv-cache"
    fi
    if [ -z "${UV_DEFAULT_INDEX:-}" ]; then
        index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || :)}
        [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
    fi
}

fetch_uv() {
    wanted=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' "$root/requirements/uv.txt")
    case $("$root/.uv/bin/uv" --version 2>/dev/null) in "uv $wanted"*) return ;; esac
    "$python" -m pip --version >/dev/null 2>&1 ||
        die "$python has no pip. Install it (on Debian: apt install python3-pip) and try again."
    rm -rf "$root/.uv"
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$python" -m pip install -qq \
        --require-hashes --target "$root/.uv" -r "$root/requirements/uv.txt" ||
        die "pip could not fetch uv (its message is above). Is the package index reachable?"
}

# stamp_of NAME: what an environment made now would be made from.
stamp_of() {
    printf '%s %s' "$1" "$(cat "$root/requirements/$1.txt" "$root/pyproject.toml" | cksum)"
}

# is_ready ENVIRONMENT NAME: whether it was finished, from today's requirements, and its Python still runs.
is_ready() {
    [ "$(cat "$1/set-up" 2>/dev/null)" = "$(stamp_of "$2")" ] && "$1/bin/python" -c '' 2>/dev/null
}

make_environment() {
    started=$(date +%s)
    say "setting up $(basename "$environment") ($1) ..."
    python=$(find_python) || exit 1
    prepare_uv
    fetch_uv
    uv=$root/.uv/bin/uv
    [ -f "$environment/set-up" ] || "$uv" venv -q --clear --python "$python" "$environment" ||
        die "uv could not make $environment."
    rm -f "$environment/set-up"
    "$uv" pip sync -q --python "$environment" --require-hashes "$root/requirements/$1.txt" ||
        die "the packages of requirements/$1.txt could not be installed (uv's message is above)."
    if [ "$environment" = "$root/.venv" ]; then
        "$uv" pip install -q --python "$environment" --no-deps --no-build-isolation --editable "$root" ||
            die "Segue itself could not be installed into $environment."
    fi
    stamp_of "$1" >"$environment/set-up"
    say "setting up $(basename "$environment") ($1) ... done in $(($(date +%s) - started)) s"
}

# One set-up at a time. The lock names its holder, so that one left behind by a killed set-up is seen to be free.
take_lock() {
    [ -w "$root" ] || die "$root cannot be written to, so nothing can be set up in it."
    until ln -s "$$" "$lock" 2>/dev/null; do
        if ! kill -0 "$(readlink "$lock")" 2>/dev/null; then
            rm -f "$lock"
        else
            say "waiting for the set-up that process $(readlink "$lock") is doing"
            sleep 2
        fi
    done
}

set_up() {
    name=$1
    environment=$root/.venv
    case $name in langgraph | docs) environment=$root/.venv-$name ;; esac
    case $name$(cat "$environment/set-up" 2>/dev/null) in demodev*) name=dev ;; esac    # never taken back to demo
    if is_ready "$environment" "$name"; then return; fi
    take_lock
    if ! is_ready "$environment" "$name"; then
        make_environment "$name"
    fi
    rm -f "$lock"
}
