# Each target sets up .venv by itself, with Python 3.11 or newer; PYTHON=python3.12 chooses another one.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1

.PHONY: verify test check bench bench-quick bench-peers third-parties clean

verify: .venv/run
	$(BIN)/twingrad verify

test: check
	$(BIN)/pytest -n 2 --dist loadgroup -p no:benchmark

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench bench-quick: .venv/dev
	mkdir -p build/bench
	$(BIN)/pytest benchmarks $(if $(filter bench-quick,$@),--quick) --benchmark-json=build/bench/$@.json --benchmark-autosave

bench-peers: .venv/dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[third-parties]'
	-$(BIN)/pip install --quiet -c constraints.txt numba jax
	$(BIN)/pytest benchmarks -m peers

third-parties: .venv/dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[third-parties]'
	$(BIN)/pytest -m third_party

clean:
	rm -rf .venv build

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; see PYTHON in the Makefile")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/run: .venv/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

.venv/dev: .venv/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@ .venv/run
