# `make` or `make help` lists the targets.
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(CURDIR)/target
PYTHON ?= python3
PREFIX ?= $(HOME)/.local
SKIPPED := $(CARGO_TARGET_DIR)/skipped.txt
# One more than there are cores: tests wait for servers, sockets and each other.
TEST_THREADS := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
SECONDS ?= 10
FUZZ ?=

.PHONY: help demo test check oldest deny dependencies simulate fuzz mutants neighbours packages bench bench-alarm bench-drift bench-pages bench-quality bench-rare bench-wide browser screenshots soak reference install
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: ## run the whole loop on simulated payments, with an installed mlloop of this commit or a quick build
	rm -rf demo
	@here="($$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null))"; \
	if [ "$$(mlloop --version 2>/dev/null | cut -d' ' -f3)" = "$$here" ]; then mlloop demo demo; \
	else cargo build --profile demo --no-default-features && "$(CARGO_TARGET_DIR)"/demo/mlloop demo demo; fi

test: ## run all tests, and count those that cannot run here
	@mkdir -p "$(CARGO_TARGET_DIR)" && rm -f "$(SKIPPED)"
	MLLOOP_SKIPPED="$(SKIPPED)" RUST_TEST_THREADS="$${RUST_TEST_THREADS:-$(TEST_THREADS)}" cargo test
	@if [ -s "$(SKIPPED)" ]; then sort -u "$(SKIPPED)"; echo "$$(sort -u "$(SKIPPED)" | wc -l) skipped"; fi

check: ## formatting, lints, tests and documentation, as CI does
	cargo fmt --check
	cargo clippy --all-targets --features bench -- -D warnings
	$(MAKE) test
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	$(MAKE) deny

oldest: ## compile with the oldest toolchain that Cargo.toml supports (rustup installs it)
	@oldest="$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"; \
	rustup toolchain install "$$oldest" --profile minimal && cargo "+$$oldest" check --locked

fuzz: ## give every reader damaged input, led by coverage, for SECONDS each (FUZZ=csv takes one)
	scripts/fuzz.sh $(SECONDS) $(FUZZ)

simulate: ## run the long simulations for the figures in docs/methods.md: about an hour
	cargo test --release -- --ignored --nocapture --test-threads 1 --skip fuzz:: --skip report::

mutants: ## mutate the code of small modules, one place at a time, and check that a test fails (cargo install cargo-mutants)
	scripts/mutants.sh $(MUTANTS)

deny: ## check licences, sources and duplicate versions of all dependencies, if cargo-deny is installed (CI also checks known vulnerabilities)
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; \
	else echo "skipped: dependencies are not checked (cargo install --locked cargo-deny)"; fi

dependencies: ## write the tables of docs/dependencies.md anew, after a change of Cargo.toml or Cargo.lock
	$(PYTHON) scripts/dependencies.py

neighbours: ## test against the real MLflow and others, installed under target (NEIGHBOURS="mlflow" runs one); ends with a table
	cargo build
	$(PYTHON) tests/neighbours/run.py $(NEIGHBOURS)

packages: ## build wheel, archive and Debian package for old Linux systems under target/packages, and test each in a clean environment
	$(PYTHON) scripts/packages.py

bench: ## compare speed and memory with the Python peers (creates a virtual environment under target; BENCH="--rows 20000" is quick)
	cargo build --release --features bench --bins --examples
	$(PYTHON) scripts/bench.py $(BENCH)
	$(PYTHON) scripts/bench/pages.py

bench-pages: ## measure the dashboard's pages with 1000 versions, a million predictions, 100 000 labels and 200 columns
	cargo build --release
	$(PYTHON) scripts/bench/pages.py $(BENCH)

browser: ## test the pages in a real browser (installs playwright-core and axe-core from npm into target)
	scripts/browser.sh
	cargo test --test tests browser::

screenshots: ## render every page and report in light and dark, at 390 and 1280 pixels, into target/screenshots
	cargo build --release
	scripts/screenshots.sh

bench-drift: ## count false alarms, misses and delay of monitor and its peers on simulated streams (creates virtual environments under target)
	cargo build --release
	$(PYTHON) scripts/bench_drift.py $(BENCH)

bench-alarm: ## compare delay, labels and false alarms of the loss alarm with other rules (after bench-drift; ELEC2=elec.csv)
	"$(CARGO_TARGET_DIR)"/bench-drift/nannyml/bin/python scripts/bench/alarm.py $(ELEC2)

bench-quality: ## measure models with default settings beside LightGBM, XGBoost, CatBoost and others; writes docs/quality.md (DATA=folder of the public tables)
	cargo build --release
	$(PYTHON) scripts/bench/quality.py "$(CARGO_TARGET_DIR)"/release/mlloop $(DATA) --to docs/quality.md $(BENCH)

bench-rare: ## compare rare classes with scikit-learn's forest and LightGBM (DATA=folder of the public tables; needs both installed)
	cargo build --release
	$(PYTHON) scripts/bench/rare.py target/release/mlloop $(DATA) $(BENCH)

bench-wide: ## measure the CPU of training on wide tables of few rows (BENCH="500x2000" is quick)
	cargo build --release
	$(PYTHON) scripts/bench/wide.py target/release/mlloop $(BENCH)

soak: ## measure predictions under other load, then serve under full load while production changes (SOAK="--minutes 1" is quick)
	cargo build --release --features bench --bins --examples
	$(PYTHON) scripts/bench/isolation.py
	$(PYTHON) scripts/soak.py $(SOAK)

reference: ## recompute the reference numbers of fixtures/ with scipy, scikit-learn and others
	$(PYTHON) scripts/reference.py
	$(PYTHON) scripts/reference_features.py > fixtures/reference/derived.json

install: ## build and install the binary, man pages of every verb and completions under PREFIX
	cargo build --release
	install -Dm755 "$(CARGO_TARGET_DIR)"/release/mlloop "$(PREFIX)"/bin/mlloop
	"$(PREFIX)"/bin/mlloop man --to "$(PREFIX)"/share/man/man1
	install -d "$(PREFIX)"/share/bash-completion/completions "$(PREFIX)"/share/zsh/site-functions "$(PREFIX)"/share/fish/vendor_completions.d
	"$(PREFIX)"/bin/mlloop completions bash -o "$(PREFIX)"/share/bash-completion/completions/mlloop
	"$(PREFIX)"/bin/mlloop completions zsh -o "$(PREFIX)"/share/zsh/site-functions/_mlloop
	"$(PREFIX)"/bin/mlloop completions fish -o "$(PREFIX)"/share/fish/vendor_completions.d/mlloop.fish
