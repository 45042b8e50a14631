# SPDX-License-Identifier: Apache-2.0
#
# make help lists what can be asked for. Settings:
#   O=DIR       where everything built goes (default: build, or build-<SAN>)
#   SAN=LIST    sanitizers: address,undefined or thread
#   V=1         show the commands
#   WERROR=1    a warning is an error (on in `make check`)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/bash

comma := ,
SAN ?=
ifneq ($(filter-out address undefined thread,$(subst $(comma), ,$(SAN))),)
$(error SAN=$(SAN): use address,undefined or thread)
endif
O ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))

ifeq ($(V),1)
Q :=
else
Q := @
endif

# --- Debian packages -------------------------------------------------------------------------------------------------------------
PKGS_DEBIAN := gcc libc6-dev pkg-config libcgroup-dev libcyaml-dev libyaml-dev libbsd-dev libjansson-dev libzstd-dev libsystemd-dev \
	libssl-dev libelf-dev libdw-dev zlib1g-dev libcmocka-dev gnuplot-nox fonts-dejavu-core zstd jq wrk python3-pytest ca-certificates
PKGCONFIG := libcgroup libcyaml yaml-0.1 libbsd jansson libzstd libsystemd libcrypto libelf libdw zlib

# --- compiler ----------------------------------------------------------------------------------------------------------------------
CC ?= cc
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 \
	-Wswitch-enum -Wconversion -Wno-sign-conversion -Wundef $(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# Another user's clone (make deps by one, sudo make check by the other) has its version all the same.
VERSION := $(shell git -c safe.directory='$(CURDIR)' describe --always --dirty --tags 2>/dev/null || echo unknown)
# CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS are the user's: they come on top, from the command line too, and take nothing away.
OUR_CPPFLAGS := -D_GNU_SOURCE -Iharness $(shell pkg-config --cflags $(PKGCONFIG) 2>/dev/null) $(CPPFLAGS)
OUR_CFLAGS := -std=gnu17 $(OPT) $(WARN) $(SANFLAGS) -pthread $(CFLAGS)
OUR_LDLIBS := $(shell pkg-config --libs $(PKGCONFIG) 2>/dev/null) -lm -pthread $(LDLIBS)

ROOMS := base plan build gostate run record analyse compare render cmd
LIB_SRC := $(wildcard $(ROOMS:%=harness/%/*.c))
LIB_ASM := $(wildcard $(ROOMS:%=harness/%/*.S))
LIB_OBJ := $(LIB_SRC:harness/%.c=$O/obj/%.o) $(LIB_ASM:harness/%.S=$O/obj/%.o)
HEADERS := $(wildcard $(ROOMS:%=harness/%/*.h))
UNIT_SRC := $(wildcard harness/tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:harness/tests/unit/%.c=$O/tests/%)
STIMULI := $(patsubst harness/tests/stimuli/%.c,$O/stimuli/%,$(wildcard harness/tests/stimuli/*.c)) \
	$O/stimuli/clock-static $O/stimuli/clock_family-static
STIMULI_HEADERS := $(wildcard harness/tests/stimuli/*.h)

all: $O/memtide ## builds build/memtide

# Without pkg-config's answers nothing compiles: say which packages are missing instead.
$O/.have-libraries: Makefile
	@mkdir -p $(@D)
	@for c in $(firstword $(CC)) pkg-config; do command -v $$c >/dev/null || { echo "memtide: $$c is missing: run 'make deps'" >&2; exit 1; }; done
	@missing=; for p in $(PKGCONFIG); do pkg-config --exists $$p || missing="$$missing $$p"; done; [ -z "$$missing" ] || { \
		echo "memtide: libraries are missing:$$missing: run 'make deps', which installs" $(filter lib%-dev,$(PKGS_DEBIAN)) >&2; exit 1; }
	@touch $@

# Objects made with other flags are made again. -Werror apart: it changes no object, and `make` and `make check` alternate.
FLAGS := $(CC) $(OUR_CPPFLAGS) $(filter-out -Werror,$(OUR_CFLAGS)) $(LDFLAGS) $(OUR_LDLIBS)
$O/.flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(FLAGS)' | cmp -s - $@ || printf '%s\n' '$(FLAGS)' > $@

$O/memtide: $O/obj/memtide.o $O/libmemtide.a
	@echo "  LINK    $@"
	$Q$(CC) $(OUR_CFLAGS) $(LDFLAGS) -o $@ $^ $(OUR_LDLIBS)

$O/libmemtide.a: $(LIB_OBJ)
	$Qrm -f $@ && $(AR) rcs $@ $^

$O/obj/%.o: harness/%.c $O/.flags | $O/.have-libraries
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(CC) $(OUR_CPPFLAGS) $(OUR_CFLAGS) -MMD -MP -c -o $@ $<

$O/obj/%.o: harness/%.S $O/.flags | $O/.have-libraries
	@mkdir -p $(@D)
	@echo "  AS      $<"
	$Q$(CC) -g -c -o $@ $<

$O/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define MEMTIDE_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define MEMTIDE_VERSION "$(VERSION)"' > $@
$O/obj/memtide.o $O/obj/cmd/run_json.o: private OUR_CPPFLAGS += -include $O/version.h
$O/obj/memtide.o $O/obj/cmd/run_json.o: $O/version.h

$O/tests/%: harness/tests/unit/%.c $O/libmemtide.a $O/.flags
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	$Q$(CC) $(OUR_CPPFLAGS) $(OUR_CFLAGS) -Wno-missing-prototypes -MMD -MP $(LDFLAGS) -o $@ $< $O/libmemtide.a $(OUR_LDLIBS) -lcmocka

# Stimuli are measured, so they are plain: no sanitizer.
STIMULI_CC = $(CC) -D_GNU_SOURCE -std=gnu17 -O1 -g $(WARN) -pthread
$O/stimuli/%: harness/tests/stimuli/%.c $(STIMULI_HEADERS)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(STIMULI_CC) -o $@ $< -lm

# The same without a dynamic linker, which looks up the vDSO otherwise.
$O/stimuli/%-static: harness/tests/stimuli/%.c $(STIMULI_HEADERS)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(STIMULI_CC) -static -o $@ $< -lm

# Small programs that ask the library what the tests want to know.
PROBES := $(patsubst harness/tests/probe/%.c,$O/probe/%,$(wildcard harness/tests/probe/*.c))
$O/probe/%: harness/tests/probe/%.c $O/libmemtide.a $O/.flags
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(CC) $(OUR_CPPFLAGS) $(OUR_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $O/libmemtide.a $(OUR_LDLIBS)

FUZZERS := $(patsubst harness/tests/fuzz/%.c,$O/fuzz/%,$(wildcard harness/tests/fuzz/*.c))
$O/fuzz/%: harness/tests/fuzz/%.c $O/libmemtide.a $O/.flags
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(CC) $(OUR_CPPFLAGS) $(OUR_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $O/libmemtide.a $(OUR_LDLIBS)

-include $(LIB_OBJ:.o=.d) $O/obj/memtide.d $(UNIT_BIN:=.d) $(PROBES:=.d) $(FUZZERS:=.d)

# --- packages -----------------------------------------------------------------------------------------------------------------------
# golang-go (1.19) begins the fetching of toolchains where there is no `go` yet.
DEBIAN = $(PKGS_DEBIAN) $(MORE_PKGS) $(if $(shell for g in go /usr/local/go/bin/go; do $$g version && break; done 2>/dev/null),,golang-go)

deps: ## installs the Debian packages that are missing
	@command -v dpkg-query >/dev/null || { echo "memtide: this is no Debian: install what these packages hold:" $(DEBIAN) >&2; exit 1; }
	@missing=$$(for p in $(DEBIAN); do dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -z "$$missing" ]; then echo "All Debian packages are here."; exit 0; fi; \
	echo "Missing Debian packages:" $$missing; \
	if [ "$$(id -u)" = 0 ]; then as=; \
	elif command -v sudo >/dev/null; then as=sudo; \
	else echo "memtide: neither root nor sudo: as root run: apt-get update && apt-get install --no-install-recommends" $$missing >&2; \
		exit 1; fi; \
	$$as sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$@" >/dev/null' deps $$missing

# --- for people ---------------------------------------------------------------------------------------------------------------------
# After `deps` make is started anew: what it asked pkg-config before no longer holds. On all CPUs, unless -j says otherwise.
AGAIN = $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$$(nproc))

reproduce: ## the first figure: 17 Go releases idle for 11 minutes, in one; from an empty clone
	@$(MAKE) --no-print-directory deps
	+@$(AGAIN) all
	$O/memtide go fetch 1.11..latest
	$O/memtide run allocate

# CORPUS="--go 1.15,latest" for less; scenario names for some.
corpus: ## all scenarios on all Go releases, once each: a table and a picture (20 minutes on 2 CPUs)
	@$(MAKE) --no-print-directory deps
	+@$(AGAIN) all
	$O/memtide go fetch 1.11..latest
	$O/memtide corpus run --repeat 1 $(CORPUS)

corpus-mutations: ## whether the newest corpus' expectations notice exchanged variants and releases
	+@$(AGAIN) all
	$O/memtide corpus mutate

mechanisms: ## harness/analyse/MECHANISMS.md: how often the newest corpus' mechanisms are right
	$(PYTHON) harness/drivers/mechanisms.py --write=harness/analyse/MECHANISMS.md

three-programs: ## three live programs that seem to leak, and what `memtide diagnose PID` says of each (2 minutes)
	+@$(AGAIN) all
	$O/memtide go fetch 1.15,1.23,latest
	$(PYTHON) harness/drivers/three_programs.py --memtide=$O/memtide

gallery: ## plots/gallery: a figure a scenario and a page, from the newest corpus
	+@$(AGAIN) all
	$(PYTHON) harness/drivers/gallery.py --memtide=$O/memtide

# --- tests --------------------------------------------------------------------------------------------------------------------------
# The python3 that has pytest: Debian's own where another one comes first in PATH.
PYTHON = $(shell for p in python3 /usr/bin/python3; do $$p -m pytest --version >/dev/null 2>&1 && echo $$p && break; done)
TESTS ?= harness/tests/integration

check: ## all tests; TESTS=FILE for some, SAN=... with sanitizers
	@$(MAKE) --no-print-directory deps
	+@$(AGAIN) check-built WERROR=1

check-built: all $(UNIT_BIN) $(STIMULI) $(PROBES) $(FUZZERS) hdr-check house-check
	@[ -n "$(PYTHON)" ] || { echo "memtide: no python3 here has pytest: run 'make deps'" >&2; exit 1; }
	$(PYTHON) -m pytest -p no:cacheprovider -q -rs $(TESTS) --build=$O

FUZZ ?= 10m
fuzz: ## damages Go binaries and reads them, under sanitizers; FUZZ=10m says how long
	@$(MAKE) --no-print-directory deps
	+@$(AGAIN) SAN=address,undefined fuzz-built

fuzz-built: all $(FUZZERS)
	nice -n 19 $(PYTHON) harness/tests/fuzz/fuzz.py --build=$O --for $(FUZZ)

# Each header compiles alone, whatever was included before it.
hdr-check: | $O/.have-libraries
	@echo "  HEADERS"
	@for h in $(HEADERS:harness/%=%); do \
		echo "#include \"$$h\"" | $(CC) $(OUR_CPPFLAGS) -std=gnu17 $(WARN) -x c -fsyntax-only - || { echo "memtide: $$h does not compile alone" >&2; exit 1; }; \
	done

house-check: ## rooms include only what lies to their left; every file has its licence line
	@echo "  HOUSE"
	@harness/tests/house.sh

# --- bench --------------------------------------------------------------------------------------------------------------------------
METERS := $(patsubst harness/tests/bench/%.c,$O/bench/%,$(wildcard harness/tests/bench/*.c))
$O/bench/%: harness/tests/bench/%.c $O/libmemtide.a $O/.flags
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(CC) $(OUR_CPPFLAGS) $(OUR_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $O/libmemtide.a $(OUR_LDLIBS)

-include $(METERS:=.d)

bench: ## measures memtide itself, beside psutil, psrecord and mprof; BENCH=--campaign=DIR for long runs too
	@$(MAKE) --no-print-directory deps MORE_PKGS=python3-pip
	+@$(AGAIN) bench-built

bench-built: all $(METERS) $(STIMULI) $(PROBES)
	$(PYTHON) harness/tests/bench/bench.py --build=$O $(BENCH)

# --- the virtual clock --------------------------------------------------------------------------------------------------------------
validate-clock: ## the virtual clock held against the real one (25 minutes); VALIDATE="--go 1.13,latest" for some releases
	@$(MAKE) --no-print-directory deps
	+@$(AGAIN) all
	$(PYTHON) harness/drivers/validate_clock.py --memtide=$O/memtide $(VALIDATE)

clean: ## removes what was built (results and caches stay)
	rm -rf $O

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' -v most=80 '{ \
		n = split($$2, word, " "); line = sprintf("  make %-16s", $$1); \
		for (i = 1; i <= n; i++) { \
			if (length(line) + 1 + length(word[i]) > most) { print line; line = sprintf("%24s", "") } \
			line = line (line ~ /^ +$$/ ? "" : " ") word[i] \
		} print line }'

FORCE:
.PHONY: all deps reproduce corpus corpus-mutations mechanisms three-programs gallery check check-built fuzz fuzz-built hdr-check house-check bench bench-built validate-clock clean help FORCE
