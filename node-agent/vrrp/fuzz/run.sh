#!/usr/bin/env bash
# Looks for inputs that break a rule of the holdfast-vrrp crate, or replays the ones that did.
#
#   run.sh TARGET SECONDS [libFuzzer option...]   fuzz one target for some time
#   run.sh replay                                 replay the committed corpus of every target
#
# Stable Rust is enough: libFuzzer needs coverage counters, and the compiler inserts them with an LLVM pass of its own. What a
# run learns stays in the build folder; only inputs that a person chose and named are in corpus/.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
build=${CARGO_TARGET_DIR:-$root/target}/fuzz

usage() { sed -n '4,5s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 64; }

replay() {
    cargo test --quiet --manifest-path "$here/../Cargo.toml" --test corpus
}

fuzz() {
    local target=$1 seconds=$2 host learned artifacts
    shift 2
    if [[ ! -d $here/corpus/$target ]]; then
        printf 'there is no target %s, but these: %s\n' "$target" "$(cd "$here/corpus" && echo *)" >&2
        exit 64
    fi
    # With an explicit target, build scripts and macros are left alone by the flags.
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares" \
        cargo build --locked --release --manifest-path "$here/Cargo.toml" --target-dir "$build" --target "$host" --bin "$target"

    learned=$build/corpus/$target
    artifacts=$build/artifacts/$target
    mkdir -p "$learned" "$artifacts"
    # libFuzzer writes what it learns to the first folder and only reads the second. With the value profile it learns how near
    # a comparison came to being true: without it, a condition on three fields at once stays out of reach.
    if ! "$build/$host/release/$target" -max_total_time="$seconds" -max_len=4400 -use_value_profile=1 \
        -print_final_stats=1 -artifact_prefix="$artifacts/" "$@" "$learned" "$here/corpus/$target"; then
        printf '\nA rule is broken. The input is in %s:\n' "$artifacts" >&2
        printf 'mend the code, then copy it to %s under a name that says what it was.\n' "$here/corpus/$target" >&2
        exit 1
    fi
}

case $# in
    1) [[ $1 == replay ]] || usage; replay ;;
    0) usage ;;
    *) fuzz "$@" ;;
esac
