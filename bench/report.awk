# SPDX-License-Identifier: MIT
# report.awk: reads lines "SIDE PAIR NAME VALUE UNIT" and prints a table, or JSON with -v form=json.
# The bars are the project's promises: against OTP where they begin with "x", else absolute.

BEGIN {
	bar["call_1"] = "x 4"
	bar["call_1000"] = "x 4"
	bar["idle_bytes"] = "bytes 512"
	bar["node_start"] = "ms 30"
}

{
	if (!($3 in unit))
		name[++names] = $3
	unit[$3] = $5
	value[$1, $3, ++count[$1, $3]] = $4
	of_pair[$1, $3, $2] = $4
}

# Sorts list[1..n] in place; n is a handful.
function sort_list(list, n, i, j, v)
{
	for (i = 2; i <= n; i++) {
		v = list[i]
		for (j = i - 1; j >= 1 && list[j] > v; j--)
			list[j + 1] = list[j]
		list[j + 1] = v
	}
}

function median_of(list, n)
{
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function median(side, what, i, n, list)
{
	n = count[side, what]
	for (i = 1; i <= n; i++)
		list[i] = value[side, what, i] + 0
	sort_list(list, n)
	return median_of(list, n)
}

# Sets ratio, least and greatest from the pairs that have both sides; returns their number. More is better per second.
function compare(what, k, n, otp, dream, list)
{
	n = 0
	for (k = 1; k <= pairs; k++) {
		otp = of_pair["otp", what, k] + 0
		dream = of_pair["dream", what, k] + 0
		if (otp > 0 && dream > 0)
			list[++n] = unit[what] ~ /\/s$/ ? dream / otp : otp / dream
	}
	sort_list(list, n)
	if (n > 0) {
		ratio = median_of(list, n)
		least = list[1]
		greatest = list[n]
	}
	return n
}

# "met", "missed", or "" where there is no bar or nothing to hold against it.
function judge(what, compared, part)
{
	if (!(what in bar) || !(("dream", what) in count))
		return ""
	split(bar[what], part, " ")
	if (part[1] == "x")
		return compared == 0 ? "" : ratio >= part[2] ? "met" : "missed"
	return median("dream", what) <= part[2] ? "met" : "missed"
}

function bar_text(what, part)
{
	if (!(what in bar))
		return ""
	split(bar[what], part, " ")
	return part[1] == "x" ? ">= " part[2] " x" : "<= " part[2] " " part[1]
}

function shown(side, what)
{
	if (!((side, what) in count))
		return "-"
	return sprintf(unit[what] == "ms" ? "%.1f" : "%.0f", median(side, what))
}

function print_table(i, what, n)
{
	printf "%-22s %12s %12s %-12s %8s %16s  %-13s %s\n", "case", "OTP", "DREAM", "unit", "ratio", "least..greatest",
		"bar", ""
	for (i = 1; i <= names; i++) {
		what = name[i]
		n = compare(what)
		printf "%-22s %12s %12s %-12s %8s %16s  %-13s %s\n", what, shown("otp", what), shown("dream", what),
			unit[what], n ? sprintf("%.2f", ratio) : "-", n ? sprintf("%.2f..%.2f", least, greatest) : "-",
			bar_text(what), judge(what, n)
	}
	printf "medians of %d pairs; a ratio above 1: DREAM does better; %s, %d cores, %s\n", pairs, cpu, cores, kernel
}

function quoted(text)
{
	gsub(/[\\"]/, "\\\\&", text)
	gsub(/[[:cntrl:]]/, " ", text)
	return "\"" text "\""
}

function runs(side, what, i, text)
{
	for (i = 1; i <= count[side, what]; i++)
		text = text (i > 1 ? ", " : "") value[side, what, i]
	return "[" text "]"
}

function middle(side, what)
{
	return (side, what) in count ? median(side, what) "" : "null"
}

function print_json(i, what, n, verdict)
{
	CONVFMT = "%.10g"
	printf "{\"pairs\": %d, \"cpu\": %s, \"cores\": %d, \"kernel\": %s, \"results\": [", pairs, quoted(cpu), cores,
		quoted(kernel)
	for (i = 1; i <= names; i++) {
		what = name[i]
		n = compare(what)
		verdict = judge(what, n)
		printf "%s\n  {\"name\": %s, \"unit\": %s, \"otp\": %s, \"dream\": %s, ", (i > 1 ? "," : ""), quoted(what),
			quoted(unit[what]), middle("otp", what), middle("dream", what)
		printf "\"ratio\": %s, \"least\": %s, \"greatest\": %s, ", n ? ratio "" : "null", n ? least "" : "null",
			n ? greatest "" : "null"
		printf "\"bar\": %s, \"met\": %s, ", what in bar ? quoted(bar_text(what)) : "null",
			verdict == "" ? "null" : verdict == "met" ? "true" : "false"
		printf "\"otp_runs\": %s, \"dream_runs\": %s}", runs("otp", what), runs("dream", what)
	}
	print "\n]}"
}

END {
	if (form == "json")
		print_json()
	else
		print_table()
}
