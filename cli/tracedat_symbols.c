/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's symbols in a trace.dat: a hundred thousand lines, of which three
 * name functions that a reader of ours asks for.  libtraceevent's own function
 * takes most of the time that it takes to open a file, and most of the child's
 * memory; libtracecmd finds this one in its place, as the dynamic linker looks
 * into the program first.
 */
#include <stdlib.h>
#include <string.h>

#include <traceevent/event-parse.h>

static bool is_wanted(const char *name, size_t len)
{
	static const char begins[] = "kvm_", ends[] = "_expire";

	return len > strlen(begins) + strlen(ends) && !memcmp(name, begins, strlen(begins)) &&
	       !memcmp(name + len - strlen(ends), ends, strlen(ends));
}

/* ADDRESS TYPE NAME [MODULE], one a line. */
int tep_parse_kallsyms(struct tep_handle *tep, const char *buf)
{
	for (const char *line = buf, *next; *line; line = next) {
		size_t len = strcspn(line, "\n");
		const char *type = memchr(line, ' ', len);

		next = line + len + (line[len] == '\n');
		if (type && type + 3 < line + len && type[2] == ' ') {
			size_t name_len = strcspn(type + 3, " \t\n");
			char name[64];

			if (name_len >= sizeof(name) || !is_wanted(type + 3, name_len))
				continue;
			memcpy(name, type + 3, name_len);
			name[name_len] = 0;
			if (tep_register_function(tep, name, strtoull(line, NULL, 16), NULL))
				return -1;
		}
	}
	return 0;
}
