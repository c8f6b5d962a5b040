/* SPDX-License-Identifier: MIT */
/* error.h: the codes that functions return: 0, a negative errno value, or one of ours below -4000. */
#ifndef DREAM_ERROR_H
#define DREAM_ERROR_H
#include <errno.h>

#define DREAM_OK 0

#define DREAM_ENOMEM (-ENOMEM)               /* memory, or the process's memory limit, is exhausted */
#define DREAM_EINVAL (-EINVAL)               /* an argument is outside what the function takes */
#define DREAM_EBUSY (-EBUSY)                 /* a queue is at its limit */
#define DREAM_ENOENT (-ENOENT)               /* no such thing: name, key, timer, file */
#define DREAM_EEXIST (-EEXIST)               /* the name is taken */
#define DREAM_ETIMEDOUT (-ETIMEDOUT)         /* the time given has passed */
#define DREAM_ERANGE (-ERANGE)               /* a number does not fit where it should go */
#define DREAM_EPERM (-EPERM)                 /* the caller may not do this */
#define DREAM_EIO (-EIO)                     /* the system refused a read or a write */
#define DREAM_EADDRINUSE (-EADDRINUSE)       /* another socket has the address and port */
#define DREAM_EADDRNOTAVAIL (-EADDRNOTAVAIL) /* the address is not one of this machine */
#define DREAM_ECONNREFUSED (-ECONNREFUSED)   /* nobody listens there */
#define DREAM_ECONNRESET (-ECONNRESET)       /* the connection broke: the peer reset it, or is gone */
#define DREAM_EHOSTUNREACH (-EHOSTUNREACH)   /* no way to that address */

#define DREAM_ENOPROC (-4001)       /* no process there: dead, never was, or an earlier incarnation */
#define DREAM_ENOCONNECTION (-4002) /* the node is not connected, or the connection was lost */
#define DREAM_EDOWN (-4003)         /* the server ended before it answered; dream_reason() says why */
#define DREAM_EREQUEST (-4004)      /* the server does not understand the request; dream_reason() says more */
#define DREAM_EDECODE (-4005)       /* bytes are not the CBOR item, or not of the type, asked for */
#define DREAM_ETYPE (-4006)         /* a described type is inconsistent */
#define DREAM_ELOAD (-4007)         /* a module cannot be mapped: missing, truncated, unresolved symbol */
#define DREAM_EABI (-4008)          /* a module was built for another ABI or is no module */
#define DREAM_EMODULE (-4009)       /* a module's descriptor breaks a rule */
#define DREAM_ECODECHANGE (-4010)   /* a state could not be carried to the other version */
#define DREAM_EALREADY (-4011)      /* already started, loaded or running */
#define DREAM_ENOTSTARTED (-4012)   /* not running, or something it depends on is not */
#define DREAM_EINIT (-4013)         /* init failed; dream_reason() says why */
#define DREAM_ESELF (-4014)         /* a process called itself */
#define DREAM_ECONFIG (-4015)       /* a configuration file is wrong */
#define DREAM_ECERT (-4016)         /* a certificate is missing, foreign, expired or of another role */
#define DREAM_EPROTO (-4017)        /* a peer broke the protocol */
#define DREAM_ESYNTAX (-4018)       /* a line or a term cannot be parsed */
#define DREAM_ELIMIT (-4019)        /* a documented limit was reached */
#define DREAM_ECLOSED (-4020)       /* the stream has ended, or socket or descriptor were closed here */
#define DREAM_ENOHOST (-4021)       /* no address is known for that name of a host */

/* Not an error: init asks not to be started. */
#define DREAM_IGNORE 1

#endif
