# SPDX-License-Identifier: GPL-2.0-or-later
#
# kvmtimer-trace: one non-recursive Makefile, all output in $(O).
#
#   make             the tool for this machine: build/kvmtimer-trace
#   make arm64       the tool for an arm64 host, static: build/arm64/kvmtimer-trace
#   make demo        the seed's scenario on a real arm64 KVM, as a picture
#   make test        everything that CI runs
#   make help        all targets
#
#   V=1 shows commands; O=DIR builds elsewhere; WITH_BPF=0 and WITH_FTRACE=0 leave that way
#   of recording out.

O ?= build
V ?= 0
WITH_BPF ?= $(if $(HAVE_BPF),1,0)
WITH_FTRACE ?= $(if $(HAVE_FTRACE),1,0)
WITH_TRACECMD ?= $(if $(HAVE_TRACECMD),1,0)
CROSS ?= aarch64-linux-gnu-
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local

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
MAKEFLAGS += --no-builtin-rules

VERSION := $(or $(shell git describe --always --dirty 2>/dev/null),$(file <VERSION),unknown)

# What recording needs to be built; without it every command that reads files still works.
BPFTOOL_PATH := $(firstword $(shell command -v $(BPFTOOL) 2>/dev/null) $(wildcard /usr/sbin/bpftool))
HAVE_BPF := $(and $(shell command -v $(CLANG) 2>/dev/null),$(BPFTOOL_PATH),$(shell $(PKG_CONFIG) --exists libbpf libelf zlib libcap 2>/dev/null && echo yes))
HAVE_FTRACE := $(shell $(PKG_CONFIG) --exists libtracefs libtraceevent libbpf libelf zlib 2>/dev/null && echo yes)

# What reading trace.dat files needs.
HAVE_TRACECMD := $(shell $(PKG_CONFIG) --exists libtracecmd libtraceevent 2>/dev/null && echo yes)

WARNINGS := -Wall
WARNINGS += -Wextra
WARNINGS += -Wshadow
WARNINGS += -Wstrict-prototypes
WARNINGS += -Wmissing-prototypes
WARNINGS += -Wundef
WARNINGS += -Wvla
WARNINGS += -Wformat=2
WARNINGS += -Wwrite-strings
WARNINGS += -Wno-missing-field-initializers
ifneq ($(WERROR),0)
WARNINGS += -Werror
endif

CFLAGS ?= -O2 -g
# The same source gives the same bytes wherever it is built, and whatever O is.
PREFIX_MAP := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(O))=build
BASE_CFLAGS := -std=gnu11 -Iinclude -Ilib -Icli $(WARNINGS) -MMD -MP $(PREFIX_MAP) \
	-DKT_WITH_BPF=$(WITH_BPF) -DKT_WITH_FTRACE=$(WITH_FTRACE)

LIB_SRC := $(wildcard lib/*.c)
BPF_ONLY_SRC := cli/source_bpf.c cli/bpf_explain.c
FTRACE_ONLY_SRC := cli/source_ftrace.c cli/ftrace_pages.c cli/ftrace_plan.c cli/ftrace_args.c cli/ftrace_probes.c \
	cli/ftrace_calls.c cli/ftrace_instance.c cli/btf_path.c
SOURCE_SRC := $(BPF_ONLY_SRC) $(FTRACE_ONLY_SRC) cli/kernel_facts.c
CLI_SRC := $(filter-out $(SOURCE_SRC) cli/tracedat_child.c cli/tracedat_symbols.c cli/tracedat_none.c,$(wildcard cli/*.c))
CLI_SRC += $(if $(filter 1,$(WITH_BPF)),$(BPF_ONLY_SRC))
CLI_SRC += $(if $(filter 1,$(WITH_FTRACE)),$(FTRACE_ONLY_SRC))
CLI_SRC += $(if $(filter 1,$(WITH_BPF) $(WITH_FTRACE)),cli/kernel_facts.c)
# The static arm64 build never has it: Debian ships libtracecmd as a shared library only.
NATIVE_SRC := $(if $(filter 1,$(WITH_TRACECMD)),cli/tracedat_child.c cli/tracedat_symbols.c,cli/tracedat_none.c)

all: $(O)/kvmtimer-trace
ifneq ($(WITH_BPF),1)
	@echo "built without recording through BPF: $(if $(HAVE_BPF),WITH_BPF=$(WITH_BPF) was given,clang, bpftool, libbpf-dev, libelf-dev, zlib1g-dev or libcap-dev is missing)"
endif
ifneq ($(WITH_FTRACE),1)
	@echo "built without recording through ftrace: libtracefs-dev, libtraceevent-dev, libbpf-dev, libelf-dev or zlib1g-dev is missing"
endif
ifneq ($(WITH_TRACECMD),1)
	@echo "built without reading trace-cmd files: libtracecmd-dev is missing"
endif

# ---- what everything was made with: a file per question, written only when the answer changes ----

MADE_flags = $(CC) $(CLANG) $(CROSS) $(BASE_CFLAGS) $(CFLAGS) $(BPF_CFLAGS)
MADE_link = $(LDFLAGS) $(CLI_LIBS) $(LIB_SRC) $(CLI_SRC)
MADE_version = $(VERSION)

$(O)/made/%: export MADE_TEXT = $(MADE_$*)
$(O)/made/%: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' "$$MADE_TEXT" | cmp -s - $@ || printf '%s\n' "$$MADE_TEXT" >$@
FORCE:

# ---- BPF: the same object for every kernel, made into a skeleton header ----

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v2 -D__TARGET_ARCH_arm64 -Iinclude -Wall -Wextra \
	-Wno-unused-parameter -Wno-missing-field-initializers $(PREFIX_MAP)
# <linux/types.h> wants asm/types.h, which Debian keeps in a folder per architecture.
BPF_CFLAGS += $(addprefix -idirafter ,$(wildcard /usr/include/$(shell uname -m)-linux-gnu))

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/made/flags
	$(call msg,CLANG,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL_PATH) gen skeleton $< name $*_bpf >$@

SKELETONS := $(O)/bpf/kvmtimer.skel.h $(O)/bpf/probe.skel.h

# ---- the tool, for this machine and for arm64 ----

# $(1) folder of objects, $(2) compiler, $(3) flags
define compile
$(1)/%.o: %.c $$(O)/made/flags
	$$(call msg,CC,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(2) $$(BASE_CFLAGS) $$(CFLAGS) $(3) -c -o $$@ $$<

$(1)/cli/source_bpf.o: $$(SKELETONS)
$(1)/cli/main.o $(1)/cli/cmd_record.o $(1)/cli/cmd_simulate.o: $$(O)/made/version
$(1)/cli/main.o $(1)/cli/cmd_record.o $(1)/cli/cmd_simulate.o: private BASE_CFLAGS += -DKT_VERSION='"$$(VERSION)"'
endef

# libtracefs includes libtraceevent's headers by their bare names.
TRACE_INCLUDE = -isystem $(1)/usr/include/tracefs -isystem $(1)/usr/include/traceevent

$(eval $(call compile,$(O)/obj,$$(CC),-I$(O)/bpf $$(call TRACE_INCLUDE)))
$(eval $(call compile,$(O)/arm64/obj,$$(CROSS)gcc,-I$(O)/bpf -isystem $$(SYSROOT)/usr/include -isystem $$(SYSROOT)/usr/include/aarch64-linux-gnu $$(call TRACE_INCLUDE,$$(SYSROOT))))

$(O)/libkt.a: $(LIB_SRC:%.c=$(O)/obj/%.o) $(O)/made/link
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

CLI_LIBS := $(if $(filter 1,$(WITH_FTRACE)),-ltracefs -ltraceevent)
CLI_LIBS += $(if $(filter 1,$(WITH_BPF) $(WITH_FTRACE)),-lbpf -lelf -lz) $(if $(filter 1,$(WITH_BPF)),-lcap)
CLI_LIBS += -ljson-c -lm
TRACECMD_LIBS := $(if $(filter 1,$(WITH_TRACECMD)),$(shell $(PKG_CONFIG) --libs libtracecmd libtraceevent))
TRACECMD_CFLAGS := $(patsubst -I%,-isystem %,$(if $(filter 1,$(WITH_TRACECMD)),$(shell $(PKG_CONFIG) --cflags libtracecmd libtraceevent)))
$(O)/obj/cli/tracedat_child.o $(O)/obj/cli/tracedat_symbols.o: BASE_CFLAGS += $(TRACECMD_CFLAGS)

$(O)/kvmtimer-trace: $(patsubst %.c,$(O)/obj/%.o,$(CLI_SRC) $(NATIVE_SRC)) $(O)/libkt.a $(O)/made/link
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(CLI_LIBS) $(TRACECMD_LIBS)

# Made and printed by the lab; only asked for when something for arm64 is built.
SYSROOT = $(or $(KT_SYSROOT),$(eval KT_SYSROOT := $$(shell scripts/lab sysroot))$(KT_SYSROOT))

$(O)/arm64/kvmtimer-trace: $(patsubst %.c,$(O)/arm64/obj/%.o,$(LIB_SRC) $(CLI_SRC) cli/tracedat_none.c) $(O)/made/link
	$(call msg,LD,$@)
	$(Q)$(CROSS)gcc -static $(CFLAGS) -o $@ $(filter %.o,$^) -L$(SYSROOT)/usr/lib/aarch64-linux-gnu $(CLI_LIBS) 2>$(@D)/ld.log || { cat $(@D)/ld.log >&2; exit 1; }
	$(Q)$(CROSS)strip -o $@.stripped $@

arm64: $(O)/arm64/kvmtimer-trace lab-programs
lab-programs: $(O)/lab/vmm $(O)/lab/stall $(O)/lab/guest.bin

# ---- what runs inside the lab ----

$(O)/lab/vmm $(O)/lab/stall: $(O)/lab/%: tests/lab/%.c tests/lab/board.h $(O)/made/flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc -std=gnu11 -O2 -static $(WARNINGS) -o $@ $< -lpthread

GUEST_SRC := $(wildcard tests/lab/guest/*.S tests/lab/guest/*.c)
$(O)/lab/guest.bin: $(GUEST_SRC) $(wildcard tests/lab/guest/*.h tests/lab/guest/*.lds) tests/lab/board.h $(O)/made/flags
	$(call msg,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc -std=gnu11 -O2 $(WARNINGS) -mstrict-align -mgeneral-regs-only -ffreestanding \
		-fno-stack-protector -fno-pic -nostdlib -static -no-pie -Wl,--build-id=none \
		-Wl,--no-warn-rwx-segments -Wl,-T,tests/lab/guest/guest.lds -o $(@:.bin=.elf) $(GUEST_SRC)
	$(Q)$(CROSS)objcopy -O binary $(@:.bin=.elf) $@

lab-programs: $(O)/lab/bpf-objects
$(O)/lab/bpf-objects: tests/lab/bpf-objects.c $(O)/made/flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc -std=gnu11 -O2 -static $(WARNINGS) -o $@ $<

# ---- tests ----

UNIT := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))
ifneq ($(WITH_BPF),1)
UNIT := $(filter-out $(O)/unit/test_core,$(UNIT))
endif
# What the unit tests take from cli/.
UNIT_CLI := $(patsubst %,$(O)/obj/cli/%.o,ring escape sandbox tracedat tracedat_none)
$(O)/unit/%: $(O)/obj/tests/unit/%.o $(UNIT_CLI) $(O)/libkt.a
	$(call msg,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.bpf.o,$(filter %.o,$^)) $(filter %.a,$^) -lcmocka -lm $(UNIT_LIBS)

# Its capture is its own.
$(O)/unit/test_recorder: $(O)/obj/cli/recorder.o $(O)/obj/cli/host.o

# Its tracefs is a folder of files.
$(O)/unit/test_ftrace_pages: $(O)/obj/cli/ftrace_pages.o

# It reads our BPF object, and the kernels of the lab where they are.
$(O)/unit/test_core: $(O)/bpf/kvmtimer.bpf.o
$(O)/unit/test_core: private UNIT_LIBS = -lbpf -lelf -lz

unit: $(UNIT)

export KT_BUILD = $(abspath $(O))

# Three tiers; what is in each, and what it may take, says tests/groups.

# Everything that needs no lab: three minutes.
check: all unit $(O)/walk $(O)/synth $(O)/lossy $(O)/same check-headers docs-check
	$(Q)scripts/run-tests check

# All orders of steps of the reference machine, by SPIN; KT_PROOF_DEPTH=16 looks further.
proof: all $(O)/walk
	$(Q)scripts/deps test
	$(Q)bash tests/proof/proof.t

lab-test: all arm64 $(O)/mutate $(O)/lossy $(O)/same
	$(Q)scripts/run-tests lab

# What CI runs: twenty-five minutes on two cores.
test: set-up
	$(Q)$(MAKE) --no-print-directory test-all

# Hours.  Each has seeds of its own; what was run so far stays in KT_SOAK_DIR.
soak: set-up
	$(Q)$(MAKE) --no-print-directory soak-all

set-up:
	$(Q)scripts/deps build test lab

TESTED := all unit $(O)/walk $(O)/synth $(O)/mutate $(O)/lossy $(O)/same arm64 check-headers docs-check fuzzers
test-all: $(TESTED)
	$(Q)scripts/run-tests test

KT_SOAK_DIR ?= $(abspath $(O))/soak
SOAK_CELLS := $(foreach k,5.10 6.1 6.12 7.x,$(foreach c,max cortex-a72,$(k):$(c):2 $(k):$(c):3))
soak-all: export KT_SOAK_DIR := $(KT_SOAK_DIR)
soak-all: export KT_CELLS ?= $(SOAK_CELLS)
soak-all: export KT_FUZZ_SECONDS ?= 3600
soak-all: export KT_PROOF_ALL ?= 1
soak-all: export KT_PROOF_DEPTH ?= 16
soak-all: export KT_MUTATIONS ?= 1000
soak-all: export KT_DRAWS ?= 1000
soak-all: $(TESTED)
	$(Q)scripts/run-tests soak

# Builds the tool several times over, so it is not part of check.
build-test:
	$(Q)scripts/run-tests tests/build/*.t

deps:
	$(Q)scripts/deps build test lab

# Builds a kernel (10 minutes, once) and thirty broken ones (half an hour, once), then boots
# each: fifteen minutes.  Not part of test.
kernel-test: all arm64 $(O)/same
	$(Q)scripts/deps build test lab kernel
	$(Q)scripts/kernel-test --image tracepoints >/dev/null
	$(Q)scripts/run-tests tests/lab/tracepoints.t
	$(Q)scripts/kernel-test
	$(Q)scripts/kernel-test --cost

demo:
	$(Q)scripts/demo

# Each header alone, as its includer may be the first to need it.
HEADERS := $(wildcard include/kvmtimer/*.h lib/*.h cli/*.h)
check-headers:
	$(call msg,HEADERS,$(words $(HEADERS)) headers)
	$(Q)for h in $(HEADERS); do \
		$(CC) -std=gnu11 -Iinclude -Ilib -Icli $(WARNINGS) -Wno-pragma-once-outside-header -Wno-unused-function -fsyntax-only -x c $$h || exit 1; done
	$(Q)if command -v $(CLANG) >/dev/null; then for h in $(filter include/%,$(HEADERS)); do \
		$(CLANG) $(BPF_CFLAGS) -Wno-unused-function -fsyntax-only -x c $$h || exit 1; done; fi

# ---- documents ----

$(O)/events-doc: scripts/events-doc.c lib/event.h include/kvmtimer/event.h $(O)/libkt.a $(O)/made/flags
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(CFLAGS) -o $@ $< $(O)/libkt.a

$(O)/semantics-doc: scripts/semantics-doc.c $(O)/libkt.a
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(CFLAGS) -o $@ $^

$(O)/rules-doc: scripts/rules-doc.c $(O)/libkt.a
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(CFLAGS) -o $@ $^ -lm

SCENARIOS := $(sort $(wildcard tests/scenarios/*.scn))
# The last section of docs/inputs.md.
SAME_DOC = echo && $(O)/same --list
docs: $(O)/events-doc $(O)/semantics-doc $(O)/rules-doc $(O)/same
	$(Q)scripts/run-tests --table docs/hacking.md >$(O)/hacking.md && cp $(O)/hacking.md docs/hacking.md
	$(Q)$(O)/rules-doc tests/lab/exercised >docs/rules.md
	$(Q)$(O)/events-doc >docs/events.md
	$(Q){ sed '/^## Two recordings of one run/q' docs/inputs.md; $(SAME_DOC); } >$(O)/inputs.md && cp $(O)/inputs.md docs/inputs.md
	$(Q)$(O)/semantics-doc docs/semantics.md $(SCENARIOS) >$(O)/semantics.md && cp $(O)/semantics.md docs/semantics.md

docs-check: $(O)/events-doc $(O)/semantics-doc $(O)/rules-doc $(O)/same
	$(Q){ sed '/^## Two recordings of one run/q' docs/inputs.md; $(SAME_DOC); } | diff -u docs/inputs.md - >&2 || { echo "docs/inputs.md is stale: run make docs" >&2; exit 1; }
	$(Q)scripts/run-tests --table docs/hacking.md | diff -u docs/hacking.md - >&2 || { echo "docs/hacking.md is stale: run make docs" >&2; exit 1; }
	$(Q)$(O)/rules-doc tests/lab/exercised | diff -u docs/rules.md - >&2 || { echo "docs/rules.md is stale: run make docs" >&2; exit 1; }
	$(Q)$(O)/events-doc | diff -u docs/events.md - >&2 || { echo "docs/events.md is stale: run make docs" >&2; exit 1; }
	$(Q)$(O)/semantics-doc docs/semantics.md $(SCENARIOS) | diff -u docs/semantics.md - >&2 || { echo "docs/semantics.md is stale: run make docs" >&2; exit 1; }

MAN := $(patsubst docs/man/%.scd,$(O)/man/%,$(wildcard docs/man/*.scd))
$(O)/man/%: docs/man/%.scd
	$(call msg,SCDOC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)scdoc <$< >$@
man: $(MAN)

# ---- quality ----

lint: $(SKELETONS)
	$(Q)shellcheck -x -e SC1091,SC2016,SC2034,SC2154 scripts/lab scripts/deps scripts/demo scripts/fuzz scripts/cover scripts/kernel-test scripts/check-quality scripts/bench-* scripts/completion.bash \
		.ci/run kernel-patch/check tests/lib.sh tests/*/*.t
	$(Q)cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,portability --inline-suppr \
		--suppress=missingIncludeSystem -Iinclude -Ilib -Icli -DKT_WITH_BPF=1 -DKT_WITH_FTRACE=1 '-DKT_VERSION="x"' lib cli
	$(Q)clang-tidy --quiet $(LIB_SRC) $(filter-out cli/source_bpf.c,$(CLI_SRC)) -- -std=gnu11 -Iinclude -Ilib -Icli -isystem $(O)/bpf \
		$(call TRACE_INCLUDE) -DKT_WITH_BPF=1 -DKT_WITH_FTRACE=1 '-DKT_VERSION="x"'

# The whole suite that needs no lab, in a build of its own with sanitizers.
asan:
	$(Q)$(MAKE) --no-print-directory O=$(O)/asan CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" check

FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 20
FUZZ_CFLAGS := -std=gnu11 -O2 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Iinclude -Ilib
$(O)/fuzz/obj/%.o: %.c
	$(call msg,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
$(O)/fuzz/%: $(O)/fuzz/obj/tests/fuzz/%.o $(LIB_SRC:%.c=$(O)/fuzz/obj/%.o)
	$(call msg,LD,$@)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^

fuzzers: $(FUZZERS) $(O)/synth $(O)/tracedat-seed
fuzz: fuzzers
	$(Q)scripts/fuzz $(FUZZ_SECONDS) $(FUZZERS)

cover:
	$(Q)$(MAKE) --no-print-directory O=$(O)/cover CFLAGS="-O0 -g --coverage" check
	$(Q)scripts/cover $(O)/cover

# The tables of docs/check-quality.md.
check-quality: all arm64 $(O)/mutate
	$(Q)scripts/check-quality $(O)

bench-offline: all arm64 $(O)/synth
	$(Q)scripts/bench-offline $(O)
bench-capture: arm64
	$(Q)scripts/bench-capture $(O)
$(O)/synth: tests/bench/synth.c $(O)/libkt.a $(O)/made/flags
	$(call msg,LD,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(CFLAGS) -o $@ $(filter %.c %.a,$^)

# Traces as text made into what the child that reads trace.dat would send: seeds for the fuzzer.
$(O)/tracedat-seed: tests/fuzz/tracedat_seed.c $(O)/libkt.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(CFLAGS) -o $@ $^

# How much of what is broken on purpose check finds: usage at the top of mutate.c.
$(O)/mutate: tests/mutate/mutate.c tests/roll.h $(O)/libkt.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(CFLAGS) -o $@ $(filter %.c %.a,$^) -lm

# Recordings cut and lossy in thousands of ways, each judged: usage at the top of lossy.c.
LOSSY_CLI := $(patsubst %,$(O)/obj/cli/%.o,verdict session source_file sandbox tracedat tracedat_none)
$(O)/lossy: $(O)/obj/tests/lossy/lossy.o $(O)/obj/tests/lossy/recording.o $(LOSSY_CLI) $(O)/libkt.a $(O)/made/link
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) -lm

# Do two recordings of one run tell the same: usage at the top of same.c.
SAME_CLI := $(patsubst %,$(O)/obj/cli/%.o,session source_file sandbox tracedat) $(NATIVE_SRC:%.c=$(O)/obj/%.o)
$(O)/same: $(patsubst %,$(O)/obj/tests/lab/%.o,same same_take same_order same_table) $(SAME_CLI) $(O)/libkt.a $(O)/made/link
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) -lm $(TRACECMD_LIBS)

# Many runs of the reference machine as recordings: usage at the top of walk.c.
$(O)/walk: tests/machine/walk.c $(O)/libkt.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(CFLAGS) -o $@ $^

install: all man
	install -D -m 755 $(O)/kvmtimer-trace $(DESTDIR)$(PREFIX)/bin/kvmtimer-trace
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(MAN) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -D -m 644 scripts/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/kvmtimer-trace

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/kvmtimer-trace $(MAN:$(O)/man/%=$(DESTDIR)$(PREFIX)/share/man/man1/%)
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/kvmtimer-trace

clean:
	rm -rf $(O)

# "name  what it is", of the lines below.
help:
	@sed -n 's/^#: /  /p' $(firstword $(MAKEFILE_LIST))
#: all (default)    the tool for this machine: build/kvmtimer-trace
#: arm64            the tool for an arm64 host, static, and the lab's programs
#: demo             the seed's scenario on a real arm64 KVM, as a picture
#: install          the tool, its man pages and its completion, to DESTDIR and PREFIX; uninstall
#:
#: check            all tests that need no lab: three minutes
#: test             everything that CI runs, in 25 minutes; installs what is missing
#: soak             the same for hours, with new seeds each time: KT_SOAK_DIR
#: lab-test         the tests that boot hosts      build-test      the build's own tests
#: proof            SPIN on the reference machine  kernel-test     kernels broken on purpose
#: asan             check, with sanitizers         fuzz            FUZZ_SECONDS for each reader
#: cover            line coverage of lib/          lint            shellcheck, cppcheck, clang-tidy
#: check-quality    how much of what is broken on purpose check finds
#: bench-capture    what recording costs           bench-offline   what reading costs
#:
#: docs man         what is made from code, and man pages       docs-check check-headers
#: deps clean       install what building and testing need; remove build/
#:
#: V=1 shows commands; O=DIR builds elsewhere; WITH_BPF=0, WITH_FTRACE=0 leave a source out.

-include $(shell find $(O) -type f -name '*.d' 2>/dev/null)
.PHONY: check-quality FORCE kernel-test all test-all soak soak-all set-up arm64 lab-programs unit check build-test lab-test test deps demo check-headers docs docs-check man proof \
	lint asan fuzz fuzzers cover bench-offline bench-capture install uninstall clean help
