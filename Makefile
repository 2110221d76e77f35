# make demo | make test | make check | make docs: each works from a fresh clone with Python >= 3.11 and a package index.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1

SUITE := tests/students tests/cosim tests/robustness tests/notebooks tests/third_party tests/docs

.PHONY: demo emulator test test-fast test-slow slow golden fuzz kill docs check install clean

install: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cosim needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/cosim run demo --out runs/demo

test-fast: $(STAMP)
	$(BIN)/python -m pytest -q tests/architecture tests/energy_models tests/literature

test: test-fast
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" $(SUITE)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow $(SUITE)

golden: $(STAMP)
	$(BIN)/python -m pytest -q tests/golden

docs: $(STAMP)
	rm -rf docs/api/generated docs/notebooks
	$(BIN)/python -m sphinx -E -W --keep-going -q -b html -d build/doctrees docs build/docs

kill: $(STAMP)
	$(BIN)/python -m tests.robustness.kill --count 200 --seed 1

fuzz: $(STAMP)
	$(BIN)/python -m tests.robustness.fuzz --inputs 10000 --seed 1

slow: golden test-slow docs fuzz

emulator: $(STAMP)
	$(BIN)/python -m pytest -q tests/students/test_deploy_emulator.py tests/students/test_plain_c99.py

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache docs/api/generated docs/notebooks
