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
	libssl-dev libelf-dev libcmocka-dev gnuplot-nox fonts-dejavu-core zstd python3-pytest ca-certificates
PKGCONFIG := libcgroup libcyaml yaml-0.1 libbsd jansson libzstd libsystemd libcrypto libelf

# --- compiler ----------------------------------------------------------------------------------------------------------------------
CC ?= cc
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 \
	-Wswitch-enum -Wconversion -Wno-sign-conversion -Wundef $(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
VERSION := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
CPPFLAGS += -D_GNU_SOURCE -Iharness $(shell pkg-config --cflags $(PKGCONFIG) 2>/dev/null)
CFLAGS += -std=gnu17 $(OPT) $(WARN) $(SANFLAGS) -pthread
LDLIBS += $(shell pkg-config --libs $(PKGCONFIG) 2>/dev/null) -lm -pthread

ROOMS := base plan build gostate run record analyse compare render cmd
LIB_SRC := $(wildcard $(ROOMS:%=harness/%/*.c))
LIB_OBJ := $(LIB_SRC:harness/%.c=$O/obj/%.o)
HEADERS := $(wildcard $(ROOMS:%=harness/%/*.h))
UNIT_SRC := $(wildcard harness/tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:harness/tests/unit/%.c=$O/tests/%)
STIMULI := $(patsubst harness/tests/stimuli/%.c,$O/stimuli/%,$(wildcard harness/tests/stimuli/*.c))

all: $O/memtide ## builds build/memtide

# Without pkg-config's answers nothing compiles: say which package is missing instead.
$O/.have-libraries: Makefile
	@mkdir -p $(@D)
	@command -v pkg-config >/dev/null || { echo "memtide: pkg-config is missing: run 'make deps'" >&2; exit 1; }
	@for p in $(PKGCONFIG); do pkg-config --exists $$p || { echo "memtide: the library $$p is missing: run 'make deps'" >&2; exit 1; }; done
	@touch $@

$O/memtide: $O/obj/memtide.o $O/libmemtide.a
	@echo "  LINK    $@"
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$O/libmemtide.a: $(LIB_OBJ)
	$Qrm -f $@ && $(AR) rcs $@ $^

$O/obj/%.o: harness/%.c | $O/.have-libraries
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$O/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define MEMTIDE_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define MEMTIDE_VERSION "$(VERSION)"' > $@
$O/obj/memtide.o $O/obj/cmd/run_json.o: CPPFLAGS += -include $O/version.h
$O/obj/memtide.o $O/obj/cmd/run_json.o: $O/version.h

$O/tests/%: harness/tests/unit/%.c $O/libmemtide.a
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes -MMD -MP $(LDFLAGS) -o $@ $< $O/libmemtide.a $(LDLIBS) -lcmocka

# Stimuli are measured, so they are plain: no sanitizer.
$O/stimuli/%: harness/tests/stimuli/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$Q$(CC) -D_GNU_SOURCE -std=gnu17 -O1 -g $(WARN) -pthread -o $@ $<

-include $(LIB_OBJ:.o=.d) $O/obj/memtide.d $(UNIT_BIN:=.d)

clean: ## removes what was built (results and caches stay)
	rm -rf $O

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "  make %-16s %s\n", $$1, $$2}'

FORCE:
.PHONY: all clean help FORCE
