# The two commands to know: `make quickstart` and `make test`.

SWIFT_BUILD = swift build --configuration release
PHALAROPE = .build/release/phalarope
PREFIX = $(HOME)/.local
SOURCES = Package.swift Sources Solvers Datasets Tests

.PHONY: help build install quickstart test test-deep test-sanitized lint format clean

help:
	@echo "make quickstart   install what is missing, build, and run the whole pipeline (a few minutes)"
	@echo "make test         install what is missing, build, and run the tests"
	@echo "make test-deep    longer checks, run by hand before a release"
	@echo "make test-sanitized   the tests with every access to memory checked (15 minutes)"
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

# The commands are not among them: they are built as users have them; neither is what limits a program's address space.
SANITIZED = --configuration release --sanitize=address --scratch-path .build/sanitized
test-sanitized:
	scripts/install-dependencies --test
	swift build $(SANITIZED) --build-tests
	ASAN_OPTIONS=detect_leaks=0 swift test $(SANITIZED) --skip-build --skip 'CommandTests|MutationTests'

lint:
	swift format lint --strict --recursive --parallel $(SOURCES)

format:
	swift format format --in-place --recursive --parallel $(SOURCES)

clean:
	rm -rf .build
