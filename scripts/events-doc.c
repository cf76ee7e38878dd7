/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints docs/events.md from the table in include/kvmtimer/event.h. */
#include <stdio.h>

#include "event.h"

static const char *const types[] = {
	[KT_U8] = "u8", [KT_S8] = "s8", [KT_U16] = "u16", [KT_U32] = "u32", [KT_S32] = "s32",
	[KT_U64] = "u64",
};

int main(void)
{
	puts("# Events\n\n"
	     "Generated from `include/kvmtimer/event.h` by `make docs`. Every record is 32 bytes: `ts_ns`, `who`, `kind`,\n"
	     "`sub` (timer and place), `pcpu`, and 16 bytes of payload. `dump` prints them as\n"
	     "`TIME cpuN WHO KIND[.TIMER[.PLACE]] field=value ...`.\n\n"
	     "| kind | number | what it says | payload |\n|---|---|---|---|");
	for (unsigned int k = 1; k < KT_EV_NR; k++) {
		const struct kt_field *f = kt_kind_fields(k);

		printf("| `%s` | %u | %s | ", kt_kind_name(k), k, kt_kind_what(k));
		for (; f->name; f++)
			printf("%s %s%s", types[f->type], f->name, f[1].name ? ", " : "");
		puts(" |");
	}
	return 0;
}
