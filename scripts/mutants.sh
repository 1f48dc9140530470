#!/usr/bin/env bash
# Changes the code of a module, one place at a time, and lists the changes that no test notices.
#
#   mutants.sh [atomic]             the writing of files, as a separate crate: minutes
#   mutants.sh journal gate …       modules within the whole crate, each change tested by the module's own tests: hours
#
# Needs cargo-mutants (cargo install --locked cargo-mutants); scripts/mutate.py needs no other program. Changes that
# survive are listed in docs/testing.md with the reason.
# Exit status: that of cargo-mutants: 0 every change was noticed, 2 some were not.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo mutants --version >/dev/null || { echo "mutants.sh: cargo-mutants is not installed" >&2; exit 2; }
target=${CARGO_TARGET_DIR:-$PWD/target}/mutants

# atomic uses no other module, so it builds in seconds as a separate crate.
alone() {
    local crate=$target/$1
    rm -rf "$crate"
    mkdir -p "$crate/src"
    cp -r "src/$1" "$crate/src/"
    printf '//! One module of mlloop.\n#![allow(missing_docs)]\npub mod %s;\n' "$1" >"$crate/src/lib.rs"
    cat >"$crate/Cargo.toml" <<TOML
[package]
name = "$1"
version = "0.0.0"
edition = "2024"
[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"
tempfile = "3"
thiserror = "2"
memchr = "2"
rustix = { version = "1.1", default-features = false, features = ["std", "fs", "process"] }
[workspace]
TOML
    cp Cargo.lock "$crate/"
    CARGO_TARGET_DIR=$target/build cargo mutants --dir "$crate" --in-place --no-shuffle --timeout 60 --colors never
}

status=0
for module in "${@:-atomic}"; do
    case $module in
    atomic) alone atomic || status=$? ;;
    *) cargo mutants --file "src/$module/**" --timeout 300 --colors never -- --lib "$module::" || status=$? ;;
    esac
done
exit "$status"
