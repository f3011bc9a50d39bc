# Entries for people and for CI. Recipes are short: what takes more than a line or two is a script in .ci/.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/holdfast
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

BENCH = $(TARGET_DIR)/release/holdfast-bench $(if $(SEED),--seed $(SEED))
SIMULATE := cargo run --quiet -p holdfast-vrrp --features sim --bin simulate --
INSTRUCTIONS := cargo bench --quiet -p holdfast-vrrp --bench instructions --
FUZZ := node-agent/vrrp/fuzz

# A pipe or a wild-card in a recipe behaves the same everywhere, and a failure within a pipe counts.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
# Cargo uses all cores by itself, and the lab measures time: nothing runs beside it.
.NOTPARALLEL:
.DEFAULT_GOAL := help

.PHONY: help setup packages kubernetes build images images-reproducible demo demo-standalone chaos test unit search sim instructions soak replay fuzz suite suite-kubernetes figures bench bench-quick bench-build bench-core instructions-baseline crds fmt clean \
	cluster cluster-down cluster-status cluster-kubectl \
	lint lint-format lint-shell lint-house lint-clippy lint-docs lint-crds lint-deny

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# === what everything else needs ===

setup: packages $(CARGO_DENY) ## install what the machine lacks (as root); the other entries do so themselves

packages:
	@.ci/packages

# Built for a quick start, not for speed: it runs for two seconds. The build folder outlives an interrupt, so that the next
# attempt goes on from there.
$(CARGO_DENY): | packages
	@echo "Building cargo-deny $(CARGO_DENY_VERSION), once, into $(CACHE): this takes some minutes."
	CARGO_TARGET_DIR=$(CACHE)/build CARGO_PROFILE_DEV_DEBUG=false CARGO_INCREMENTAL=0 \
		cargo install cargo-deny --version $(CARGO_DENY_VERSION) --locked --debug --root $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)
	rm -rf $(CACHE)/build

kubernetes: packages ## build the Kubernetes that the tests run, once for each set of versions: about 8 minutes
	@tests/cluster/build >/dev/null

build: packages ## build all binaries (development profile)
	cargo build --bins

images: packages ## build both container images, and print their digests and sizes; PROFILE=dev for quick ones, as the tests use
	.ci/images $(TARGET_DIR)/images

images-reproducible: packages ## build them twice, in two places, and compare; PROFILE=dev for less time
	.ci/images-reproducible

# === the two commands ===

# The quick images; what each step builds, it says itself.
demo: export PROFILE := dev
demo: kubernetes images ## a Kubernetes of three nodes, Holdfast on it, and everything that can go wrong (as root); cold: 20 minutes
	cargo build -p holdfast-tests --bin holdfast-demo
	$(TARGET_DIR)/debug/holdfast-demo

chaos: CHAOS_PAGE ?= $(if $(ROWS),$(TARGET_DIR)/chaos/chaos,docs/chaos).md
chaos: kubernetes images ## break everything on a Kubernetes of three nodes, and measure it, into docs/chaos.md (as root); ROWS='split impostor' for some
	cargo build -p holdfast-tests --bin holdfast-chaos
	$(TARGET_DIR)/debug/holdfast-chaos --records $(TARGET_DIR)/chaos --markdown $(CHAOS_PAGE) \
		--command 'make chaos$(if $(PROFILE), PROFILE=$(PROFILE))' $(ROWS)

demo-standalone: packages ## without Kubernetes: three nodes hold a VIP (as root); INTERVAL=100ms for fast adverts
	cargo build -p holdfast-node-agent -p holdfast-tests --bin holdfast-agent --bin holdfast-demo-standalone
	$(TARGET_DIR)/debug/holdfast-demo-standalone $(if $(INTERVAL),--interval $(INTERVAL)) $(ARGS)

test: packages ## everything that must pass before a change lands (as root); what CI runs
	@.ci/steps test lint unit instructions search sim suite suite-kubernetes

# === a Kubernetes to play with ===

cluster: kubernetes ## start a control plane and three nodes on this machine (as root); IMAGES='OCI archives' to load
	@cargo run --quiet -p holdfast-tests --bin holdfast-cluster -- up $(IMAGES)

cluster-down: ## end it, and remove all that is left of it
	@cargo run --quiet -p holdfast-tests --bin holdfast-cluster -- down

cluster-status: ## say who runs one, and show its nodes
	@cargo run --quiet -p holdfast-tests --bin holdfast-cluster -- status

cluster-kubectl: ## ask it; ARGS='get nodes -o wide'
	@cargo run --quiet -p holdfast-tests --bin holdfast-cluster -- kubectl $(ARGS)

# === the steps of `make test`, the cheap ones first ===

lint: ## formatting, clippy, docs, dependency rules, licences, generated files
	@.ci/steps lint lint-format lint-shell lint-house lint-clippy lint-docs lint-crds lint-deny

lint-format:
	cargo fmt --all --check
	cargo fmt --manifest-path $(FUZZ)/Cargo.toml --check

lint-shell: packages
	git grep --untracked -lE '^#!.*\b(ba)?sh$$' | xargs shellcheck

lint-house:
	.ci/house-rules

lint-clippy: packages
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	cargo clippy --manifest-path $(FUZZ)/Cargo.toml --target-dir $(TARGET_DIR)/fuzz -- -D warnings

lint-docs: packages
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --all-features --no-deps

lint-crds: packages
	cargo run --quiet -p holdfast-crds --bin crdgen -- --check

lint-deny: $(CARGO_DENY)
	.ci/deny $(CARGO_DENY)

unit: packages ## unit and property tests, checks and the kernel in namespaces of their own, replay of the fuzzing corpus (as root)
	.ci/leaves-nothing cargo test --workspace --exclude holdfast-tests --all-features

instructions: packages ## how many instructions the core takes, against the committed figures
	$(INSTRUCTIONS)

search: packages ## exhaustive search of two and three routers, up to a bound
	cargo run --quiet -p holdfast-vrrp --features sim --bin search

sim: SECONDS ?= 60
sim: packages ## simulate random networks; SECONDS=60
	$(SIMULATE) --seconds $(SECONDS)

# Part of the names of tests that leave no processor to anybody: nothing that measures time runs beside them.
suite: STARVES := gets_no_processor
suite: build ## the lab: agents, keepalived and real packets in network namespaces (as root)
	.ci/leaves-nothing cargo test --no-fail-fast -p holdfast-tests --lib --bins --test lab --test suite -- --skip $(STARVES)
	.ci/leaves-nothing cargo test -p holdfast-tests --test suite $(STARVES) -- --test-threads 1

suite-kubernetes: build kubernetes ## operator and agents against the real Kubernetes (as root)
	PROFILE=dev .ci/images $(TARGET_DIR)/images
	.ci/leaves-nothing cargo test --no-fail-fast -p holdfast-tests --test cluster --test operator --test agent_kubernetes --test policy \
		--test chart --test cluster_nodes --test cluster_end --test demo --test chaos

# === beyond `make test` ===

figures: packages kubernetes ## measure what Holdfast costs a cluster, as a table (as root); ARGS=plan, change or failover for one
	cargo build --release -p holdfast-operator -p holdfast-node-agent -p holdfast-tests \
		--bin holdfast-operator --bin holdfast-agent --bin holdfast-figures
	$(TARGET_DIR)/release/holdfast-figures $(ARGS)

bench: BENCH_REPORT ?= $(if $(ARGS),$(TARGET_DIR)/bench/benchmarks,docs/benchmarks)
bench: bench-build ## measure Holdfast and keepalived side by side, into docs/benchmarks.md (as root): about 40 minutes; ARGS=crash for one subject; SEED=n
	$(BENCH) --command 'make bench$(if $(ARGS), ARGS="$(ARGS)")' --markdown $(BENCH_REPORT).md --json $(BENCH_REPORT).json $(ARGS)

bench-quick: bench-build ## the same with a few runs, printed (as root): less than 5 minutes
	$(BENCH) --quick --command 'make bench-quick$(if $(ARGS), ARGS="$(ARGS)")' --markdown $(TARGET_DIR)/bench/quick.md --json $(TARGET_DIR)/bench/quick.json $(ARGS)

bench-build: packages
	cargo build --release -p holdfast-node-agent -p holdfast-tests --bin holdfast-agent --bin holdfast-bench

bench-core: packages ## how long the core takes, by the clock; ARGS=handle for some cases
	cargo bench -p holdfast-vrrp --bench timings -- $(ARGS)

instructions-baseline: packages ## write the figures of `make instructions` anew, after a change that is meant to alter them
	$(INSTRUCTIONS) --write

soak: SECONDS ?= 3600
soak: packages ## simulate for long; SECONDS=3600; a failure prints its seed
	$(SIMULATE) --soak $(SECONDS)

replay: packages ## run one seed again, step by step; SEED=n
	$(SIMULATE) --seed $(or $(SEED),$(error name the seed: make replay SEED=n))

fuzz: SECONDS ?= 60
fuzz: TARGET ?= scenario
fuzz: packages ## look for inputs that break a rule; TARGET=scenario SECONDS=60
	$(FUZZ)/run.sh $(TARGET) $(SECONDS)

crds: packages ## write crds/yaml and docs/reference.md anew from the Rust types
	cargo run --quiet -p holdfast-crds --bin crdgen

fmt: ## format all Rust code
	cargo fmt --all
	cargo fmt --manifest-path $(FUZZ)/Cargo.toml

clean: ## remove what was built here; tools in the cache folder stay
	cargo clean
