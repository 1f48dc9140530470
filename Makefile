# `make` or `make help` lists what there is.
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(CURDIR)/target
PYTHON ?= python3
PREFIX ?= $(HOME)/.local

.PHONY: help demo test check packages bench bench-drift soak reference install
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: ## build, and run the whole loop on a made-up stream of payments
	cargo build --release
	rm -rf demo
	"$(CARGO_TARGET_DIR)"/release/mlloop demo demo

test: ## run every test
	cargo test

check: ## formatting, lints, tests and documentation, as CI does
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	$(MAKE) test
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

packages: ## build wheel, archive and Debian package for old Linux systems under target/packages, and try each in a clean place
	$(PYTHON) scripts/packages.py

bench: ## measure against the Python peers side by side (makes a virtual environment under target; BENCH="--rows 20000" is quick)
	cargo build --release --features bench --bins --examples
	$(PYTHON) scripts/bench.py $(BENCH)

bench-drift: ## count false alarms, misses and delay of monitor and its peers on made streams (makes virtual environments under target)
	cargo build --release
	$(PYTHON) scripts/bench_drift.py $(BENCH)

soak: ## measure predictions beside other burdens, then serve under full load while production changes (SOAK="--minutes 1" is quick)
	cargo build --release --features bench --bins --examples
	$(PYTHON) scripts/bench/isolation.py
	$(PYTHON) scripts/soak.py $(SOAK)

reference: ## compute the reference numbers of fixtures/ anew with scipy, scikit-learn and others
	$(PYTHON) scripts/reference.py

install: ## build and install the binary, man pages of every verb and completions under PREFIX
	cargo build --release
	install -Dm755 "$(CARGO_TARGET_DIR)"/release/mlloop "$(PREFIX)"/bin/mlloop
	"$(PREFIX)"/bin/mlloop man --to "$(PREFIX)"/share/man/man1
	install -d "$(PREFIX)"/share/bash-completion/completions "$(PREFIX)"/share/zsh/site-functions "$(PREFIX)"/share/fish/vendor_completions.d
	"$(PREFIX)"/bin/mlloop completions bash -o "$(PREFIX)"/share/bash-completion/completions/mlloop
	"$(PREFIX)"/bin/mlloop completions zsh -o "$(PREFIX)"/share/zsh/site-functions/_mlloop
	"$(PREFIX)"/bin/mlloop completions fish -o "$(PREFIX)"/share/fish/vendor_completions.d/mlloop.fish
