# SPDX-License-Identifier: GPL-2.0-only
#
# What a person or a packager types. The module's Kbuild file is
# dm-ckpt/Makefile; everything made here goes below build/.

top := $(CURDIR)
build := $(top)/build
CKPT_CACHE ?= /var/cache/dm-ckpt
export CKPT_CACHE

# The kernels that the project is tested with; scripts/kernel gets them.
flavours := 6.1 6.12
default-flavour := 6.1

# The kernel that `make module` and `make install` are for.
KDIR ?= /lib/modules/$(shell uname -r)/build

.PHONY: help
help: ## this list
	@echo "targets:"
	@sed -n 's/^\([a-z][-a-z.0-9 ]*\):.*## \(.*\)/  \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

.DEFAULT_GOAL := all

# Not as prerequisites: userspace is to be built after what it needs is installed.
.PHONY: all
all: setup ## the module for the default test kernel, and the commands
	$(MAKE) --no-print-directory module-$(default-flavour) userspace

# Kbuild leaves its objects beside the sources, so each kernel gets a copy.
# Only what has changed is copied, and it is dated now: kbuild compares times.
define build-module
	@mkdir -p $(1)
	@rsync -rlpc --delete --exclude='*.o' --exclude='*.ko' --exclude='*.mod' \
		--exclude='*.mod.c' --exclude='*.cmd' --exclude='*.symvers' --exclude='*.gcno' \
		--exclude='modules.order' --exclude=compat-config.h $(or $(4),dm-ckpt)/ $(1)/
	$(MAKE) --no-print-directory -C $(2) M=$(1) $(3) modules
endef

.PHONY: module
module: ## the module for KDIR=<kernel build directory>, in build/module
	$(call build-module,$(build)/module/dm-ckpt,$(KDIR))

module-targets := $(addprefix module-,$(flavours))
.PHONY: modules $(module-targets)
modules: $(module-targets) ## the module for all test kernels, in build/<kernel>/dm-ckpt
$(module-targets): module-%: kernel-%
	$(call build-module,$(build)/$*/dm-ckpt,$(CKPT_CACHE)/kernels/$*/headers)

# What the crash tests need: the recorder, and the module with its deliberate faults.
recorder-targets := $(addprefix recorder-,$(flavours))
faults-targets := $(addprefix faults-,$(flavours))
.PHONY: $(recorder-targets) $(faults-targets)
$(recorder-targets): recorder-%: kernel-%
	$(call build-module,$(build)/$*/recorder,$(CKPT_CACHE)/kernels/$*/headers,,tests/crash/recorder)
$(faults-targets): faults-%: kernel-%
	$(call build-module,$(build)/$*/faults,$(CKPT_CACHE)/kernels/$*/headers,CONFIG_DM_CKPT_FAULTS=y)

# Another configuration of the kernel is not seen by kbuild where the kernel is newer than it
# but older than the module; so everything for another one goes first.
debug-make = ARCH=um CC=gcc-12 UBSAN_SANITIZE=y
.PHONY: module-debug kunit-debug bugs-debug forget-debug
forget-debug: kernel-debug
	@cmp -s $(CKPT_CACHE)/kernels/debug/stamp $(build)/debug/stamp || { rm -rf $(build)/debug && \
		mkdir -p $(build)/debug && cp $(CKPT_CACHE)/kernels/debug/stamp $(build)/debug/; }

# It counts how often each line is run: see tests/debug/coverage.
module-debug: forget-debug
	$(call build-module,$(build)/debug/dm-ckpt,$(CKPT_CACHE)/kernels/debug/headers,$(debug-make) GCOV_PROFILE=y)

# Its parts with their tests, side by side.
kunit-debug: forget-debug
	$(call build-module,$(build)/debug/kunit,$(CKPT_CACHE)/kernels/debug/headers,$(debug-make) GCOV_PROFILE=y,dm-ckpt/ tests/kunit)

bugs-debug: forget-debug
	$(call build-module,$(build)/debug/bugs,$(CKPT_CACHE)/kernels/debug/headers,$(debug-make),tests/debug/bugs)

kernel-targets := $(addprefix kernel-,$(flavours))
.PHONY: $(kernel-targets) kernel-debug
$(kernel-targets): kernel-%: setup
	@[ -e $(CKPT_CACHE)/kernels/$*/stamp ] || scripts/kernel $*

# It depends on a configuration of ours, so what there is may be another one.
kernel-debug: setup
	@scripts/kernel debug

.PHONY: setup
setup: ## install what is needed from Debian (as root)
	@scripts/setup

.PHONY: userspace
userspace: ## the commands, in build/userspace
	$(MAKE) --no-print-directory -C userspace O=$(build)/userspace

.PHONY: check
check: setup ## checkpatch, sparse and all of the compiler's warnings
	@scripts/test check

.PHONY: unit
unit: setup ## the unit tests, which need no kernel
	@scripts/test unit

FUZZ_SECONDS ?= 600

.PHONY: fuzz
fuzz: setup ## load stores of any content, in userspace (FUZZ_SECONDS=600)
	@$(MAKE) --no-print-directory -C tests/fuzz O=$(build)/tests/fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/fuzz.t

.PHONY: test
test: ## everything: builds, checks, unit tests, both kernels' machines
	@scripts/test $(TESTS)

.PHONY: test-debug
test-debug: setup ## selftests and model in a kernel that looks for bugs, and what they have covered
	@scripts/test -k debug $(or $(TESTS),selftests model kunit debug)

.PHONY: crash
crash: setup ## power cuts, in STATES=n states (SEED=n: the same ones; KERNEL=6.12: the other kernel)
	@$(MAKE) --no-print-directory module-$(or $(KERNEL),$(default-flavour)) \
		recorder-$(or $(KERNEL),$(default-flavour))
	@$(MAKE) --no-print-directory -s -C tests/crash O=$(build)/tests/crash
	@CKPT_KERNEL=$(or $(KERNEL),$(default-flavour)) tests/crash/powercut \
		$(if $(STATES),-n $(STATES)) $(if $(SEED),-s $(SEED))

.PHONY: bench
bench: setup ## measure, in the test machine, in an hour (QUICK=1: in some minutes; BENCH="..." for some)
	@$(MAKE) --no-print-directory module-$(or $(KERNEL),$(default-flavour))
	@tests/bench/run $(BENCH)

.PHONY: demo
demo: ## what it is good for, in a few minutes, in a test machine
	@scripts/demo

.PHONY: vm
vm: ## a shell in the test machine (KERNEL=6.12 for the other kernel)
	@scripts/setup
	@$(MAKE) --no-print-directory module-$(or $(KERNEL),$(default-flavour)) userspace
	@scripts/vm -k $(or $(KERNEL),$(default-flavour)) -i

PREFIX ?= /usr

.PHONY: install
install: module userspace ## the module for KDIR, the commands and their manual (PREFIX, DESTDIR)
	$(MAKE) -C $(KDIR) M=$(build)/module/dm-ckpt INSTALL_MOD_PATH=$(DESTDIR) modules_install
	$(MAKE) --no-print-directory -C userspace O=$(build)/userspace \
		PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install

.PHONY: clean
clean: ## remove build/ (fetched kernels stay)
	rm -rf $(build)
