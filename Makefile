# Each target starts from a bare machine with Python 3.10 to 3.13 and make.
#   make demo    draw faces, train, export, verify, and draw from descriptions
#   make test    the tests
#   make check   what CI runs: lint, types, boundaries and the tests
#   make fix     format, and repair what the linter can
#   make bench   measure this machine, beside peers; half an hour at most
#   make bench-guard   whether this checkout is slower than the commit that it comes from
# Another interpreter: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON = python3
VENV = .venv
DEMO = demo
DEMO_FACES = 2500

PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INSTALLED = $(VENV)/.installed
RUNTIME_VENV = $(VENV)-runtime
PEER_VENV = $(VENV)-peer
T2F = $(VENV)/bin/t2f

.DELETE_ON_ERROR:
.PHONY: demo test check lint types boundaries fix bench bench-guard clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert (3, 10) <= sys.version_info[:2] <= (3, 13), "T2F needs Python 3.10 to 3.13; name one with: make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP_INSTALL) --editable '.[dev]'
	touch $@

# No torch and no onnx here: what a kiosk installs, and pytest.
$(RUNTIME_VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(RUNTIME_VENV)
	$(RUNTIME_VENV)/bin/python $(PIP_INSTALL) --editable '.[cpu]' pytest hypothesis
	touch $@

# One folder an artefact; what is there already is not made again. `make clean` starts anew.
demo: $(DEMO)/faces.png
	@echo
	@echo 'faces to look at      $(DEMO)/faces.png'
	@echo 'bundle for a kiosk    $(DEMO)/bundle'
	@echo 'run, with samples     $(DEMO)/run'
	@echo 'drawn training set    $(DEMO)/drawn'
	@echo 'draw one yourself     $(T2F) generate $(DEMO)/bundle "an old man with a white beard" -o face.png'

$(DEMO)/drawn/attributes.jsonl: | $(INSTALLED)
	$(T2F) draw --count $(DEMO_FACES) --size 32 -o $(@D)

# Training goes on where it was interrupted; only a finished run has this file.
$(DEMO)/run/.finished: $(DEMO)/drawn/attributes.jsonl
	$(T2F) train demo --data $(<D) --out $(@D) --cache $(DEMO)/cache
	touch $@

$(DEMO)/bundle/manifest.json: $(DEMO)/run/.finished
	rm -rf $(@D)
	$(T2F) export $(<D) -o $(@D)
	touch $@

$(DEMO)/faces.png: $(DEMO)/bundle/manifest.json docs/demo_descriptions.txt
	$(T2F) verify $(<D)
	$(T2F) generate $(<D) --from docs/demo_descriptions.txt --count 8 --scale 2 -o $@

# One thread: small networks gain nothing from more, and the tests' processes would fight for cores.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --cov

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(INSTALLED)
	$(VENV)/bin/mypy

boundaries: $(INSTALLED) $(RUNTIME_VENV)/.installed
	$(VENV)/bin/lint-imports
	$(RUNTIME_VENV)/bin/python -c 'import importlib.util as u; assert not any(map(u.find_spec, ("torch", "onnx")))'
	$(RUNTIME_VENV)/bin/python -m pytest tests/runtime

check: lint types boundaries test

fix: $(INSTALLED)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Wants a machine that does nothing else. Trained models for the chart of quality against speed:
#   make bench BENCH_OPTIONS='--of "64 pixels" BUNDLE EVALUATION'
bench: $(INSTALLED)
	$(VENV)/bin/python benchmarks/run_all.py $(PEER_VENV) $(BENCH_OPTIONS)

bench-guard: $(INSTALLED)
	$(VENV)/bin/python benchmarks/guard.py $(GUARD_OPTIONS)

clean:
	rm -rf $(DEMO) $(VENV) $(RUNTIME_VENV) $(PEER_VENV)
