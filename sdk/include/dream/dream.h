/* SPDX-License-Identifier: MIT */
/* dream.h: all of the SDK. apps/counter is the example to start from. */
#ifndef DREAM_DREAM_H
#define DREAM_DREAM_H
#include <dream/blocking.h>
#include <dream/io.h>
#include <dream/module.h>
#include <dream/tcp.h>
#endif
