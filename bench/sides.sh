# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# sides.sh: how one case is measured on one side; each prints lines "FIGURE VALUE UNIT". Read by bench/run, which sets
# work, warm_ms, run_ms, large, timeout_ms, tidy, case_seconds, priority and starts_per_sample.

readonly bench_name=bench@127.0.0.1 start_seconds=20

# A realtime priority keeps other programs of the machine out of both sides alike. Not so beside processes that compute
# all the time: Linux takes the processor from realtime threads for 50 ms of each second that they leave nothing of.
set_priority_of() # CASE
{
	under=()
	[ "$priority" = realtime ] || return 0
	if [[ $1 == hold || $1 == spin ]]; then
		! nice -n -10 true 2>/dev/null || under=(nice -n -10)
	else
		! chrt -r 10 true 2>/dev/null || under=(chrt -r 10)
	fi
}

# A case that does not end is killed: native code need not listen to a gentler signal.
bounded() # COMMAND…
{
	timeout -k 5 "$case_seconds" "${under[@]}" "$@"
}

schedulers_of() # CASE
{
	[[ $1 == *_s1 ]] && echo 1 || echo 2
}

# ---- OTP

otp_emulator() # CASE ARGUMENT…
{
	local n
	n=$(schedulers_of "$1")
	shift
	bounded erl -noinput -boot start_clean +S "$n:$n" +P 4000000 -pa "$work/otp" "$@"
}

prepare_otp()
{
	local include
	command -v erlc >/dev/null || die "Erlang is missing" "./dev bench installs it (erlang-base and erlang-dev)."
	mkdir -p "$work/otp"
	erlc -W -o "$work/otp" bench/otp/*.erl || die "bench/otp does not compile; the reason is above"
	include=$(erl -noinput -boot start_clean -eval 'io:put_chars(code:root_dir()), halt(0).')/usr/include
	[ -f "$include/erl_nif.h" ] || die "erl_nif.h is missing" "It is in the package erlang-dev."
	cc -O2 -shared -fPIC -I"$include" -o "$work/otp/hold_nif.so" bench/otp/hold_nif.c ||
		die "bench/otp/hold_nif.c does not compile; the reason is above"
}

otp_version()
{
	erl -noinput -boot start_clean -eval '{ok, V} = file:read_file(filename:join([code:root_dir(), "releases",
		erlang:system_info(otp_release), "OTP_VERSION"])), io:put_chars(string:trim(V)), halt(0).' 2>/dev/null
}

otp_case() # CASE GROUP
{
	if [ "$2" = node ]; then
		measure_node otp
	else
		otp_emulator "$1" -run bench main "bench_$2" "$1" "$warm_ms" "$run_ms" "$large"
	fi
}

# ---- DREAM: a build is a directory with bin/dreamd and bench/bench_GROUP-1.0.0.so

# Certificates of these runs' own, made aside so that a broken run leaves no half.
prepare_certs() # BUILD
{
	local new=$work/certs.new
	[ ! -d "$work/certs" ] || return 0
	rm -rf "$new"
	mkdir -p "$new"
	{ "$1/bin/dream" cert init "$new" && "$1/bin/dream" cert issue "$bench_name" "$new"; } >"$work/certs.log" 2>&1 ||
		die "the certificates could not be made" "The reason is in $work/certs.log."
	mv "$new" "$work/certs"
}

prepare_dream() # BUILD
{
	[ -x "$1/bin/dreamd" ] || die "$1/bin/dreamd is missing" "./dev bench builds it."
	[ -f "$1/bench/bench_call-1.0.0.so" ] || die "$1/bench has no modules" "cmake --build $1 --target bench"
	prepare_certs "$1"
}

write_config() # FILE BUILD CASE [GROUP]
{
	local certs
	certs=$(readlink -f "$work/certs")
	cat >"$1" <<-END
	[node]
	name=$bench_name
	authority=$certs/authority.pem
	certificate=$certs/$bench_name.pem
	key=$certs/$bench_name-key.pem
	module_path=$(readlink -f "$2")/bench
	schedulers=$(schedulers_of "$3")
	log_level=warning
	END
	[ -z "${4:-}" ] || cat >>"$1" <<-END
	applications=bench_$4
	[env.bench_$4]
	case_name="$3"
	warm_ms=$warm_ms
	run_ms=$run_ms
	large=$large
	timeout_ms=$timeout_ms
	tidy=$tidy
	END
}

dream_case() # CASE GROUP BUILD
{
	local config=$work/$1.conf
	if [ "$2" = node ]; then
		write_config "$config" "$3" "$1"
		measure_node dream "$3/bin/dreamd" "$config"
	else
		write_config "$config" "$3" "$1" "$2"
		bounded "$3/bin/dreamd" --config "$config"
	fi
}

# ---- an empty node

now_us() { printf '%s' "${EPOCHREALTIME/./}"; }

# Nodes that say when they are up and then wait; `erl` and `dreamd` stay the process that was started.
otp_node() { exec "${under[@]}" erl -noinput -boot start_clean +S 2:2 -eval 'io:put_chars("ready\n").' 2>/dev/null; }
dream_node() { exec "${under[@]}" "$1" --config "$2" --ready-fd 3 3>&1 >"$work/dreamd.log" 2>&1; }

# The same from start to stop: an emulator is told to halt on its command line, which is its shortest life.
otp_life() { "${under[@]}" erl -noinput -boot start_clean +S 2:2 -s erlang halt >/dev/null 2>&1; }

dream_life() # DREAMD CONFIG
{
	local line="" out pid
	exec {out}< <(dream_node "$@")
	pid=$!
	read -r -t "$start_seconds" line <&"$out"
	kill -TERM "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	exec {out}<&-
	[[ $line == ready* ]]
}

time_life() # SIDE ARGUMENT…
{
	local begin end
	begin=$(now_us)
	"$1_life" "${@:2}" || return 1
	end=$(now_us)
	echo $((end - begin))
}

resident_kb() # SIDE ARGUMENT…
{
	local line="" out pid kb
	exec {out}< <("$1_node" "${@:2}")
	pid=$!
	read -r -t "$start_seconds" line <&"$out"
	kb=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status")
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	exec {out}<&-
	[[ $line == ready* ]] && echo "$kb"
}

measure_node() # SIDE ARGUMENT…
{
	local i times=() kb
	for ((i = 0; i < starts_per_sample; i++)); do
		times+=("$(time_life "$@")") || return 1
	done
	kb=$(resident_kb "$@") || return 1
	printf '%s\n' "${times[@]}" | sort -n | awk '{ t[NR] = $1 }
		END { printf "node_life %.2f ms\n", t[int((NR + 1) / 2)] / 1000 }'
	awk -v kb="$kb" 'BEGIN { printf "node_resident %.2f MiB\n", kb / 1024 }'
}
