# Earshot: `make run` on a fresh machine does everything; `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(BIN)/python
MADE   := var

# pip leaves compiling to the first import, which keeps the result unless it may not:
# compiling all that is never imported would take a third of the set-up.
INSTALL := $(BIN)/pip install --quiet --no-compile -c constraints.txt
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run setup test check fix bench image-check nightly release-check clean

help:            ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(MADE)/data/index/CURRENT   ## set up, make the demo, train, export, index and serve
	$(RUN) -m service serve --data "$${EARSHOT_DATA:-$(MADE)/data}"

setup: $(VENV)/installed   ## create the environment from the pinned dependencies

$(VENV)/python-found:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Earshot needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/python-found
	@echo "Installing the pinned dependencies with pip's own settings: about 1.5 GB with a"
	@echo "CPU build of torch; without one in reach, Linux fetches the CUDA build (several GB)."
	@echo "See 'Installing torch' in README.md."
	$(INSTALL) ".[service,training,frontends]"
	@rm -rf build earshot.egg-info
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) ".[service,training,frontends,dev]"
	@rm -rf build earshot.egg-info
	@touch $@

$(MADE)/demo/manifest.csv: | $(VENV)/installed
	$(RUN) -m training demo --out $(MADE)/demo

$(MADE)/features.h5: $(MADE)/demo/manifest.csv
	$(RUN) -m training prepare $< --frontend audio=logmel --frontend visual=framestats --out $@

$(MADE)/run/evaluation.json: $(MADE)/features.h5
	$(RUN) -m training fit --data $< --method earshot --out $(MADE)/run

$(MADE)/bundle/manifest.json: $(MADE)/run/evaluation.json
	$(RUN) -m training export --run $(MADE)/run --out $(MADE)/bundle

$(MADE)/data/index/CURRENT: $(MADE)/bundle/manifest.json
	$(RUN) -m index build --bundle $(MADE)/bundle --source $(MADE)/demo/manifest.csv \
	  --features $(MADE)/features.h5 --out $(MADE)/data

test: $(VENV)/installed-dev   ## install what the tests need and run them all, one thread per core
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n 2 --dist loadgroup

check: $(VENV)/installed-dev   ## lint, types and import rules; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/installed-dev   ## apply what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(MADE)/data/index/CURRENT $(VENV)/installed-dev   ## benchmarks: a table, and JSON under var/bench
	$(RUN) -m benchmarks
	$(RUN) -m benchmarks load --parts search,beside,overload

image-check: $(VENV)/installed-dev   ## lint the Dockerfiles, check the compose file, build where buildah exists
	docker/check.sh

# The suites whose length a variable sets; `make test` runs a few rounds of each.
LONG := tests/index tests/service/test_kills.py tests/service/test_switch_kills.py \
        tests/service/test_consistency.py tests/service/test_disconnects.py \
        tests/service/test_openapi_fuzz.py tests/service/test_corpus.py \
        tests/service/test_leaks.py tests/service/test_idempotency.py

nightly: CRASH_ROUNDS ?= 200
nightly: FUZZ_EXAMPLES ?= 500
nightly: CONSISTENCY_S ?= 600
nightly: STATE_EXAMPLES ?= 400
nightly: DAMAGE_ROUNDS ?= 100
nightly: $(VENV)/installed-dev   ## kills, consistency, fuzzing and hostile input at length: up to two hours
	OMP_NUM_THREADS=1 EARSHOT_CI=1 EARSHOT_CRASH_ROUNDS=$(CRASH_ROUNDS) \
	  EARSHOT_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) EARSHOT_CONSISTENCY_S=$(CONSISTENCY_S) \
	  EARSHOT_DISCONNECTS=1000 EARSHOT_CORPUS_LIMITS=real EARSHOT_DAMAGE_ROUNDS=$(DAMAGE_ROUNDS) \
	  EARSHOT_LEAK_REPLIES=10000 EARSHOT_KEY_ROUNDS=300 \
	  EARSHOT_STATE_EXAMPLES=$(STATE_EXAMPLES) EARSHOT_STATE_STEPS=60 \
	  $(RUN) -m pytest -q -n 2 --dist loadgroup $(LONG)

release-check: check image-check test   ## what comes before a release: everything, and longer than a night
	$(MAKE) nightly CRASH_ROUNDS=2000 FUZZ_EXAMPLES=2000

clean:           ## remove everything that was made here
	rm -rf $(VENV) $(MADE) build earshot.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
