# The two commands to know: `make quickstart` and `make test`.

SWIFT_BUILD = swift build --configuration release
PHALAROPE = .build/release/phalarope
PREFIX = $(HOME)/.local
SOURCES = Package.swift Sources Solvers Datasets Tests

.PHONY: help build install quickstart test test-deep lint format clean

help:
	@echo "make quickstart   install what is missing, build, and run the whole pipeline (a few minutes)"
	@echo "make test         install what is missing, build, and run the tests"
	@echo "make test-deep    longer checks, run by hand before a release"
	@echo "make build        the release binary $(PHALAROPE)"
	@echo "make install      copy it to $(PREFIX)/bin (PREFIX=... for elsewhere)"
	@echo "make lint         check the format;  make format  apply it"

build:
	scripts/install-dependencies
	$(SWIFT_BUILD) --product phalarope

install: build
	install -D $(PHALAROPE) $(PREFIX)/bin/phalarope
	for config in $$(cd configs && find . -name '*.yaml'); do \
	  install -D --mode=644 configs/$$config $(PREFIX)/share/phalarope/configs/$$config; \
	done

quickstart: build
	scripts/quickstart $(PHALAROPE)

test:
	scripts/install-dependencies --test
	swift build --configuration release --build-tests
	swift test --configuration release --skip-build

test-deep: test
	scripts/test-deep $(PHALAROPE)

lint:
	swift format lint --strict --recursive --parallel $(SOURCES)

format:
	swift format format --in-place --recursive --parallel $(SOURCES)

clean:
	rm -rf .build
