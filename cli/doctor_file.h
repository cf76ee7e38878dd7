/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_DOCTOR_FILE_H
#define KT_DOCTOR_FILE_H

#include <stdbool.h>

/* doctor FILE: what a capture holds and lacks.  Returns an exit status. */
int kt_doctor_file(const char *path, bool json);

#endif
