/* SPDX-License-Identifier: MIT */
/* planted.h: mistakes made on purpose, for the simulation to find (docs/testing.md). DREAM_PLANTED says which, in the
 * builds of tests/sim alone; everywhere else nothing of them is compiled. */
#ifndef NODE_PROC_PLANTED_H
#define NODE_PROC_PLANTED_H

#define NODE_PLANTED_EARLY_DOWN 1    /* DOWN before the last message (MON-6) */
#define NODE_PLANTED_LATE_NAME 2     /* the name is freed when EXIT and DOWN are on their way (EXIT-4) */
#define NODE_PLANTED_NO_UNLINK_ACK 3 /* unlink is not acknowledged (LNK-3) */
#define NODE_PLANTED_LANE_BY_NAME                                                                            \
	4 /* between nodes, messages to a pid may overtake those to its name (DIST-O1) */

#ifdef DREAM_PLANTED
#define NODE_PLANTED(fault) (DREAM_PLANTED == (fault))
#else
#define NODE_PLANTED(fault) 0
#endif
#endif
