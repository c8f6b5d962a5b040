/* SPDX-License-Identifier: MIT */
/* adopt.h: turns the descriptor of a mapped module into a generation: checked, then copied into this node's
 * sizes. */
#ifndef NODE_CODE_ADOPT_H
#define NODE_CODE_ADOPT_H
#include "code/code.h"
#include "code/image.h"

DREAM_BEGIN_DECLS

/* Limits on what a descriptor may list; far beyond any module written by hand. */
#define NODE_ADOPT_KINDS_MAX 256u
#define NODE_ADOPT_LIST_MAX 1024u        /* handlers, children, dependencies of one kind */
#define NODE_ADOPT_FIELDS_MAX (1u << 20) /* fields visited in all described types together */
#define NODE_ADOPT_TEXT_MAX ((uint64_t) 65536)

/* One adoption. */
typedef struct node_adopt {
	const node_image_t *image;
	node_gen_t *gen;
	node_diag_t *diag;
	const char *where; /* "server counter: ", put before each text */
	uint32_t fields_left;
	/* Results beside the generation. */
	const dream_host_t **host;
	int (*load)(void);
} node_adopt_t;

/** Checks @descriptor (magic, major, size, minor, the rest) and copies it into a->gen; nothing of the module
 *  runs.
 *  @a        image, gen and diag are set; a->gen->owned collects memory that lives as long as the generation
 *  Errors    DREAM_EABI, DREAM_EMODULE, DREAM_ETYPE, DREAM_ENOMEM; what was put into a->gen stays its own
 *  Thread    [any] */
int node_adopt_module(node_adopt_t *a, const void *descriptor);

/* ---- for vtable.c ---- */

/** Copies a struct that begins with its size: theirs into ours, absent members zero, an unknown tail only if
 *  zero.
 *  @what     for messages, "its vtable"
 *  @least    its size in ABI 1.0. Errors DREAM_EMODULE. [any] */
int node_adopt_struct(node_adopt_t *a, const char *what, const void *theirs, uint32_t least, void *ret_ours,
	uint32_t ours_size);
/** DREAM_EMODULE with a text. [any] */
DREAM_PRINTF(2, 3) int node_adopt_refuse(node_adopt_t *a, const char *format, ...);
/** Zeroed memory that lives as long as the generation; NULL: out of memory. [any] */
void *node_adopt_alloc(node_adopt_t *a, size_t size_bytes);
/** DREAM_OK for NULL and for a text within the module of at most @max_bytes. [any] */
int node_adopt_text(node_adopt_t *a, const char *what, const char *text, uint64_t max_bytes);
/** DREAM_OK for 0 and for code of the module. [any] */
int node_adopt_code(node_adopt_t *a, const char *what, uintptr_t code);
/** Counts a NULL-terminated array of pointers in the module; NULL counts as empty. [any] */
int node_adopt_count(node_adopt_t *a, const char *what, const void *const *list, uint32_t *ret_n);
/** A described type and all it refers to; then node_codec_check_type(). [any] */
int node_adopt_type(node_adopt_t *a, const char *what, const dream_type_t *type);
/** True for [a-z][a-z0-9_]{0,63}. [any] */
bool node_adopt_is_name(const char *text);
/** A stranger's text for a message: printable ASCII, cut, in quotes. Returns @ret_quoted. [any] */
#define NODE_ADOPT_QUOTED 80
const char *node_adopt_quote(const char *text, char ret_quoted[]);

DREAM_END_DECLS
#endif
