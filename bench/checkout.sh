# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# checkout.sh: builds a checkout or a revision of DREAM for a comparison. The programs that measure are those of this
# checkout on both sides, built against the other's SDK.

# A directory is taken as it is, changes and all; a revision is laid out anew.
source_of() # DIRECTORY-OR-REVISION
{
	local commit dir
	if [ -f "$1/CMakeLists.txt" ]; then
		readlink -f "$1"
		return
	fi
	commit=$(git rev-parse --verify --quiet --short=12 "$1^{commit}") ||
		die "'$1' is neither a checkout nor a git revision" "Name a directory with a CMakeLists.txt, or a commit."
	dir=$PWD/build/bench-source-$commit
	if [ ! -f "$dir/CMakeLists.txt" ]; then
		rm -rf "$dir.new"
		mkdir -p "$dir.new"
		git archive "$commit" | tar -x -C "$dir.new" || die "git archive $commit failed"
		mv "$dir.new" "$dir"
	fi
	echo "$dir"
}

run_logged() # LOG COMMAND…
{
	local log=$1
	shift
	"$@" >>"$log" 2>&1 || { tail -n 15 "$log" >&2 && die "building failed: $*" "All of it is in $log."; }
}

# Prints the build's directory.
build_checkout() # DIRECTORY-OR-REVISION
{
	local source label dir log launcher=()
	source=$(source_of "$1") || return 1
	label=$(basename "$source")
	dir=$PWD/build/bench-${label#bench-source-}-$(cksum <<<"$source" | cut -d ' ' -f 1)
	log=$dir.log
	: >"$log"
	printf '==> building %s in %s\n' "$1" "$dir" >&2
	! command -v ccache >/dev/null || launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
	run_logged "$log" cmake -S "$source" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_TESTING=OFF \
		"${launcher[@]}"
	run_logged "$log" cmake --build "$dir" --target dreamd dream -- -j "$(nproc)"
	run_logged "$log" cmake -S bench -B "$dir/programs" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DDREAM_CHECKOUT="$source"
	run_logged "$log" cmake --build "$dir/programs" --target bench -- -j "$(nproc)"
	rm -rf "$dir/bench"
	cp -r "$dir/programs/bench" "$dir/bench"
	echo "$dir"
}
