#!/bin/sh
# Runs a program of this repository: hack/run.sh SCRIPT.ts ARGS...
#
# Sets up what the program needs and then becomes it. Each step is skipped when
# its result is there, so a second run costs a few milliseconds:
#
#   1. Node 24.2 or newer: the machine's own, or the npm package that carries it, kept in
#      ${XDG_CACHE_HOME:-~/.cache}/lateen, outside the work tree.
#   2. node_modules, by package-lock.json.
#   3. src/gen, from crds/, hack/protobuf/ and the generators.
#
# Results are put in place by one rename each or stamped last, so a run that was
# interrupted is repeated; runs at the same time wait for each other.
set -eu

node_version=24.21.0
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lateen
node_home=$cache/node-$node_version
lock=

say() { printf 'lateen: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Takes the set-up lock $1; the lock of a run that died is taken over.
take_lock() {
	mkdir -p "$(dirname -- "$1")" || die "Cannot write to $(dirname -- "$1"). Make it writable, or set XDG_CACHE_HOME to a folder that is."
	told=
	until (set -C; echo $$ >"$1") 2>/dev/null; do
		owner=$(cat "$1" 2>/dev/null) || continue
		if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
			# Whoever makes this folder is the only one to remove the dead run's lock.
			mkdir "$1.of-$owner" 2>/dev/null || continue
			[ "$(cat "$1" 2>/dev/null)" != "$owner" ] || rm -f "$1"
			rmdir "$1.of-$owner"
			continue
		fi
		[ -n "$told" ] || say "Waiting for another run that is setting up (process $owner)."
		told=1
		sleep 0.2
	done
	lock=$1
	trap 'rm -f "$lock"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

drop_lock() {
	rm -f "$lock"
	trap - EXIT INT TERM
}

node_is_new_enough() {
	case $("$1" --version 2>/dev/null) in
	v24.[01].*) return 1 ;; # no import.meta.main yet
	v2[4-9].* | v[3-9][0-9].* | v[1-9][0-9][0-9].*) return 0 ;;
	*) return 1 ;;
	esac
}

ensure_node() {
	# The cached one comes first: asking a program for its version costs time.
	if [ -x "$node_home/node_modules/.bin/node" ]; then
		PATH=$node_home/node_modules/.bin:$PATH
	elif ! node_is_new_enough node; then
		command -v npm >/dev/null 2>&1 || die "npm is missing. Install Node.js (any version from 20 on) with npm, then run this again."
		take_lock "$cache/node-$node_version.lock"
		if ! [ -x "$node_home/node_modules/.bin/node" ]; then
			say "Installing Node $node_version into $node_home (this machine has $(node --version 2>/dev/null || echo none); about 100 MB, once)."
			fresh=$cache/.node-$node_version.$$
			rm -rf "$fresh" && mkdir -p "$fresh"
			npm install --prefix "$fresh" --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
				--ignore-scripts=false --global=false "node@$node_version" >&2 &&
				node_is_new_enough "$fresh/node_modules/.bin/node" || {
				rm -rf "$fresh"
				die "Node $node_version could not be installed with npm; its message is above. Mend that, or install Node.js 24.2 or newer yourself."
			}
			rm -rf "$node_home"
			mv "$fresh" "$node_home"
		fi
		drop_lock
		PATH=$node_home/node_modules/.bin:$PATH
	fi
	export PATH
}

packages_are_current() { cmp -s "$root/package-lock.json" "$root/node_modules/.lateen-lock.json"; }

ensure_packages() {
	packages_are_current && return
	take_lock "$root/.lateen/setup.lock"
	if ! packages_are_current; then
		command -v npm >/dev/null 2>&1 || die "npm is missing. Install it (it comes with Node.js), then run this again."
		say "Installing npm packages by package-lock.json."
		(cd "$root" && npm ci --include=dev --no-audit --no-fund --loglevel=error >&2) ||
			die "npm ci failed; its message is above."
		cp "$root/package-lock.json" "$root/node_modules/.lateen-lock.json"
	fi
	drop_lock
}

# All that decides what src/gen holds, as one text.
generator_inputs() {
	(
		cd "$root"
		LC_ALL=C
		for file in crds/*.yaml hack/generate.ts hack/generate-protobuf.ts hack/*crd*.ts hack/protobuf/* package-lock.json; do
			printf '== %s\n' "$file"
			cat -- "$file"
		done
	)
}

generated_is_current() { generator_inputs | cmp -s - "$root/src/gen/.inputs"; }

ensure_generated() {
	[ "$1" = hack/generate.ts ] || ! generated_is_current || return 0
	take_lock "$root/.lateen/setup.lock"
	if [ "$1" = hack/generate.ts ] || ! generated_is_current; then
		say "Generating src/gen from crds/ and the Envoy API."
		mkdir -p "$root/.lateen"
		generator_inputs >"$root/.lateen/inputs.$$"
		node "$root/hack/generate.ts" >&2 || {
			rm -f "$root/.lateen/inputs.$$"
			die "src/gen could not be generated; the message is above."
		}
		mv "$root/.lateen/inputs.$$" "$root/src/gen/.inputs"
	fi
	drop_lock
}

[ $# -gt 0 ] || die "Name a program: hack/run.sh SCRIPT.ts ARGS..."
script=$1
shift
ensure_node
ensure_packages
ensure_generated "$script"
# The pages of docs/ that are made from code are committed, so they are written only when asked for.
[ "$script" != hack/generate.ts ] || script=hack/generate-docs.ts
exec node "$root/$script" "$@"
