# Anabranch. What a person needs: `make run` and `make test`; `make help` lists every target.
#
# MODE is release (default), debug, asan, tsan or fuzz; objects go to build/MODE, so modes do not disturb each other.
# `make WERROR=1 CC=clang` works as one would expect.

MODE    ?= release
BUILD   ?= build
OUT     := $(BUILD)/$(MODE)
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=
VERSION := 0.1.0
ifeq ($(origin CC),default)
CC      := gcc
endif

# ---- packages ------------------------------------------------------------------------------------------------------

PACKAGES   := libmicrohttpd libcurl jansson libuv sqlite3 libpq yaml-0.1
BUILD_DEBS := gcc libc6-dev pkg-config libmicrohttpd-dev libcurl4-openssl-dev libjansson-dev libuv1-dev libsqlite3-dev \
	libpq-dev libyaml-dev libjq-dev ca-certificates
TEST_DEBS  := $(BUILD_DEBS) libcriterion-dev procps curl openssl g++ postgresql
LINT_DEBS  := $(TEST_DEBS) clang clang-format clang-tidy cppcheck libclang-rt-dev
BENCH_DEBS := $(BUILD_DEBS) wrk nginx-light procps valgrind postgresql

# ---- flags ---------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wformat=2 -Wcast-qual -Wpointer-arith \
	-Wvla -Wundef -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough
ifdef WERROR
WARNINGS += -Werror
endif

FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_debug   := -O0 -g3
FLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
FLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined

CFLAGS     ?=
LDFLAGS    ?=
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
ALL_CFLAGS  = -std=gnu17 -D_GNU_SOURCE -DAB_VERSION='"$(VERSION)"' -fPIC -pthread $(WARNINGS) $(FLAGS_$(MODE)) \
	$(PKG_CFLAGS) $(CFLAGS)
# libjq comes without a .pc file.
ALL_LIBS    = $(PKG_LIBS) -ljq -lm -pthread
# Criterion does not start under ThreadSanitizer; tests/tsan says why, and stands in.
ifeq ($(MODE),tsan)
CRITERION   := $(OUT)/tests/tsan/runner.o
$(OUT)/tests/%.o: ALL_CFLAGS += -Itests/tsan
else
CRITERION   := -lcriterion
endif
LINK        = $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@

# ---- what is built -------------------------------------------------------------------------------------------------

DISPATCH      := $(wildcard dispatch/*.c)
HANDLERS      := $(wildcard handlers/*.c handlers/*/*.c)
SERVER        := $(filter-out server/main.c,$(wildcard server/*.c))
TEST_LIB      := $(wildcard tests/lib/*.c)
TEST_DISPATCH := $(wildcard tests/dispatch/*.c)
TEST_HANDLERS := $(wildcard tests/handlers/*.c)
TEST_SERVER   := $(wildcard tests/server/*.c)
BENCHES       := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS       := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
C_FILES       := $(wildcard dispatch/*.[ch] handlers/*.[ch] handlers/*/*.[ch] server/*.[ch] tests/*/*.[ch] tests/tsan/criterion/*.h)

obj = $(patsubst %.c,$(OUT)/%.o,$(1))

.PHONY: all
all: $(BUILD)/anabranch libraries ## build build/anabranch, and the libraries for C programs

$(BUILD)/anabranch: $(OUT)/anabranch
	@ln -sf $(MODE)/anabranch $@

$(OUT)/anabranch: $(OUT)/server/main.o $(OUT)/house.a
	$(LINK) $^ $(ALL_LIBS)

$(OUT)/house.a: $(call obj,$(DISPATCH) $(HANDLERS) $(SERVER))
	@rm -f $@
	ar rcs $@ $^

# The libraries: the engine on jansson alone, and the same with libuv. Only what anabranch.h declares is seen of
# them: the version script sees to the shared ones, objcopy to the static ones.
ABI         := 0
LIBRARIES   := anabranch-engine anabranch
LIB_SOURCES := handlers/library_uv.c handlers/function_job.c handlers/pool.c handlers/deadline.c
HEADERS     := dispatch/anabranch.h dispatch/anabranch-macros.h handlers/anabranch-uv.h
INCLUDED    := $(addprefix $(OUT)/include/,$(notdir $(HEADERS)))

.PHONY: libraries
libraries: $(foreach l,$(LIBRARIES),$(OUT)/lib$(l).a $(OUT)/lib$(l).so) $(INCLUDED)

$(OUT)/libanabranch-engine.o: $(call obj,$(DISPATCH))
$(OUT)/libanabranch.o: $(call obj,$(DISPATCH) $(LIB_SOURCES))
$(OUT)/libanabranch-engine.so.$(ABI): LIB_LIBS = -ljansson
$(OUT)/libanabranch.so.$(ABI): LIB_LIBS = -ljansson -luv -pthread

$(LIBRARIES:%=$(OUT)/lib%.o): $(OUT)/lib%.o:
	$(LD) -r -o $@ $^
	objcopy --wildcard --keep-global-symbol='anabranch_*' $@
$(LIBRARIES:%=$(OUT)/lib%.a): $(OUT)/lib%.a: $(OUT)/lib%.o
	@rm -f $@
	ar rcs $@ $<
$(LIBRARIES:%=$(OUT)/lib%.so.$(ABI)): $(OUT)/lib%.so.$(ABI): $(OUT)/lib%.o dispatch/anabranch.map
	$(LINK) -shared -Wl,-soname,$(@F) -Wl,--version-script,dispatch/anabranch.map $< $(LIB_LIBS)
$(LIBRARIES:%=$(OUT)/lib%.so): %.so: %.so.$(ABI)
	@ln -sf $(<F) $@
$(INCLUDED): $(HEADERS)
	@mkdir -p $(@D)
	@cp $(filter %/$(@F),$(HEADERS)) $@

$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Each folder's tests link what the folder may see: the engine's no handler, the handlers' no server.
$(OUT)/test-dispatch: $(call obj,$(TEST_DISPATCH) $(DISPATCH)) $(filter %.o,$(CRITERION))
	$(LINK) $(filter-out $(CRITERION),$^) $(CRITERION) -ljansson -lm -pthread
$(OUT)/test-handlers: $(call obj,$(TEST_HANDLERS) $(TEST_LIB) $(DISPATCH) $(HANDLERS)) $(filter %.o,$(CRITERION))
	$(LINK) $(filter-out $(CRITERION),$^) $(CRITERION) $(ALL_LIBS)
$(OUT)/test-server: $(call obj,$(TEST_SERVER) $(TEST_LIB)) $(OUT)/house.a $(filter %.o,$(CRITERION))
	$(LINK) $(filter-out $(CRITERION),$^) $(CRITERION) $(ALL_LIBS)
$(OUT)/test-selftest: $(call obj,$(wildcard tests/selftest/*.c)) $(filter %.o,$(CRITERION))
	$(LINK) $(filter-out $(CRITERION),$^) $(CRITERION) -pthread
$(OUT)/bench/%: $(OUT)/tests/bench/%.o $(OUT)/house.a
	@mkdir -p $(@D)
	$(LINK) $^ $(ALL_LIBS)
$(OUT)/fuzz/%: tests/fuzz/%.c $(OUT)/house.a
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer $^ $(ALL_LIBS)
.SECONDARY:

# Modules for the tests of modules; some of them are broken on purpose.
MODULES := $(patsubst tests/modules/%.c,$(OUT)/modules/%.so,$(wildcard tests/modules/*.c))
$(OUT)/modules/bench/%.so: tests/bench/apps/%.c $(INCLUDED)
	@mkdir -p $(@D)
	$(LINK) -shared -I$(OUT)/include $< -ljansson
$(OUT)/modules/bench/%.so: examples/fortunes/%.c $(INCLUDED)
	@mkdir -p $(@D)
	$(LINK) -shared -I$(OUT)/include $< -ljansson
$(OUT)/modules/%.so: tests/modules/%.c $(INCLUDED)
	@mkdir -p $(@D)
	$(LINK) -shared -I$(OUT)/include $< -ljansson

.PHONY: tests benches
tests: $(MODULES) $(OUT)/anabranch $(OUT)/test-dispatch $(OUT)/test-handlers $(OUT)/test-server $(OUT)/test-selftest
benches: $(OUT)/anabranch $(BENCHES) $(OUT)/modules/bench/greet.so $(OUT)/modules/bench/fortunes.so

# ---- the two commands of the README --------------------------------------------------------------------------------

.PHONY: run test check
run: ## install what is missing, build, serve the shop example on http://127.0.0.1:8080
	@$(call install,$(BUILD_DEBS))
	@$(MAKE) --no-print-directory -j$$(nproc) all
	$(BUILD)/anabranch serve examples/shop/shop.yaml

test: ## install what is missing, build, run every test
	@$(call install,$(TEST_DEBS))
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@$(MAKE) --no-print-directory check

check: tests ## run the tests of MODE, nothing installed
	@tests/run $(MODE) $(OUT)

# ---- what CI runs besides ------------------------------------------------------------------------------------------

.PHONY: asan tsan fuzz lint format bench reference
asan: ## every test under AddressSanitizer and UBSan; a leak fails the run
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=asan WERROR=1 tests
	@$(MAKE) --no-print-directory MODE=asan WERROR=1 check

tsan: ## every test under ThreadSanitizer
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=tsan WERROR=1 tests
	@$(MAKE) --no-print-directory MODE=tsan WERROR=1 check

FUZZ_SECONDS ?= 10
fuzz: ## every parser on its kept corpus, then FUZZ_SECONDS of new input each (needs clang)
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=fuzz CC=clang $(patsubst %,$(BUILD)/fuzz/fuzz/%,$(FUZZERS))
	@for f in $(FUZZERS); do tests/fuzz/run $(BUILD)/fuzz/fuzz/$$f $(FUZZ_SECONDS) || exit 1; done

lint: ## formatting, arrows between folders, clang-tidy, cppcheck; gcc and clang without a warning
	@$(call install,$(LINT_DEBS))
	@tests/lint $(C_FILES)
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=release WERROR=1 BUILD=$(BUILD)/gcc tests benches
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=release WERROR=1 BUILD=$(BUILD)/clang CC=clang tests benches

reference: ## write docs/c-reference.md from the public headers
	@tests/docs/reference >docs/c-reference.md

format: ## rewrite the C files as .clang-format says
	clang-format -i $(C_FILES)

bench: ## workloads over loopback against floors of the same run (docs/operations.md)
	@$(call install,$(BENCH_DEBS))
	@$(MAKE) --no-print-directory -j$$(nproc) benches
	@tests/bench/run $(OUT)

# ---- the rest ------------------------------------------------------------------------------------------------------

.PHONY: install deps clean help
install: $(OUT)/anabranch libraries ## copy program, libraries, headers, documentation and examples under DESTDIR PREFIX
	install -D -m 755 $(OUT)/anabranch $(DESTDIR)$(PREFIX)/bin/anabranch
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 $(HEADERS) $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(LIBRARIES:%=$(OUT)/lib%.a) $(DESTDIR)$(LIBDIR)/
	install -m 644 $(LIBRARIES:%=$(OUT)/lib%.so.$(ABI)) $(DESTDIR)$(LIBDIR)/
	for l in $(LIBRARIES); do ln -sf lib$$l.so.$(ABI) $(DESTDIR)$(LIBDIR)/lib$$l.so || exit 1; \
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' dispatch/$$l.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/$$l.pc || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/share/doc/anabranch
	cp -r docs examples README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/anabranch/

deps: ## only install the packages a build needs
	@$(call install,$(BUILD_DEBS))

clean: ## remove build/
	rm -rf $(BUILD)

help: ## this list
	@grep -hE '^[a-z]+.*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Install those of the packages $(1) that are missing, as root or through sudo; say what to do where neither works.
define install
set -e; \
if ! command -v dpkg-query >/dev/null; then \
	echo "not a Debian system: please provide $(PACKAGES) by other means, then run 'make all'"; exit 0; fi; \
missing=$$(for p in $(1); do \
	dpkg-query -W -f='$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
[ -n "$$missing" ] || exit 0; \
echo "installing:" $$missing; \
sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; \
	command -v sudo >/dev/null || { echo "please run as root: apt-get install" $$missing; exit 1; }; fi; \
$$sudo apt-get update -qq; \
DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qq -y --no-install-recommends $$missing >/dev/null
endef

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
