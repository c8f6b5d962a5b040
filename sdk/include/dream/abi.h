/* SPDX-License-Identifier: MIT */
/* abi.h: what a module and a node must agree on before either reads a byte of the other. */
#ifndef DREAM_ABI_H
#define DREAM_ABI_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define DREAM_BEGIN_DECLS extern "C" {
#define DREAM_END_DECLS }
#else
#define DREAM_BEGIN_DECLS
#define DREAM_END_DECLS
#endif

#define DREAM_EXPORT __attribute__((visibility("default"), used))
#define DREAM_HIDDEN __attribute__((visibility("hidden")))
#define DREAM_UNUSED __attribute__((unused))
#define DREAM_NORETURN __attribute__((noreturn))
#define DREAM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The first word of every module descriptor, for ever: "DRM" and a byte no text file holds. */
#define DREAM_ABI_MAGIC 0x8d4d5244u
/* Must be equal in module and node. */
#define DREAM_ABI_MAJOR 1
/* A node runs modules of its own minor and of every lower one. */
#define DREAM_ABI_MINOR 0

/* First member of every struct that crosses the boundary: its size where it was compiled.
 * Used as the first initialiser: `{ DREAM_SIZED(dream_kind_t), .name = … }`. */
#define DREAM_SIZED(type) .struct_size = (uint32_t) sizeof(type)

#endif
