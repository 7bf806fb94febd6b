# Everything a newcomer or CI types. Each target installs what is missing first; a second run installs nothing.
PYTHON := .venv/bin/python

# Else each process of the tests, each worker and each command that they start compiles all of its files again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test unit coverage check types rules format structure escape fuzz chaos alerts fresh rolling rollouts scale mutants bench soak \
  handover browser-faults profiles-load status-screenshots e2e-n8n n8n-node api-fuzz playwright-suite \
  image image-test sbom sdk package release publish manifests scan canary lock install clean

install:
	@./install.sh dev

demo: install
	@.venv/bin/workerctl demo

# Some at a time: most tests start processes of their own. Then the tests that need the machine to themselves.
# Those of whole workers wait more than they compute: four processes keep two cores busy (ADR 121).
PROCESSES ?= 4
PARALLEL = -n $(PROCESSES) --no-loadscope-reorder

# Their files alone: to collect all tests takes several seconds.
EXCLUSIVE = $(shell grep -rl --include='test_*.py' 'mark\.exclusive' tests)

# `make check` runs them.
CHECKED := --ignore=tests/repository

# make test TEST=tests/queue runs only these, one after the other.
test: install
ifdef TEST
	$(PYTHON) -m pytest $(TEST)
else
	$(PYTHON) -m pytest $(PARALLEL) $(CHECKED) -m "not n8n and not image and not exclusive"
	$(PYTHON) -m pytest -m "not n8n and not image and exclusive" $(EXCLUSIVE)
endif

# Without Redis, browser and sandbox.
UNIT := -q -n logical --no-loadscope-reorder $(CHECKED) -m "not (redis or browser or sandbox or n8n or image or exclusive)"

unit: install
	$(PYTHON) -m pytest $(UNIT)

coverage: install
	$(PYTHON) -m pytest $(UNIT) --cov --cov-report=term:skip-covered --cov-report=html

format: install
	.venv/bin/ruff check --fix --select I .
	.venv/bin/ruff format .

# Both at a time: mypy takes as long as the other checks together.
check: install
	@$(MAKE) --no-print-directory --output-sync=target -j 2 types rules

types:
	.venv/bin/mypy

rules:
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/lint-imports
	$(PYTHON) -m pytest -q tests/repository

# Pictures of the status page in docs/images, from a real worker with the jobs of the demo.
status-screenshots: install
	PYTHONPATH=.:tests $(PYTHON) -m status_screenshots

structure: install
	PYTHONPATH=tests $(PYTHON) -m repository.structure $(STRUCTURE)

escape: install
	PYTHONPATH=tests $(PYTHON) -m escape $(ESCAPE)

fuzz: install
	PYTHONPATH=tests $(PYTHON) -m fuzz $(FUZZ)

# schemathesis over the OpenAPI document. API_FUZZ="--examples 1000 --seed 2"
api-fuzz: install
	PYTHONPATH=tests $(PYTHON) -m api_fuzz $(API_FUZZ)

chaos: install
	PYTHONPATH=tests $(PYTHON) -m chaos $(CHAOS)

soak: install
	PYTHONPATH=.:tests $(PYTHON) -m soak $(SOAK)

handover: install
	PYTHONPATH=.:tests $(PYTHON) -m handover $(HANDOVER)

browser-faults: install
	PYTHONPATH=.:tests $(PYTHON) -m browser_faults $(BROWSER_FAULTS)

profiles-load: install
	PYTHONPATH=.:tests $(PYTHON) -m profiles_load $(PROFILES_LOAD)

alerts: install
	PYTHONPATH=.:tests $(PYTHON) -m alerts $(ALERTS)

# README's commands on bare roots of distributions: needs root, debootstrap and podman. FRESH="--releases debian-13 -- 'make demo'"
fresh:
	PYTHONPATH=tests /usr/bin/python3 -m fresh $(FRESH)

# Two versions on one Redis. ROLLING="--before v0.9.0"
rolling: install
	PYTHONPATH=.:tests $(PYTHON) -m rolling $(ROLLING)

rollouts: install
	PYTHONPATH=.:tests $(PYTHON) -m rollouts $(ROLLOUTS)

# Thousands of connections: `ulimit -n` has to allow them. Nothing else should use the machine. SCALE="--shards 1 --workers 200"
scale: install
	PYTHONPATH=.:tests $(PYTHON) -m scale $(SCALE)

mutants: install
	PYTHONPATH=tests $(PYTHON) -m mutation $(MUTANTS)

bench: install
	$(PYTHON) -m bench $(BENCH)

# The tests of the n8n node need what `make n8n-node` writes. E2E_N8N="--n8n-executions 500 --n8n-kills 5" kills more often.
e2e-n8n: install
	$(PYTHON) -m pytest -m n8n tests/e2e_n8n $(E2E_N8N)

# Lint, tests and package of the n8n node, into dist/. Needs Node.js 22 and npm; no check of the other targets needs them.
n8n-node:
	cd n8n/n8n-nodes-pageworker && npm install --ignore-scripts --no-audit --no-fund && npm run lint && npm test && npm run build
	mkdir -p dist && cd n8n/n8n-nodes-pageworker && npm pack --pack-destination ../../dist

# BASE: a Debian 12 image by its digest (docs/container.md). OPTIONS: more options of `podman build`.
image:
	deploy/container/build.sh "$(BASE)" headless $(OPTIONS)
	deploy/container/build.sh "$(BASE)" full $(OPTIONS)

image-test: install
	$(PYTHON) -m pytest -m image tests/image

# IMAGE: the image whose parts the document lists. It is written to OUT. OPTIONS of podman: --runtime runc
IMAGE := localhost/pageworker:headless
OUT := sbom.cdx.json

sbom: install
	.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --target .venv-sbom -r requirements/sbom.txt
	PYTHONPATH=.venv-sbom $(PYTHON) deploy/container/sbom.py "$(IMAGE)" $(OPTIONS) > "$(OUT)"

# SUITE=FOLDER: a checkout of playwright-python. FILES="test_click.py": only these, and docs/sdk.md stays as it is.
playwright-suite: install
	PYTHONPATH=.:tests $(PYTHON) -m playwright_suite $(SUITE) $(FILES)

# The wheel of `pageworker-sdk`, in dist/. Built from a copy: setuptools leaves folders beside what it builds.
sdk: install
	rm -rf build/sdk && mkdir -p build/sdk && cp -RL runner/pyproject.toml runner/LICENSE runner/pageworker build/sdk
	$(PYTHON) -m pip wheel -q --disable-pip-version-check --no-index --no-deps --no-build-isolation -w dist build/sdk

# Manifests of Kubernetes, Nomad's job and the workflows, against their schemas. Needs kubectl.
manifests: install
	deploy/checks/manifests.sh

# REGISTRY: host and name for the images of `make release`. OPTIONS: of `podman push`.
publish: install
	$(PYTHON) deploy/release/publish.py "dist/pageworker-$$(sed -n 's/^version = //p' setup.cfg)" "$(REGISTRY)" -- $(OPTIONS)

# OVERLAY: folder of the kustomization that the cluster has. IMAGE: NAME@sha256:…. CANARY="--jobs 200 --deadline 30m". Needs kubectl.
canary: install
	$(PYTHON) deploy/release/canary.py $(CANARY) "$(OVERLAY)" "$(IMAGE)"

# checkov and pip-audit. Needs kubectl, and an index of packages that has advisories.
scan: install
	deploy/checks/scan.sh

# Wheel and sdist, in dist/. Built twice, compared, and installed into a new environment, where the demo runs.
package: install
	deploy/release/package.sh dist

# BASE as for `image`. RELEASE=--snapshot: without a section in CHANGELOG.md. RELEASE="--runtime runc": options of podman
# itself. OPTIONS: of `podman build`.
release: install
	.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --target .venv-sbom -r requirements/sbom.txt
	PYTHONPATH=.venv-sbom $(PYTHON) deploy/release/release.py $(RELEASE) dist "$(BASE)" -- $(OPTIONS)

lock: install
	$(PYTHON) -m pip install -q pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -o requirements/dev.txt requirements/dev.in
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -c requirements/dev.txt -o requirements/run.txt requirements/run.in
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -o requirements/fuzz.txt requirements/fuzz.in
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -o requirements/api-fuzz.txt requirements/api-fuzz.in
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -o requirements/sbom.txt requirements/sbom.in
	CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile -q $(LOCK) -o requirements/deploy.txt requirements/deploy.in
LOCK := --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe

clean:
	rm -rf .venv .fuzz .api-fuzz .venv-deploy .venv-peers .venv-playwright-suite .venv-sbom build dist *.egg-info .mypy_cache .ruff_cache \
	  .pytest_cache .import_linter_cache .coverage htmlcov n8n/n8n-nodes-pageworker/node_modules \
	  n8n/n8n-nodes-pageworker/dist n8n/n8n-nodes-pageworker/build-tests
	find . -name __pycache__ -prune -exec rm -rf {} +
