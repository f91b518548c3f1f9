# Every target does its own set-up: Python 3.11+ and make are all that a machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.demo
READY := $(VENV)/.ready

# Every process of the demo and of the tests would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo up test test-fast test-slow test-soak test-all test-warehouses corpora attack fuzz storm storm-ecs morning bench bench-memory bench-scale bench-starts bench-types bench-profile bench-fanout bench-unload docs screenshots lint stack cost sbom format lock clean

demo: $(DEMO) ## run a demo on this machine: S3, warehouse, Dagster, audits, versions
	@$(BIN)/extract demo

up: $(DEMO) ## run the demo's parts with the Dagster UI, until Ctrl-C
	@$(BIN)/extract up

PYTEST := $(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 20

test: $(READY) ## run all tests but the slow ones, against real servers: within 7 minutes on 2 cores
	$(PYTEST) -m 'not slow and not soak and not own_engine'

FAST := $(addprefix extract_project_tests/,checks formats manifest schema sql test_settings.py test_units.py)

test-fast: $(READY) ## run the tests that need no server but S3 and DuckDB: within a minute
	$(PYTEST) -m 'not slow and not soak and not own_engine' --ignore-glob '*postgres*' $(FAST)

test-slow: $(READY) ## run the slow tests: the command line against a real Dagster, tasks on the local ECS, memory
	$(PYTEST) -m 'slow and not soak and not own_engine'

test-soak: $(READY) ## run what lasts: a storm, a fault at each request, a cancel at each place, the second S3 server
	$(PYTEST) -m soak

test-warehouses: $(READY) ## test ClickHouse against its real engine, in an environment of its own that this makes (0.6 GB)
	$(BIN)/pytest -m own_engine --durations 5 extract_project_tests/warehouses extract_project_tests/cli/test_materialize_clickhouse.py

test-all: $(READY) ## run both at once, as CI does: servers start once, and no worker waits for the last
	$(PYTEST) -m 'not soak and not own_engine'

bench: $(READY) ## compare this project with its peers; writes docs/performance.md
	$(BIN)/python -m bench --scale $(SCALE) --rounds $(ROUNDS)

bench-memory: $(READY) ## measure peak memory at one and at ten times the rows; writes docs/memory.md
	$(BIN)/python -m bench.memory --scale $(SCALE)

bench-scale: $(READY) ## measure manifests of 100, 1,000 and 5,000 SQL files; writes docs/scale.md
	$(BIN)/python -m bench.scale

bench-starts: $(READY) ## measure one small extract through `extract run`, and twelve in one run
	$(BIN)/python -m bench.starts

SPY_ENV := $(VENV)-spy

bench-profile: $(READY) ## show where the time of a run goes; writes docs/profile.md
	$(PYTHON) -m venv $(SPY_ENV) && $(SPY_ENV)/bin/pip install --quiet 'py-spy>=0.4,<0.5'
	$(BIN)/python -m bench.profile --py-spy $(SPY_ENV)/bin/py-spy --scale $(SCALE)

bench-fanout: $(READY) ## measure a backfill of 100 partitions over 15 tasks of the local ECS
	$(BIN)/python -m bench.fanout

bench-unload: $(READY) ## compare `engine: unload` with `stream`: memory and CPU of the run
	$(BIN)/python -m bench.unload

bench-types: $(READY) ## compare how programs write difficult types; writes docs/types.md
	$(BIN)/python -m bench.types

docs: $(READY) ## generate the reference pages of docs/ from the code
	$(BIN)/python -m reference

screenshots: $(READY) ## take the pictures of the README from a running demo; needs Chromium
	$(BIN)/python -m reference.screenshots

attack: $(READY) ## let S3 fail at every request; then run, kill and edit at random, for MINUTES
	$(BIN)/python -m extract_project_tests.support.attack --minutes $(MINUTES) --seed $(SEED)

fuzz: $(READY) ## parse random SQL files for MINUTES
	$(BIN)/python -m extract_project_tests.support.fuzzing --minutes $(MINUTES) --seed $(SEED)

storm: $(READY) ## run an installation under random edits, schedules and kills, for MINUTES
	$(BIN)/python -m extract_project_tests.support.storm --minutes $(MINUTES) --seed $(SEED)

storm-ecs: $(READY) ## run EXTRACTS at once on the local ECS, with faults of every kind
	$(BIN)/python -m extract_project_tests.support.ecs_storm --extracts $(EXTRACTS) --seed $(SEED)

morning: $(READY) ## stage a morning of 200 extracts, some of each fault, and compare what commands say
	$(BIN)/python -m extract_project_tests.support.morning

corpora: $(READY) ## run the guard on foreign SQL: checkouts of other projects' tests below CORPORA
	$(BIN)/python -m extract_project_tests.support.corpora $(CORPORA) --list .bench/corpora.txt

MINUTES ?= 60
EXTRACTS ?= 200
SEED ?= 1
SCALE ?= 1
ROUNDS ?= 3

lint: $(READY) ## check format, lint, types, the order of imports, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

# Environments of their own: neither the CDK (which needs node) nor checkov goes into the locks.
STACK_ENV := $(VENV)-stack
CHECK_ENV := $(VENV)-checkov
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

TEMPLATES := deploy/template.yaml deploy/location.yaml

stack: ## synthesize the AWS stacks; fail if a template in deploy/ differs, or has a finding
	$(PYTHON) -m venv $(STACK_ENV) && $(STACK_ENV)/bin/pip install --quiet aws-cdk-lib==2.275.0 cfn-lint==1.58.0 'mypy>=2.0' types-pyyaml
	$(PYTHON) -m venv $(CHECK_ENV) && $(CHECK_ENV)/bin/pip install --quiet 'checkov>=3.1,<4'
	$(STACK_ENV)/bin/mypy --config-file= --strict --follow-imports silent --python-version 3.11 -p deploy
	$(STACK_ENV)/bin/python -m deploy.stack $(if $(WRITE),,--check)
	$(STACK_ENV)/bin/cfn-lint $(TEMPLATES)
	$(CHECK_ENV)/bin/checkov --file $(TEMPLATES) --framework cloudformation --skip-download --compact --quiet

cost: ## compute the costs of the stack; writes docs/cost.md
	$(PYTHON) -m deploy.cost_page > docs/cost.md

SBOM_ENV := $(VENV)-sbom

sbom: ## list the packages of requirements.lock as CycloneDX; writes dist/sbom.cdx.json
	$(PYTHON) -m venv $(SBOM_ENV) && $(SBOM_ENV)/bin/pip install --quiet --no-deps --only-binary :all: --require-hashes -r deploy/sbom.lock
	mkdir -p dist
	$(SBOM_ENV)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.cdx.json requirements.lock

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## pin every dependency with hashes, for every platform
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet 'uv>=0.13,<0.14'
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) pyproject.toml -o requirements.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) --extra dev pyproject.toml -o requirements-dev.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) --extra embedded -c requirements-dev.lock pyproject.toml -o requirements-demo.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) --extra bigquery -c requirements-dev.lock pyproject.toml -o requirements-warehouses.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) bench/peers/requirements.in -o bench/peers/requirements.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) deploy/sbom.in -o deploy/sbom.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) extract_project_tests/support/ministack/requirements.in -o extract_project_tests/support/ministack/requirements.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) extract_project_tests/support/chdb_server/requirements.in -o extract_project_tests/support/chdb_server/requirements.lock
	rm -rf $(VENV)-lock

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

clean: ## remove everything that the other targets made
	rm -rf $(VENV) $(VENV)-ministack $(VENV)-chdb $(STACK_ENV) $(CHECK_ENV) $(SBOM_ENV) dist .bench .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp holds what has been installed, and where: files that are merely newer, as in a fresh copy of
# the tree, install nothing again. An environment that was copied from elsewhere is made anew. Modules
# are compiled when they are first imported, and not all 20,000 of them beforehand.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile

$(DEMO): requirements-demo.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "this project needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 …")'
	@[ ! -s $@ ] || [ "$$(head -n 1 $@)" = "$(CURDIR)" ] || rm -rf $(VENV)
	@{ echo "$(CURDIR)"; cat $^; } | cmp -s - $@ || { set -x; $(PYTHON) -m venv $(VENV) \
	  && $(PIP) --require-hashes -r requirements-demo.lock && $(PIP) --editable .; }
	@{ echo "$(CURDIR)"; cat $^; } > $@

$(READY): $(DEMO) requirements-dev.lock
	@cat $^ | cmp -s - $@ || { set -x; $(PIP) --require-hashes -r requirements-dev.lock; }
	@cat $^ > $@
