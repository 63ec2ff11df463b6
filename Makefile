# Two commands work in a fresh clone: `make demo` and `make test`. Both set up .venv themselves.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# Without compiled modules every process of ours compiles them again at its start, and a test run starts hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo up down ps test unit cover check docs format schemas requirements bench chaos load \
        images stand-ins compose-up compose-down compose-logs compose-config secure secure-down test-containers upgrade-test release pythons \
        cluster cluster-down chaos-cluster integration-containers secure-cluster secure-cluster-down rehearse-alerts

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

# ---- set-up: two stamps, so that the demo does not wait for the test tools -------------------------------
$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Autos needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.11 ..." % v[:2])'
	@echo "making $(VENV) (the first time takes about a minute)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.local.stamp: requirements/local.txt pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/local.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev.stamp: requirements/dev.txt $(VENV)/.local.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# A run of the tests starts two dozen brokers; with their classes in an archive each starts in half the time.
$(VENV)/.kafka.stamp: autos/local/kafka.lock $(VENV)/.local.stamp
	@$(BIN)/python -m autos.local.kafka_classes
	@touch $@

# newman runs the Postman collection in the tests where Node is there; without it that one test is skipped.
$(VENV)/.newman.stamp: requirements/newman/package-lock.json | $(BIN)/python
	@if command -v npm >/dev/null; then mkdir -p $(VENV)/newman && cp requirements/newman/*.json $(VENV)/newman && \
	  npm ci --prefix $(VENV)/newman --silent --no-audit --no-fund --ignore-scripts || echo "newman is not to be had: its test is skipped"; fi
	@touch $@

# axe-core looks for barriers in the page, where Node and Chromium are there. No browser is fetched: Debian's is used.
$(VENV)/.browser.stamp: requirements/browser/package-lock.json | $(BIN)/python
	@if command -v npm >/dev/null; then mkdir -p $(VENV)/browser && cp requirements/browser/*.json $(VENV)/browser && \
	  npm ci --prefix $(VENV)/browser --silent --no-audit --no-fund --ignore-scripts || echo "axe-core is not to be had: its test is skipped"; fi
	@touch $@

# Generators of clients and the linter of the OpenAPI document, pinned with hashes; what is not to be had is skipped by its test.
$(VENV)/.clients.stamp: $(wildcard requirements/clients/*) | $(BIN)/python
	@mkdir -p $(VENV)/clients && cp requirements/clients/* $(VENV)/clients
	@cd $(VENV)/clients && if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --ignore-scripts || echo "no client in TypeScript: its test is skipped"; fi
	@cd $(VENV)/clients && if command -v go >/dev/null; then GOTOOLCHAIN=local go build -o oapi-codegen github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen \
	  && GOTOOLCHAIN=local go mod download || echo "no client in Go: its test is skipped"; fi
	@$(BIN)/python -m venv $(VENV)/clients/python && $(VENV)/clients/python/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes -r requirements/clients/python.txt || echo "no client in Python: its test is skipped"
	@touch $@

# The subscribers of docs/examples in Node and Go: their packages, pinned with hashes, and the program; skipped likewise.
$(VENV)/.subscribe.stamp: $(wildcard docs/examples/subscribe/*) | $(BIN)/python
	@mkdir -p $(VENV)/subscribe && cp docs/examples/subscribe/* $(VENV)/subscribe
	@cd $(VENV)/subscribe && if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --ignore-scripts || echo "no subscriber in Node: its tests are skipped"; fi
	@cd $(VENV)/subscribe && if command -v go >/dev/null; then GOTOOLCHAIN=local go build -o subscribe . || echo "no subscriber in Go: its tests are skipped"; fi
	@touch $@

# Sphinx, for `make docs` alone: pinned beside the other sets, so that one environment holds them all.
$(VENV)/.docs.stamp: requirements/docs.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

# The Celery application of `make bench ARGS=peer` and its Redis, apart from what the product and the tests need.
$(VENV)/peer/.stamp: requirements/peer.txt | $(BIN)/python
	@$(PYTHON) -m venv $(VENV)/peer && $(VENV)/peer/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements/peer.txt && touch $@ || echo "the peer's packages are not to be had: its benchmark gives no figure"

# ---- run ------------------------------------------------------------------------------------------------
demo: $(VENV)/.local.stamp ## one case from request to signed webhook, on the embedded stack
	@$(BIN)/autos demo

up: $(VENV)/.local.stamp ## the embedded stack, in the foreground until Ctrl-C
	@$(BIN)/autos up

down: $(VENV)/.local.stamp ## stop a detached stack
	@$(BIN)/autos down

ps: $(VENV)/.local.stamp ## what runs
	@$(BIN)/autos ps

# ---- prove ----------------------------------------------------------------------------------------------
# Six workers, each with servers of its own, one with the product: much of the time is waiting for processes to start
# and to die, so that two cores have room for more of them than two. tests/distribution.py says who runs what. The tests in containers have a target of their own.
test: $(VENV)/.dev.stamp $(VENV)/.docs.stamp $(VENV)/.kafka.stamp $(VENV)/.newman.stamp $(VENV)/.browser.stamp $(VENV)/.clients.stamp $(VENV)/.subscribe.stamp ## every test, on the embedded stack
	@$(BIN)/python -m pytest -n 6 --dist loadfile --ignore=tests/containers $(ARGS)

chaos: $(VENV)/.dev.stamp ## kills, outages and storms, then proof that nothing was lost; ARGS="--rounds 3", AUTOS_CHAOS_SEED repeats
	@$(BIN)/python -m tests.chaos $(ARGS)

rehearse-alerts: $(VENV)/.dev.stamp ## every alert once, on an embedded stack against a real Prometheus (Debian's package prometheus)
	@$(BIN)/python -m pytest -m rehearsal --timeout 600 tests/e2e/alerts $(ARGS)

unit: $(VENV)/.dev.stamp ## the tests without I/O
	@$(BIN)/python -m pytest tests/unit

# Statements and branches, in the services' processes too; what is killed (SIGKILL) leaves no figures.
cover: $(VENV)/.dev.stamp ## unit and integration tests with branch coverage; the report is in htmlcov/
	@rm -f .coverage .coverage.*
	@status=0; $(BIN)/coverage run -m pytest -n 6 --dist loadfile tests/unit tests/integration $(ARGS) || status=$$?; \
	  $(BIN)/coverage combine --quiet && $(BIN)/coverage html --quiet && \
	  $(BIN)/coverage report --skip-covered --sort=cover; exit $$status

bench: $(VENV)/.dev.stamp $(if $(filter peer,$(ARGS)),$(VENV)/peer/.stamp) ## the benchmarks; ARGS="--quick", ARGS="pipeline memory", ARGS=--list
	@$(BIN)/python -m tools.bench $(ARGS)

load: $(VENV)/.dev.stamp ## 100 cases at once through the public API; ARGS="--soak 20" goes on for 20 minutes
	@$(BIN)/python -m tools.bench.load $(ARGS)

check: $(VENV)/.dev.stamp ## format, lint, types, layers, generated files, manifests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.schemas --check
	@$(BIN)/python -m tools.reference --check
	@$(BIN)/python -m tools.diagrams --check
	@$(BIN)/python -m tools.monitoring --check
	@$(BIN)/python -m tools.kubernetes

docs: $(VENV)/.docs.stamp ## the documentation as a site in build/docs, without the network; fails on a broken link, anchor or picture
	@$(BIN)/python -m tools.site

format: $(VENV)/.dev.stamp ## rewrite in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: $(VENV)/.dev.stamp ## write what is generated: docs/events, pages of docs/reference, drawings, the Postman collection, deploy/monitoring
	@$(BIN)/python -m tools.schemas
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.diagrams
	@$(BIN)/python -m tools.monitoring
	@$(BIN)/python -m tools.postman.generate

requirements: $(VENV)/.dev.stamp ## compile requirements/*.in to pinned, hashed sets
	@for set in runtime local $(addprefix images/,api downloader status notifier ops demo) dev clients/python peer; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	    --no-annotate --no-header $(UPGRADE) requirements/$$set.in -o requirements/$$set.txt; done
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	  --constraint requirements/dev.txt $(UPGRADE) requirements/docs.in -o requirements/docs.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	  --constraint requirements/dev.txt docs/examples/subscribe/requirements.in -o docs/examples/subscribe/requirements.txt

# ---- release ----------------------------------------------------------------------------------------------
# Everything but the publication: nothing is pushed, and a tag is made with TAG=yes alone.
release: $(VENV)/.dev.stamp ## check, build, try and sum up a release in build/release; VERSION=x.y.z [TAG=yes] [IMAGES=no] [DEMO=no]
	@test -n "$(VERSION)" || { echo "say which: make release VERSION=x.y.z"; exit 2; }
	@$(BIN)/python -m tools.release $(VERSION) $(if $(filter yes,$(TAG)),--tag) $(if $(filter no,$(IMAGES)),--no-images) $(if $(filter no,$(DEMO)),--no-demo)

# Other interpreters: an environment of its own for each that is there, the unit tests and one way through the product.
PYTHONS ?= python3.12 python3.13
pythons: $(VENV)/.dev.stamp ## unit tests and one end-to-end test on other interpreters; PYTHONS="python3.12 python3.13"
	@tools/release/other-pythons $(PYTHONS)

# ---- Docker Compose ---------------------------------------------------------------------------------------
# Compose 2 is a plugin of docker, Compose 1 (Debian's docker-compose) a program of its own.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

images: $(VENV)/.dev.stamp ## the images of Autos (stand-ins for others where none can be pulled), and their SBOMs in build/sbom
	@deploy/build-images
	@$(BIN)/python -m tools.sbom

stand-ins: $(VENV)/.local.stamp ## images for tests under the upstream names (root on Debian)
	@$(BIN)/python -m tests.containers.stand_ins

compose-up: ## the same with Docker Compose, in the background
	@deploy/build-images
	$(COMPOSE) up --detach --no-build

compose-down: ## stop it; the volumes stay
	$(COMPOSE) down

compose-logs: ## follow its logs
	$(COMPOSE) logs --follow

compose-config: ## validate docker-compose.yml (needs no engine)
	$(COMPOSE) config --quiet

upgrade-test: $(VENV)/.dev.stamp ## a rolling upgrade and rollback in all 24 orders of services; AUTOS_UPGRADE_FROM=COMMIT
	@AUTOS_UPGRADE_ORDERS=24 $(BIN)/python -m pytest -m docker --timeout 10000 tests/containers/test_upgrade.py $(ARGS)

# The passwords are made once and kept in .env.secure, beside the volumes that know them.
SECURE = $(COMPOSE) --env-file .env.secure -f docker-compose.yml -f deploy/compose/secure.yml --profile demo

secure: images ## a secured set-up: TLS everywhere, a user and its rights for each service (docs/how-to/secure.md)
	@test -s .env.secure || (umask 077 && deploy/compose/secrets deploy/compose.demo.env > .env.secure)
	$(SECURE) up --detach --no-build

secure-down: ## stop it; the volumes stay
	$(SECURE) down

SECURE_CLUSTER = AUTOS_API_PORT=$${AUTOS_API_PORT:-8000-8001} $(COMPOSE) --project-name autos-secure-cluster --env-file .env.secure --file docker-compose.yml \
  --file deploy/compose/cluster.yml --file deploy/compose/secure.yml --file deploy/compose/secure-cluster.yml --profile demo

secure-cluster: images ## both at once: three brokers and two databases, secured
	@test -s .env.secure || (umask 077 && deploy/compose/secrets deploy/compose.demo.env > .env.secure)
	$(SECURE_CLUSTER) up --detach --no-build

secure-cluster-down: ## stop it; the volumes stay
	$(SECURE_CLUSTER) down

CLUSTER := $(COMPOSE) --file docker-compose.yml --file deploy/compose/cluster.yml

cluster: images ## three brokers, two databases, two replicas of each service, in the background (docs/reliability.md)
	AUTOS_API_PORT=$${AUTOS_API_PORT:-8000-8001} $(CLUSTER) up --detach --no-build

cluster-down: ## stop it; the volumes stay
	AUTOS_API_PORT=$${AUTOS_API_PORT:-8000-8001} $(CLUSTER) down

chaos-cluster: $(VENV)/.dev.stamp ## kills, pauses and cuts over that cluster, each with its time to recover; AUTOS_CHAOS_SEED repeats
	@$(BIN)/python -m tests.containers.cluster $(ARGS)

integration-containers: $(VENV)/.dev.stamp ## the whole integration folder on servers in containers (needs an engine; test-containers runs a part of it)
	@AUTOS_TEST_STACK=docker $(BIN)/python -m pytest -n 2 --dist loadfile tests/integration $(ARGS)

test-containers: $(VENV)/.dev.stamp ## the Compose set-up from outside, in containers; starts an engine of its own where none answers
	@$(BIN)/python -m pytest -m docker tests/containers $(ARGS)
