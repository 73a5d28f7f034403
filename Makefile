# Anabranch. The targets a person needs: `make run`, `make test`; `make help` lists all.
#
# MODE is one of release (default), debug, asan, tsan; objects go to build/$(MODE).

MODE    ?= release
CC      ?= gcc
BUILD   ?= build
OUT     := $(BUILD)/$(MODE)
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

PACKAGES := libmicrohttpd libcurl jansson libuv sqlite3 yaml-0.1
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wformat=2 -Wcast-qual -Wpointer-arith \
	-Wvla -Wundef -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough
ifdef WERROR
WARNINGS += -Werror
endif

FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_debug   := -O0 -g3
FLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread

CFLAGS  ?=
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DAB_VERSION='"$(VERSION)"' -fPIC -pthread $(WARNINGS) $(FLAGS_$(MODE)) \
	$(PKG_CFLAGS) $(CFLAGS)
ALL_LIBS = $(PKG_LIBS) -lm -pthread

DISPATCH := $(wildcard dispatch/*.c)
HANDLERS := $(wildcard handlers/*.c handlers/*/*.c)
SERVER   := $(filter-out server/main.c,$(wildcard server/*.c))
LIB_OBJS := $(patsubst %.c,$(OUT)/%.o,$(DISPATCH) $(HANDLERS) $(SERVER))

TEST_LIB      := $(wildcard tests/lib/*.c)
TEST_DISPATCH := $(wildcard tests/dispatch/*.c)
TEST_HANDLERS := $(wildcard tests/handlers/*.c)
TEST_SERVER   := $(wildcard tests/server/*.c)

obj = $(patsubst %.c,$(OUT)/%.o,$(1))

.PHONY: all
all: $(BUILD)/anabranch

# The program of the default mode, where the README says it is.
$(BUILD)/anabranch: $(OUT)/anabranch
	@ln -sf $(MODE)/anabranch $@

$(OUT)/anabranch: $(OUT)/server/main.o $(OUT)/libanabranch.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(OUT)/libanabranch.a: $(LIB_OBJS)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Each folder's tests see only what their folder may: the engine's link no handler, the handlers' no server.
$(OUT)/test-dispatch: $(call obj,$(TEST_DISPATCH) $(TEST_LIB) $(DISPATCH))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcriterion $(ALL_LIBS)
$(OUT)/test-handlers: $(call obj,$(TEST_HANDLERS) $(TEST_LIB) $(DISPATCH) $(HANDLERS))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcriterion $(ALL_LIBS)
$(OUT)/test-server: $(call obj,$(TEST_SERVER) $(TEST_LIB)) $(OUT)/libanabranch.a $(OUT)/anabranch
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter-out %/anabranch,$^) -lcriterion $(ALL_LIBS)

.PHONY: tests
tests: $(OUT)/test-dispatch $(OUT)/test-handlers $(OUT)/test-server

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
