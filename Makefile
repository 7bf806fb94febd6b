# Everything a newcomer or CI types. Each target installs what is missing first; a second run installs nothing.
PYTHON := .venv/bin/python
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: demo test check format structure escape chaos mutants bench soak e2e-n8n lock install clean

install:
	@./install.sh dev

demo: install
	@.venv/bin/workerctl demo

test: install
	$(PYTHON) -m pytest

format: install
	.venv/bin/ruff check --fix --select I .
	.venv/bin/ruff format .

check: install
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

structure: install
	PYTHONPATH=tests $(PYTHON) -m repository.structure $(STRUCTURE)

escape: install
	PYTHONPATH=tests $(PYTHON) -m escape $(ESCAPE)

chaos: install
	PYTHONPATH=tests $(PYTHON) -m chaos $(CHAOS)

soak: install
	PYTHONPATH=.:tests $(PYTHON) -m soak $(SOAK)

mutants: install
	PYTHONPATH=tests $(PYTHON) -m mutants $(MUTANTS)

bench: install
	$(PYTHON) -m bench $(BENCH)

e2e-n8n: install
	$(PYTHON) -m pytest -m n8n tests/e2e_n8n

lock: install
	$(PYTHON) -m pip install -q pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -o requirements/dev.txt requirements/dev.in
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -c requirements/dev.txt -o requirements/run.txt requirements/run.in
LOCK := --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe

clean:
	rm -rf .venv .venv-peers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
