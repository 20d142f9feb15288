# Everything a developer or a user does here, one command each. `make help` lists them.
# Needs: make, Python 3.10 or later; the rest is installed by the targets themselves.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
DEMO_ARGS ?=
BENCH_ARGS ?=
FUZZ_TARGETS ?=
SANITIZE_TESTS ?= tests/unit tests/oracle tests/property tests/faults tests/hardening tests/compat tests/transport \
	tests/integration
THREADED_TESTS ?= tests/unit/rows/test_schema_cache.py tests/unit/rpc tests/unit/clients/test_flights.py \
	tests/unit/clients/test_schema_flights.py tests/unit/clients/test_transport.py tests/hardening/test_threads.py \
	tests/hardening/test_threads_alone.py

# Of both, what fits into CI: the C core's own tests, and what hostile input and want of memory do.
SANITIZE_QUICK_TESTS ?= tests/unit/rpc tests/unit/rows tests/unit/results tests/unit/vectors tests/unit/requests \
	tests/hardening/test_allocation_failures.py tests/hardening/test_hostile_objects.py \
	tests/transport/test_bytes.py

BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
C_SOURCES := $(shell find csrc -name '*.[ch]' -not -path 'csrc/tests/*')

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up: each stamp is newer than what it was made from, so a second run costs nothing ---

$(STAMPS)/system: tools/system_packages.sh
	PYTHON="$(PYTHON)" tools/system_packages.sh
	mkdir -p $(@D) && touch $@

$(STAMPS)/venv: $(STAMPS)/system
	"$(PYTHON)" -m venv $(VENV)
	$(PIP) --upgrade pip "setuptools>=77"
	touch $@

# The package itself, in editable form: _core is built in place and found in the source tree.
$(STAMPS)/package: pyproject.toml setup.py $(STAMPS)/venv
	$(PIP) --no-build-isolation --editable '.[lite]'
	touch $@

$(STAMPS)/test-packages: pyproject.toml $(STAMPS)/package
	$(PIP) --no-build-isolation --editable '.[lite,test]'
	touch $@

# Go compiles a server that the tests call; openssl makes a certificate where trustme may not be had.
$(STAMPS)/test-system: tools/system_packages.sh
	PYTHON="$(PYTHON)" tools/system_packages.sh golang-go openssl
	mkdir -p $(@D) && touch $@

$(STAMPS)/built: $(C_SOURCES) setup.py $(STAMPS)/package
	$(BIN)/python setup.py --quiet build_ext --inplace --parallel 2
	touch $@

# The Go SDK is a peer of the benchmarks: a `go` new enough for it, or one of our own in .venv.
# So is the Node SDK, whose packages go beside its program.
$(STAMPS)/bench: pyproject.toml tools/go_toolchain.sh tools/node_packages.sh \
		benchmarks/peers/node/package-lock.json $(STAMPS)/built
	tools/system_packages.sh valgrind
	$(PIP) --no-build-isolation --editable '.[lite,bench]'
	tools/go_toolchain.sh benchmarks/peers/go/go.mod $(BIN)
	tools/node_packages.sh benchmarks/peers/node
	touch $@

.PHONY: build
build: $(STAMPS)/built ## set up .venv and build the package in place

# --- what people run ---

.PHONY: demo
demo: $(STAMPS)/built ## insert 100,000 vectors into milvus-lite, search, query, delete; beside pymilvus
	$(BIN)/python tools/demo.py $(DEMO_ARGS)

.PHONY: test
test: $(STAMPS)/built $(STAMPS)/test-packages $(STAMPS)/test-system ctest ## run all tests, on real servers too
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

.PHONY: ctest
ctest: $(STAMPS)/system ## run the C unit tests, under ASan and UBSan
	tools/ctest.sh

.PHONY: fuzz
fuzz: $(STAMPS)/system ## run the libFuzzer targets for FUZZ_SECONDS (60) each
	tools/system_packages.sh clang libclang-rt-dev
	tools/fuzz.sh $(FUZZ_TARGETS)

.PHONY: sanitize
sanitize: $(STAMPS)/built $(STAMPS)/test-packages $(STAMPS)/test-system ## run the tests under ASan and UBSan, those with threads under TSan
	PYTHON=$(BIN)/python tools/sanitize.sh address $(SANITIZE_TESTS) -q -n 2 --dist loadfile --timeout 900
	PYTHON=$(BIN)/python tools/sanitize.sh thread -q -n 0 --timeout 900 $(THREADED_TESTS)

.PHONY: coverage
coverage: $(STAMPS)/built $(STAMPS)/test-packages $(STAMPS)/test-system ## lines and branches that the tests reach, in build/coverage
	$(PIP) --no-build-isolation --editable '.[lite,test,coverage]'
	PYTHON=$(BIN)/python tools/coverage.sh -q -n 2 --dist loadfile --timeout 900 $(PYTEST_ARGS)

.PHONY: sanitize-quick
sanitize-quick: $(STAMPS)/built $(STAMPS)/test-packages $(STAMPS)/test-system ## of sanitize what takes three minutes, for CI
	PYTHON=$(BIN)/python tools/sanitize.sh address $(SANITIZE_QUICK_TESTS) -q -n 2 --dist loadfile --timeout 900

.PHONY: test-pymilvus
test-pymilvus: OLDER_PYMILVUS ?= pymilvus>=2.6,<2.7
test-pymilvus: $(STAMPS)/built $(STAMPS)/test-system ## compare with the newest pymilvus 2.6; what it lacks is skipped by name
	"$(PYTHON)" -m venv build/pymilvus26
	build/pymilvus26/bin/python -m pip install -qq --disable-pip-version-check "$(OLDER_PYMILVUS)" orjson certifi \
		hpack "hypothesis>=6.100" ml_dtypes numpy "pytest>=8" "pytest-asyncio>=0.24" pytest-timeout \
		pytest-xdist scipy trustme
	build/pymilvus26/bin/python -m pytest -p no:cacheprovider -q -n 2 --dist loadfile tests/oracle \
		tests/compat/test_kinship.py tests/compat/test_submodules.py tests/unit/clients/test_errors.py \
		tests/unit/clients/test_imports.py

.PHONY: analyze
analyze: $(STAMPS)/built ## gcc and clang at -O0 and -O3, gcc -fanalyzer, clang's analyzer, clang-tidy
	tools/system_packages.sh clang clang-tidy
	PYTHON=$(BIN)/python tools/analyze.sh

.PHONY: test-pythons
test-pythons: $(STAMPS)/system ## run the unit tests on each CPython that is found, a debug build too
	tools/pythons.sh

.PHONY: test-nogil
test-nogil: $(STAMPS)/system ## build a CPython without the GIL, run the tests with threads that need nothing else
	tools/free_threaded.sh

.PHONY: lint
lint: $(STAMPS)/built $(STAMPS)/test-packages ## ruff, mypy --strict, stubtest, and the C compilers with warnings as errors
	PATH="$(CURDIR)/$(BIN):$$PATH" tools/lint.sh

.PHONY: bench
bench: $(STAMPS)/bench ## measure beside pymilvus, the Go and Node SDKs and plain C; renders docs/performance.md
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.run $(BENCH_ARGS)

.PHONY: bench-quick
bench-quick: $(STAMPS)/bench ## the headline cases of bench in two minutes, printed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.run --quick

.PHONY: wheel
wheel: $(STAMPS)/system ## build a wheel that needs nothing but pip, and try it in a clean environment
	PYTHON="$(PYTHON)" tools/wheel.sh

.PHONY: proto
proto: ## regenerate csrc/proto/control.pb-c.* from control.proto (needs protoc-c)
	tools/proto.sh

.PHONY: clean
clean: ## remove everything the targets have made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		benchmarks/peers/node/node_modules
	rm -f milvus_native/_core.*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
