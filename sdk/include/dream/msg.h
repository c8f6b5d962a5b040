/* SPDX-License-Identifier: MIT */
/* msg.h: messages: immutable, reference-counted CBOR items (RFC 8949).
 *
 * A message never points into a module, so it outlives the code that made it. By custom it is a text,
 * "get", or a tagged array, ["add", {"by": 1}]; the typed handlers of gen_server.h are chosen by that tag. */
#ifndef DREAM_MSG_H
#define DREAM_MSG_H
#include <dream/host.h>

DREAM_BEGIN_DECLS

/** Copies one encoded CBOR item into a message.
 *  @data     lent: `size_bytes` bytes, exactly one well-formed item
 *  @ret_msg  yours; release it with dream_msg_unref()
 *  Errors    DREAM_EDECODE  not one well-formed item
 *            DREAM_ELIMIT   larger than 64 MiB or nested deeper than 128
 *            DREAM_ENOMEM
 *  Thread    [any]
 */
static inline int dream_msg_new(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg)
{
	return dream_host->msg_new(data, size_bytes, ret_msg);
}

/** Makes a message from CBOR diagnostic notation (RFC 8949 section 8), of which JSON is a part.
 *  @text     lent, NUL-terminated: `["add", {"by": 1}]`
 *  @ret_msg  yours
 *  Errors    DREAM_ESYNTAX, DREAM_ELIMIT, DREAM_ENOMEM
 *  Thread    [any]
 */
static inline int dream_msg_parse(const char *text, dream_msg_t **ret_msg)
{
	return dream_host->msg_parse(text, ret_msg);
}

/** Encodes a described value, alone or as the payload of a tagged array.
 *  @tag      lent, or NULL for the bare value
 *  @type     description of @value
 *  @value    lent
 *  @ret_msg  yours
 *  Errors    DREAM_ETYPE   the description does not fit the struct
 *            DREAM_EINVAL  the value breaks its description: an unset variant, a text that is not UTF-8
 *            DREAM_ENOMEM
 *  Thread    [any]
 */
static inline int dream_msg_encode(
	const char *tag, const dream_type_t *type, const void *value, dream_msg_t **ret_msg)
{
	return dream_host->msg_encode(tag, type, value, ret_msg);
}

/** Decodes a message into a described struct; texts and lists are copied into the caller's process memory.
 *  @tag      lent, or NULL: the tag that must stand before the value
 *  @ret_value  storage of type->size bytes; untouched on failure
 *  Errors    DREAM_EDECODE  another tag, or a field of another kind; dream_reason() names it
 *            DREAM_ERANGE   a number that does not fit its field
 *            DREAM_ENOMEM
 *  Thread    [process]
 */
static inline int dream_msg_decode(
	const dream_msg_t *msg, const char *tag, const dream_type_t *type, void *ret_value)
{
	return dream_host->msg_decode(msg, tag, type, ret_value);
}

/** True if @msg is the text @tag or an array that begins with it. [any] */
static inline bool dream_msg_has_tag(const dream_msg_t *msg, const char *tag)
{
	return dream_host->msg_has_tag(msg, tag) != 0;
}

/** The encoded item; it dies with @msg. [any] */
static inline const uint8_t *dream_msg_data_borrow(const dream_msg_t *msg)
{
	uint64_t size_bytes;
	return dream_host->msg_data_borrow(msg, &size_bytes);
}

static inline uint64_t dream_msg_size_bytes(const dream_msg_t *msg)
{
	uint64_t size_bytes;
	(void) dream_host->msg_data_borrow(msg, &size_bytes);
	return size_bytes;
}

/** One more reference; returns @msg. [any] */
static inline dream_msg_t *dream_msg_ref(const dream_msg_t *msg)
{
	return dream_host->msg_ref(msg);
}

/** Gives one reference back; NULL is allowed. [any] */
static inline void dream_msg_unref(dream_msg_t *msg)
{
	dream_host->msg_unref(msg);
}

/** Makes a shared byte string: a message that is one byte string, for data that many hold and nobody copies. To send it, to one or to
 *  ten thousand, and dream_msg_ref() count references; the last one frees it. Another node gets a copy.
 *  @ret_data  its @size_bytes bytes, uninitialised; to be written before the message is sent or referenced again, and never after
 *  @ret_msg   yours
 *  Errors     DREAM_ELIMIT  more than fits into 64 MiB with its head
 *             DREAM_ENOMEM
 *             DREAM_EPERM   not in a process
 *  Thread     [process]
 */
static inline int dream_bytes_new(uint64_t size_bytes, uint8_t **ret_data, dream_msg_t **ret_msg)
{
	return dream_host->bytes_new(size_bytes, ret_data, ret_msg);
}

/** The content of a message that is one byte string, where it lies; it dies with @msg. NULL with size 0: another message. [any] */
static inline const uint8_t *dream_bytes_borrow(const dream_msg_t *msg, uint64_t *ret_size_bytes)
{
	return dream_host->bytes_borrow(msg, ret_size_bytes);
}

/** Replaces a text of the caller's state by a copy in process memory; the former one is freed.
 *  @text     in: zeroed or set by this function
 *  @data     lent; NULL with 0 clears
 *  Errors    DREAM_ENOMEM  the old text stays
 *  Thread    [process]
 */
static inline int dream_text_set(dream_text_t *text, const char *data, uint64_t size_bytes)
{
	return dream_host->text_set(text, data, size_bytes);
}

DREAM_END_DECLS
#endif
