/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for tracedat_child.c where libtracecmd is missing. */
#include "tracedat.h"

const bool kt_tracedat_built = false;

void kt_tracedat_child(int in_fd, int out_fd, void *arg)
{
	(void)in_fd;
	(void)out_fd;
	(void)arg;
}
