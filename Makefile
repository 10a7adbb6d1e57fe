# `make demo` and `make test` set everything up; .venv is made when it is missing or older than pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
# the tests start processes, each of which would compile the package again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test slow browser lint check docs gallery clean

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
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not browser and not serial'
	$(BIN)/python -m pytest -m 'serial and not slow' $$(grep -l 'mark\.serial' tests/*.py)

slow: .venv/.stamp
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

# pages in Chromium, as Debian's packages chromium and chromium-driver have it
browser: .venv/.stamp
	$(BIN)/python -m pytest -m browser tests/test_browser.py

lint: .venv/.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --doctest-modules pinnreg -m ''

check: lint test

# the site, in build/site/index.html; MkDocs' notice of its next version says nothing of this one
docs: .venv/.stamp
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --config-file docs/mkdocs.yml

# Every picture and page of outputs/gallery, one after the other, in hours; each target can be made alone, and `make -k`
# goes on where a claim of a paper fails. Studies keep their finished runs. Pictures are of runs that no clock stops.
PICTURES := burgers heat plate_hole
STUDIES := $(basename $(notdir $(wildcard configs/study_*.yaml)))
BENCHMARKS := bench_coverage bench_derivatives bench_estimates bench_figures bench_least_squares bench_optimisers bench_peers bench_zoo
EXPERIMENTS := $(addprefix reproduce_,ktv noise_stability noise_injection quadratic jacobian)
RUN := OMP_NUM_THREADS=1 $(BIN)/pinnreg
GALLERY := outputs/gallery

.PHONY: $(PICTURES) analysis $(STUDIES) $(BENCHMARKS) $(EXPERIMENTS)

gallery: $(PICTURES) analysis $(STUDIES) $(EXPERIMENTS) $(BENCHMARKS)

$(PICTURES): .venv/.stamp
	$(RUN) solve $@ --out outputs/pictures/$@ --overwrite
	cp outputs/pictures/$@/error_field.png $(GALLERY)/$@.png

analysis: .venv/.stamp
	$(RUN) solve heat_joint --out outputs/pictures/heat_joint --overwrite
	$(RUN) analyse outputs/pictures/heat_joint
	cp outputs/pictures/heat_joint/analysis.png $(GALLERY)/analysis.png

$(STUDIES): .venv/.stamp
	$(RUN) study $@ --page $(GALLERY)

$(EXPERIMENTS): reproduce_%: .venv/.stamp
	$(RUN) reproduce $* --page $(GALLERY)

bench_coverage: .venv/.stamp
	$(RUN) bench coverage --sets 200 --jobs 2 --page $(GALLERY)

bench_derivatives: .venv/.stamp
	$(RUN) bench derivatives --page $(GALLERY)

bench_estimates: .venv/.stamp
	$(RUN) bench estimates --seeds 3 --jobs 2 --page $(GALLERY)

bench_least_squares: .venv/.stamp
	$(RUN) bench least_squares --page $(GALLERY)

bench_optimisers: .venv/.stamp
	$(RUN) bench optimisers --max-seconds 20 --page $(GALLERY)

# alone in need of more than the tests are: DeepXDE
bench_peers: .venv/.stamp
	$(BIN)/python -m pip install --quiet --editable '.[peers]'
	$(RUN) bench peers --max-seconds 300 --page $(GALLERY)

bench_figures: .venv/.stamp
	$(RUN) bench figures --page $(GALLERY)

bench_zoo: .venv/.stamp
	$(RUN) bench zoo --jobs 2 --page $(GALLERY)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
