# SPDX-License-Identifier: MIT
# report.awk: reads bench/figures, then samples "SIDE PAIR FIGURE VALUE UNIT", and prints a table, JSON (-v form=json)
# or the figures below their bars (-v form=missed, status 3 if there are any); a case in -v failed_cases meets no bar.
# -v left and right name the sides: the ratio is above 1 where right does better, whichever way the unit points. Bars
# are for "otp" and "dream" only.

BEGIN {
	split(failed_cases, list, " ")
	for (i in list)
		failed[list[i]]
}

FNR == 1 {
	file++
}

/^#/ || NF == 0 {
	next
}

file == 1 {
	name[++names] = $1
	case_of[$1] = $2
	other[$1] = $4
	bar[$1] = $5
	next
}

{
	if (!($3 in unit) && !($3 in bar)) {
		printf "report.awk: %s is not in bench/figures\n", $3 >"/dev/stderr"
		status = 1
		exit
	}
	unit[$3] = $5
	value[$1, $3, ++count[$1, $3]] = $4 + 0
	of_pair[$1, $3, $2] = $4 + 0
	if ($2 > pairs)
		pairs = $2
}

# ---- medians

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

# Sets median, least and greatest of a side's values; returns their number.
function summarise(side, what, i, n, list)
{
	n = count[side, what]
	for (i = 1; i <= n; i++)
		list[i] = value[side, what, i]
	sort_list(list, n)
	if (n > 0) {
		median = median_of(list, n)
		least = list[1]
		greatest = list[n]
	}
	return n
}

# The figure of the right side that stands against `what` of the left.
function partner(what)
{
	return other[what] == "=" || right != "dream" ? what : other[what]
}

# The unit of a row, also where only the other side has the figure.
function unit_of(what)
{
	return what in unit ? unit[what] : unit[partner(what)]
}

# Sets ratio, ratio_least and ratio_greatest from the pairs that have both sides; returns their number.
function compare(what, k, n, l, r, list)
{
	n = 0
	for (k = 1; k <= pairs; k++) {
		l = of_pair[left, what, k]
		r = of_pair[right, partner(what), k]
		if (l > 0 && r > 0)
			list[++n] = unit_of(what) ~ /\/s$/ ? r / l : l / r
	}
	sort_list(list, n)
	if (n > 0) {
		ratio = median_of(list, n)
		ratio_least = list[1]
		ratio_greatest = list[n]
	}
	return n
}

# ---- bars

# "met", "missed", or "" where there is no bar or nothing to hold against it.
function judge(what)
{
	if (bar[what] == "-" || right != "dream")
		return ""
	if (case_of[what] in failed)
		return "missed"
	if (bar[what] ~ /^x/)
		return compare(what) == 0 ? "" : ratio >= substr(bar[what], 2) + 0 ? "met" : "missed"
	return summarise(right, partner(what)) == 0 ? "" : median <= substr(bar[what], 3) + 0 ? "met" : "missed"
}

function bar_text(what)
{
	if (bar[what] == "-" || right != "dream")
		return ""
	return bar[what] ~ /^x/ ? ">= " substr(bar[what], 2) " x" : "<= " substr(bar[what], 3)
}

function is_measured(what)
{
	return (case_of[what] in failed) || ((left, what) in count) || ((right, partner(what)) in count)
}

# ---- text

# Four digits, with a suffix for what is large.
function short_number(v)
{
	if (v >= 1e6)
		return sprintf("%.4gM", v / 1e6)
	if (v >= 1e4)
		return sprintf("%.4gk", v / 1e3)
	return sprintf("%.4g", v)
}

function shown(side, what)
{
	return summarise(side, what) ? short_number(median) : "-"
}

function spread(side, what)
{
	return summarise(side, what) ? short_number(least) ".." short_number(greatest) : "-"
}

function print_row(what, n, verdict)
{
	verdict = judge(what)
	n = compare(what)
	printf "%-23s %9s %9s %-12s %20s %7s %14s %9s %s\n", what, shown(left, what), shown(right, partner(what)),
		unit_of(what), spread(right, partner(what)), n ? sprintf("%.3g", ratio) : "-",
		n ? sprintf("%.3g..%.3g", ratio_least, ratio_greatest) : "-", bar_text(what), verdict
}

function print_table(i, met, missed)
{
	printf "%-23s %9s %9s %-12s %20s %7s %14s %9s\n", "figure", left_title, right_title, "unit",
		right_title " min..max", "ratio", "min..max", right == "dream" ? "bar" : ""
	for (i = 1; i <= names; i++)
		if (is_measured(name[i])) {
			print_row(name[i])
			met += judge(name[i]) == "met"
			missed += judge(name[i]) == "missed"
		}
	printf "medians of %d pairs; a ratio above 1: %s does better", pairs, right_title
	if (met + missed > 0)
		printf "; %d of %d bars met", met, met + missed
	printf "\n%s, %d cores, %s%s; %s\n", cpu, cores, kernel, otp == "" ? "" : ", OTP " otp, how
}

function print_missed(i, what)
{
	for (i = 1; i <= names; i++) {
		what = name[i]
		if (judge(what) != "missed")
			continue
		status = 3
		if (case_of[what] in failed)
			printf "below its bar: %s has no figure, its case failed\n", what
		else if (bar[what] ~ /^x/ && compare(what))
			printf "below its bar: %s is %.3g times as good as OTP, not %s\n", what, ratio, substr(bar[what], 2)
		else if (summarise(right, partner(what)))
			printf "below its bar: %s is %s %s, more than %s\n", what, short_number(median), unit_of(what),
				substr(bar[what], 3)
	}
}

# ---- JSON

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

function json_side(side, what)
{
	if (!summarise(side, what))
		return "null"
	return sprintf("{\"median\": %s, \"least\": %s, \"greatest\": %s, \"runs\": %s}", median "", least "",
		greatest "", runs(side, what))
}

function print_json_row(what, n, verdict)
{
	verdict = judge(what)
	n = compare(what)
	printf "  {\"name\": %s, \"unit\": %s,\n   %s: %s,\n   %s: %s,\n", quoted(what), quoted(unit_of(what)),
		quoted(left), json_side(left, what), quoted(right), json_side(right, partner(what))
	printf "   \"ratio\": %s, \"ratio_least\": %s, \"ratio_greatest\": %s, ", n ? ratio "" : "null",
		n ? ratio_least "" : "null", n ? ratio_greatest "" : "null"
	printf "\"bar\": %s, \"met\": %s}", bar_text(what) == "" ? "null" : quoted(bar_text(what)),
		verdict == "" ? "null" : verdict == "met" ? "true" : "false"
}

function print_json(i, rows)
{
	CONVFMT = OFMT = "%.10g"
	printf "{\"pairs\": %d, \"cpu\": %s, \"cores\": %d, \"kernel\": %s, \"otp_version\": %s,\n", pairs, quoted(cpu),
		cores, quoted(kernel), otp == "" ? "null" : quoted(otp)
	printf " \"commit\": %s, \"date\": %s, \"how\": %s,\n", quoted(commit), quoted(date), quoted(how)
	printf " \"left\": %s, \"right\": %s,\n \"results\": [", quoted(left_title), quoted(right_title)
	for (i = 1; i <= names; i++)
		if (is_measured(name[i])) {
			printf "%s\n", rows++ ? "," : ""
			print_json_row(name[i])
		}
	print "\n]}"
}

END {
	if (status != 0)
		exit status
	if (left_title == "") {
		left_title = left == "otp" ? "OTP" : left
		right_title = right == "dream" ? "DREAM" : right
	}
	if (form == "json")
		print_json()
	else if (form == "missed")
		print_missed()
	else
		print_table()
	exit status
}
