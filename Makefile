# Each target sets up .venv itself, with Python 3.11 or newer. PYTHON=python3.12 chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1

.PHONY: verify test test-long test-pages test-wheel check bench bench-quick bench-peers read mutants third-parties vectors rows \
	digests figures figures-all clean

verify: .venv/run
	mkdir -p build
	$(BIN)/twingrad verify --json build/verify.json

test: check
	$(BIN)/pytest -n 2 --dist loadgroup -p no:benchmark

test-long: .venv/dev
	$(BIN)/pytest -m long -p no:benchmark

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench bench-quick: .venv/dev
	mkdir -p build/bench
	$(BIN)/pytest benchmarks $(if $(filter bench-quick,$@),--quick) --benchmark-json=build/bench/$@.json --benchmark-autosave \
		--tables build/bench/$@.txt

bench-peers: .venv/dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[third-parties]'
	-$(BIN)/pip install --quiet -c constraints.txt numba jax
	mkdir -p build/bench
	$(BIN)/pytest benchmarks -m peers --tables build/bench/$@.txt

read: .venv/read
	$(BIN)/twingrad read --html build/read

test-pages: .venv/pages
	$(BIN)/pytest -m pages -p no:benchmark

test-wheel: .venv/wheel
	$(BIN)/pytest -m wheel -p no:benchmark

# with BLAS threads, mutants that are only slow would time out; mutmut's folder remembers what older tests killed
mutants: export OPENBLAS_NUM_THREADS = 1
mutants: export MKL_NUM_THREADS = 1
mutants: .venv/dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[mutants]'
	rm -rf mutants
	mkdir -p build
	$(BIN)/mutmut run --max-children 2
	$(BIN)/python -m tests.tools.mutants

third-parties: .venv/dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[third-parties]'
	$(BIN)/pytest -m third_party
	mkdir -p build
	$(BIN)/python -m tests.third_parties.gradient_checkers > build/gradient-checkers.txt

# compute all exact values again, and compare them byte by byte with the committed vectors
vectors: .venv/run
	rm -rf build/vectors
	$(BIN)/twingrad vectors write build/vectors
	diff -r build/vectors reference/vectors/data

# append the rows of options and the digests of ids that new options and cases need; nothing else is changed
rows digests: .venv/run
	$(BIN)/python -m reference.catalogue.$(if $(filter rows,$@),grow,digests)

# write the figures in the READMEs: the quick ones, and those that other targets left in build/
figures: .venv/dev
	$(BIN)/python -m tests.tools.figures

# also the slow figures: sensitivity, mistakes, train
figures-all: .venv/dev
	$(BIN)/python -m tests.tools.figures --all

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

.venv/read: .venv/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[read]'
	touch $@ .venv/run

.venv/wheel: .venv/dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,test-wheel]'
	touch $@

.venv/pages: .venv/dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,test-pages]'
	touch $@
