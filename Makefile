# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
export ENGAGEMENT_PUBLIC_URL ?= http://localhost:$(PORT)
# Tests start hundreds of processes, which need not compile the same modules each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test bench lock

run: $(VENV)/run.installed
	$(BIN)/engagement demo
	@echo
	STREAMLIT_SERVER_PORT=$(PORT) $(BIN)/python app.py

test: $(VENV)/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/bandit -q -ll -c pyproject.toml -r engagement pages app.py
	$(BIN)/python tests/known_weaknesses.py
	$(BIN)/python tests/browser/chromium.py
	@# Browsers run beside the rest, and what they say is shown after it. More workers than the two cores: tests of pages
	@# and of killed processes wait for much of their time.
	@said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
	$(BIN)/python -m pytest -n 1 -m browser >"$$said" 2>&1 & browsers=$$!; \
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not browser"; others=$$?; \
	wait $$browsers; browsers=$$?; cat "$$said"; exit $$((others || browsers))

bench: $(VENV)/test.installed
	$(BIN)/engagement bench

# Both are hashed and name no index: pip asks whichever it is set up with.
$(VENV)/run.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.installed: requirements-test.lock $(VENV)/run.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# After a change of the dependencies in pyproject.toml.
lock: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --extra test --constraint requirements.lock --output-file requirements-test.lock pyproject.toml
