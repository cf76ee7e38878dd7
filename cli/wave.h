/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_WAVE_H
#define KT_WAVE_H

#include <stdbool.h>

#include "session.h"
#include "timeline.h"

/* The lanes as a picture for a terminal: one line per lane, one column per slice of time. */

struct kt_wave_opts {
	uint64_t from_ns, to_ns;	/* the window, host monotonic */
	uint64_t zero_ns;		/* where the axis counts from */
	unsigned int width;		/* columns in all */
	uint64_t mark_ns;		/* a point to show under the lanes; 0 = none */
	bool ascii, color;
	bool idle;			/* also timers that stay low throughout */
};

void kt_wave_print(const struct kt_timeline *t, const struct kt_model *m,
		   const struct kt_wave_opts *opts);

/* The steps in words, one a line. */
void kt_wave_steps(const struct kt_timeline *t, const struct kt_model *m, uint64_t zero_ns,
		   uint64_t from_ns, uint64_t to_ns);
size_t kt_wave_count_steps(const struct kt_timeline *t, uint64_t from_ns, uint64_t to_ns);

const char *kt_lane_value_name(unsigned int lane, unsigned int value);
const char *kt_certainty_name(unsigned int certainty);

#endif
