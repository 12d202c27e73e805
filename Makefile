# A plain front of meson and ninja: everything is built into build/, firn itself is build/firn.
PREFIX ?= /usr/local
BUILD = build

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null 2>&1 || { \
		echo "meson is missing; tools/install-dependencies build installs all that is needed" >&2; \
		exit 1; }
	meson setup --prefix=$(PREFIX) $(BUILD)

demo:
	./demo.sh

check:
	./check.sh

bench: all
	tests/bench/run

install: all
	meson configure --prefix=$(PREFIX) $(BUILD)
	meson install -C $(BUILD) $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))")

format:
	tools/check-format --fix

clean:
	rm -rf $(BUILD) $(BUILD)-asan

.PHONY: all demo check bench install format clean
