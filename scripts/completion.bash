# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Words come from the tool's own option tables.
_kvmtimer_trace() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(kvmtimer-trace --complete)" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(kvmtimer-trace --complete "${COMP_WORDS[1]}")" -- "$cur")
	fi
}
complete -o default -F _kvmtimer_trace kvmtimer-trace
