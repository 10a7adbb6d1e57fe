# `make demo` and `make test` set everything up; .venv is made when it is missing or older than pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint check clean

.venv/.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
# torch first and pinned: its CPU build is small, while the newest one would bring gigabytes of CUDA packages
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: .venv/.stamp
	$(BIN)/pinnreg solve configs/poisson.yaml

# two workers, then alone what measures clocks or waits for signals; plain pytest runs all one after the other
test: .venv/.stamp
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not serial'
	$(BIN)/python -m pytest -m 'serial and not slow'

slow: .venv/.stamp
	$(BIN)/python -m pytest -m slow

lint: .venv/.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --doctest-modules pinnreg -m ''

check: lint test

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
