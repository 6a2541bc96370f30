# tsdb: build, run, test, measure. `make help` lists the targets.
#
# Every target installs what it needs from the package archives and does nothing twice.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up build test test-fast test-matrix test-faults fuzz bench-migrate bench-backup bench-maintain bench-politeness lint format docs man install clean

PREFIX ?= /usr/local
# The servers that `make test-matrix` runs the server-level tests on.
MATRIX ?= 16 17 18
RELEASE := .build/release/tsdb

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: build ## the whole story on a private server: deploy, tick the checklist, write the report
	@$(RELEASE) deploy || test $$? -eq 2
	@echo
	@$(RELEASE) status
	@echo
	@echo "look at the report, the checklist and its evidence: ls $$(ls -d .tsdb/deployments/*/ | tail -n 1)"
	@echo "look around in the database:                        $(RELEASE) server psql"
	@echo "go back to before this deployment:                  $(RELEASE) rollback"

build: ## the release binary, .build/release/tsdb
	@scripts/require-swift
	@scripts/install-packages build server
	swift build -c release --static-swift-stdlib --product tsdb

test: ## all tests on the installed PostgreSQL, with a sample of the faults
	@scripts/require-swift
	@scripts/install-packages build server test
	scripts/run-tests

test-fast: ## tests that need no server
	@scripts/require-swift
	@scripts/install-packages build
	scripts/run-tests --filter '(SQLSyntax|Migrations|Operations|Compression)Tests'

test-matrix: ## server-level tests on PostgreSQL 16, 17 and 18 (MATRIX="18" for one)
	@scripts/require-swift
	@scripts/install-packages build server test
	scripts/test-matrix $(MATRIX)

test-faults: ## the full count of kills, of tsdb, of backends and of servers
	@scripts/require-swift
	@scripts/install-packages build server test
	TSDB_FAULTS=$${TSDB_FAULTS:-full} scripts/run-tests --filter FaultTests

RUNS ?= 1000000
fuzz: ## the readers of archives and manifests, RUNS inputs each
	@scripts/require-swift
	@scripts/install-packages build
	scripts/fuzz contents $(RUNS)
	scripts/fuzz manifest $(RUNS)
	scripts/fuzz custom $(RUNS)

bench-migrate: build ## speed beside psql, dbmate and Sqitch, in one run
	@scripts/install-packages bench
	scripts/bench-migrate

bench-backup: build ## speed beside pg_dump, pg_restore and others (BENCH_GB=2.2)
	@scripts/install-packages server bench
	scripts/bench-backup

bench-maintain: build ## retention beside other ways to delete (ROWS=4000000)
	@scripts/install-packages server
	scripts/bench-maintain

bench-politeness: build ## what the application feels of each job (JOBS="vacuum")
	@scripts/install-packages server
	scripts/bench-politeness

lint: ## formatting and the rules of the layout
	@scripts/require-swift
	swift format lint --strict -r Sources Tests Package.swift
	scripts/check-layout

format: ## format the sources in place
	swift format -i -r Sources Tests Package.swift

docs: build ## man pages and shell completions, into .build/share
	scripts/make-docs .build/share

man: ## the man pages in docs/man anew, after a change of commands or options
	@scripts/require-swift
	@scripts/install-packages build
	scripts/make-man

install: docs ## the binary, its man page and completions, below PREFIX
	install -D -m 0755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/tsdb
	cp -R .build/share/. $(DESTDIR)$(PREFIX)/share/

clean: ## remove what was built; the private server stays (tsdb server destroy)
	rm -rf .build .build-man .build-postgres
