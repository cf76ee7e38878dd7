# SPDX-License-Identifier: GPL-2.0-or-later
#
# kvmtimer-trace: one non-recursive Makefile, output in $(O).
#   make            the tool for this machine: build/kvmtimer-trace
#   make arm64      the tool for an arm64 host: build/arm64/kvmtimer-trace (static)
#   make test       everything that CI runs
#   V=1             show commands        O=DIR   build elsewhere

O ?= build
V ?= 0
CROSS ?= aarch64-linux-gnu-
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config

ifeq ($(V),1)
Q :=
msg =
else
Q := @
msg = @printf '  %-8s %s\n' "$(1)" "$(patsubst $(O)/%,%,$(2))"
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

WARNINGS := -Wall -Wextra
WARNINGS += -Wshadow
WARNINGS += -Wstrict-prototypes
WARNINGS += -Wmissing-prototypes
WARNINGS += -Wundef
WARNINGS += -Wvla
WARNINGS += -Wformat=2
WARNINGS += -Wwrite-strings
ifneq ($(WERROR),0)
WARNINGS += -Werror
endif

CFLAGS ?= -O2 -g
BASE_CFLAGS := -std=gnu11 -Iinclude -Ilib -Icli $(WARNINGS) -MMD -MP

LIB_SRC := $(wildcard lib/*.c)
CLI_SRC := $(wildcard cli/*.c)

all: $(O)/kvmtimer-trace

$(O)/obj/%.o: %.c
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) -c -o $@ $<

$(O)/libkt.a: $(LIB_SRC:%.c=$(O)/obj/%.o)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Unit tests: tests/unit/test_X.c is one cmocka program.
UNIT := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))
unit: $(UNIT)
$(O)/unit/%: $(O)/obj/tests/unit/%.o $(O)/libkt.a
	$(call msg,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ -lcmocka -lm $(LDFLAGS)

clean:
	rm -rf $(O)

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
.PHONY: all unit clean
