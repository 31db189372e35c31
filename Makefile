# The façade people expect; meson and ninja do the work.
BUILD ?= build
MESON ?= meson

.PHONY: all release debug check format install clean bench deb image
all release: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD) --buildtype=release

debug: build-debug/build.ninja
	@ninja -C build-debug

build-debug/build.ninja:
	$(MESON) setup build-debug --buildtype=debug -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true

check: debug
	meson test -C build-debug --print-errorlogs

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

bench: all
	script/bench

deb: all
	script/deb

image: all
	script/image

install: all
	meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-debug
