/* SPDX-License-Identifier: MIT */
#include "shell/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ELLIPSIS "\xe2\x80\xa6"

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);
	return value != NULL && value[0] != '\0';
}

shell_style_t shell_text_style(void)
{
	shell_style_t style = {0, false, g_get_charset(NULL), true};
	if (!isatty(STDOUT_FILENO))
		return style;
	struct winsize size;
	style.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	style.colour = !is_set("NO_COLOR") && g_strcmp0(getenv("TERM"), "dumb") != 0;
	style.utf8_text = style.utf8_lines;
	return style;
}

/* Direction and other invisible characters can make a line read as what it is not; only the two joiners,
 * which scripts and emoji need, pass. */
static bool is_safe(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_SURROGATE:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
		return false;
	case G_UNICODE_FORMAT:
		return c == 0x200c || c == 0x200d;
	default:
		return true;
	}
}

static void put_char(GString *out, gunichar c, const shell_style_t *style, unsigned flags)
{
	bool passes = is_safe(c) && (c < 0x80 || style->utf8_text);
	if (passes || ((flags & SHELL_TEXT_LINES) != 0 && (c == '\n' || c == '\t')))
		g_string_append_unichar(out, c);
	else if (c == '\n')
		g_string_append(out, "\\n");
	else if (c < 0x100)
		g_string_append_printf(out, "\\x%02x", c);
	else
		g_string_append_printf(out, "\\u{%x}", c);
}

void shell_text_put(
	GString *out, const char *text, size_t size_bytes, const shell_style_t *style, unsigned flags)
{
	const char *end = text + size_bytes;
	while (text < end && out->len < SHELL_TEXT_OUT_MAX) {
		gunichar c = g_utf8_get_char_validated(text, end - text);
		/* A NUL is what some GLib versions call incomplete; both are one bad byte to us. */
		if (c == (gunichar) -1 || c == (gunichar) -2) {
			g_string_append_printf(out, "\\x%02x", (unsigned char) *text++);
		} else {
			put_char(out, c, style, flags);
			text += g_unichar_to_utf8(c, NULL);
		}
	}
}

static void put_json_escape(GString *out, gunichar c)
{
	if (c < 0x10000) {
		g_string_append_printf(out, "\\u%04x", c);
		return;
	}
	c -= 0x10000;
	g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
}

void shell_text_put_json(GString *out, const char *json, size_t size_bytes, const shell_style_t *style)
{
	const char *end = json + size_bytes;
	while (json < end) {
		gunichar c = g_utf8_get_char_validated(json, end - json);
		if (c == (gunichar) -1 || c == (gunichar) -2) {
			g_string_append(out, "\\ufffd");
			json++;
			continue;
		}
		if (is_safe(c) && (c < 0x80 || style->utf8_text))
			g_string_append_unichar(out, c);
		else
			put_json_escape(out, c);
		json += g_unichar_to_utf8(c, NULL);
	}
}

static uint32_t char_width(gunichar c)
{
	if (g_unichar_iszerowidth(c))
		return 0;
	return g_unichar_iswide(c) ? 2 : 1;
}

uint32_t shell_text_width(const char *text)
{
	uint32_t width = 0;
	for (; *text != '\0'; text = g_utf8_next_char(text))
		width += char_width(g_utf8_get_char(text));
	return width;
}

const char *shell_text_ellipsis(const shell_style_t *style)
{
	return style->utf8_lines ? ELLIPSIS : "...";
}

void shell_text_cut(GString *text, uint32_t width, const shell_style_t *style)
{
	if (shell_text_width(text->str) <= width)
		return;
	const char *ellipsis = shell_text_ellipsis(style);
	uint32_t ellipsis_width = shell_text_width(ellipsis);
	uint32_t room = width > ellipsis_width ? width - ellipsis_width : 0;
	uint32_t used = 0;
	const char *at = text->str;
	while (used + char_width(g_utf8_get_char(at)) <= room) {
		used += char_width(g_utf8_get_char(at));
		at = g_utf8_next_char(at);
	}
	g_string_truncate(text, (gsize) (at - text->str));
	if (ellipsis_width <= width)
		g_string_append(text, ellipsis);
	else
		for (uint32_t i = 0; i < width; i++)
			g_string_append_c(text, '.');
}

void shell_text_pad(GString *out, uint32_t count)
{
	for (; count > 0; count--)
		g_string_append_c(out, ' ');
}

void shell_text_put_bold(GString *out, const char *text, const shell_style_t *style)
{
	g_string_append_printf(out, style->colour ? "\033[1m%s\033[0m" : "%s", text);
}
