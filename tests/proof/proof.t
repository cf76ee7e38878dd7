# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The proof.  SPIN drives the reference machine's own C code through all orders of
# guest, host, time and scheduling, and asks of every state it reaches:
#
#	late		no interrupt is taken later than the semantics' bound after its line fell
#	lost		a running guest is owed nothing that nobody will deliver
#	wake		a sleeping vCPU will be woken by its timer
#	progress	the guest is not entered again and again without running
#	notify		user space knows the levels before the guest is entered
#	cancel		what is pending in a list register is delivered if nobody exits
#
# "closed" means that no state is left to visit, at any depth.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v spin >/dev/null || skip_all "no spin: scripts/deps test installs it"
dir=$build/proof
mkdir -p "$dir" && cp "$top/tests/proof/machine.pml" "$dir/" && cd "$dir" || exit 1

# ---- two verifiers from one model: depth first closes, breadth first finds the shortest way ----
verifier() {
	gcc -std=gnu11 -O2 -w -DSAFETY -DVECTORSZ=2048 "$@" -I"$top/include" -I"$top/lib" pan.c \
		"$top/tests/proof/choose.c" "$top"/lib/machine*.c "$top/lib/scenario.c" "$top/lib/num.c"
}
rm -f ./*.trail pan pan-shortest
spin -a machine.pml >spin.log 2>&1 && verifier -DCOLLAPSE -o pan >>spin.log 2>&1 &&
	verifier -DBFS -o pan-shortest >>spin.log 2>&1
ok $? "SPIN makes a verifier of the machine" "$(cat spin.log)"
[ -x pan-shortest ] || done_testing

figures() {
	awk '/depth reached/ { sub(",", "", $6); depth = $6 } /states, stored/ { states = $1 }
		/transitions/ { transitions = $1 }
		END { printf "depth %d, %d states, %d transitions", depth, states, transitions }' "$1"
}

# closed NAME SETTINGS [DEPTH]: every reachable state, and none breaks a property
closed() {
	KT_PROOF=$2 ./pan -m"${3-200000}" -w22 >out 2>&1
	grep -q 'errors: 0' out && ! grep -qE 'too small|out of memory|hashtable is full' out
	ok $? "$1: closed: $(figures out)" "$(cat out)"
	rm -f ./*.trail
}

# bounded NAME DEPTH SETTINGS: every state within DEPTH steps
bounded() {
	KT_PROOF=$3 ./pan-shortest -m"$2" >out 2>&1
	grep -q 'errors: 0' out && ! grep -q 'out of memory' out
	ok $? "$1: all of $2 steps: $(figures out)" "$(cat out)"
	rm -f ./*.trail
}

# broken NAME PROPERTY SETTINGS: a way to break it is found; leaves it in steps
broken() {
	KT_PROOF=$3 ./pan-shortest -w18 >out 2>&1
	KT_PROOF=$3 KT_PROOF_PRINT=1 ./pan-shortest -r >steps 2>&1
	grep -q 'errors: 1' out && grep -qx "broken $2" steps
	ok $? "$1: $2 after $(grep -c '^step' steps) steps" "$(cat out steps)"
	rm -f ./*.trail
}

# scenario FILE STORY: the steps as a scenario; a plain guest starts masked
scenario() {
	{
		echo "# $2"
		echo "# Found by SPIN: the shortest way there."
		echo "handler manual"
		sed -n 's/^step 0 //p' steps | awk '{ print } $1 == "enter" && !n++ { print "mask" }'
	} >"$1"
}

semantics='edge level level-sync-clear lazy mapped userspace'

# counts_as WALK-OPTIONS SETTINGS: a search of our own, in C, finds as many states and transitions
# as SPIN, which has one state more, before the machine is made, and two transitions from there.
counts_as() {
	local ours theirs
	# shellcheck disable=SC2086
	ours=$("$build/walk" $1 -x -n 1 -l 1000000 | awk 'END { print $5 + 1, $7 + 2, $8 }')
	KT_PROOF=$2 ./pan -m200000 -w18 >out 2>&1
	theirs=$(figures out | awk '{ print $3, $5, "closed" }')
	is "$ours" "$theirs" "walk $1: counts what SPIN counts"
}

# ---- what holds ----
for s in $semantics; do
	closed "$s, 1 vCPU, 1 timer" "semantics=$s"
	closed "$s, 1 vCPU, 1 timer, 2 CPUs" "semantics=$s cpus=2"
done
closed "level-sync-clear in its other reading, held to level's bound" "semantics=level-sync-clear queued=1 bound=1"
closed "mapped, 1 vCPU, 2 timers" "semantics=mapped timers=3"
closed "mapped on nVHE, 1 vCPU, 2 timers" "semantics=mapped timers=3 nvhe=1"
closed "userspace, 1 vCPU, 2 timers" "semantics=userspace timers=3"
for s in $semantics; do
	counts_as "-s $s" "semantics=$s"
done
counts_as "-s mapped -c 2" "semantics=mapped cpus=2"
# Two vCPUs that share a CPU: closed where that takes seconds; KT_PROOF_ALL=1 closes the others
# too, which takes minutes and gigabytes.
depth=1000000
[ -z "${KT_PROOF_ALL-}" ] || depth=30000000
for s in edge level level-sync-clear ${KT_PROOF_ALL:+userspace lazy mapped}; do
	closed "$s, 2 vCPUs on 1 CPU" "semantics=$s vcpus=2" "$depth"
done
for s in lazy mapped userspace; do
	bounded "$s, 2 vCPUs on 1 CPU" "${KT_PROOF_DEPTH:-14}" "semantics=$s vcpus=2"
done
for s in $semantics; do
	bounded "$s, 2 vCPUs on 2 CPUs" "$((${KT_PROOF_DEPTH:-14} - 3))" "semantics=$s vcpus=2 cpus=2"
done

# ---- the seed's defect, found without being told ----
broken "edge, held to level's bound" late "semantics=edge bound=1 plain=1"
scenario edge-late.scn "Edge: a cancelled interrupt is taken although two exits have passed."
"$kt" simulate edge-late.scn -s edge --summary >got 2>&1
like "$(cat got)" 'taken=1 spurious=1 late=1' "simulate replays what SPIN found"
is "$(grep -E '^(mask|enable|program far|disable|imask|unmask|ack)' edge-late.scn | tr '\n' ' ')" \
	"mask enable program far unmask ack " "it is the seed's scenario: mask, enable, cancel, unmask, and it is taken"
broken "level-sync-clear, held to level's bound" late "semantics=level-sync-clear bound=1 plain=1"
scenario level-sync-clear-late.scn "The first version of the rework: as late as edge."
"$kt" simulate level-sync-clear-late.scn -s level-sync-clear --summary >got 2>&1
like "$(cat got)" 'taken=1 spurious=1 late=1' "simulate replays that, too"

# ---- the bounds are tight ----
broken "level, held to mapped's bound" late "semantics=level bound=0 plain=1"
scenario level-late.scn "Level: a cancelled interrupt is taken although one exit has passed."
"$kt" simulate level-late.scn -s level --summary >got 2>&1
like "$(cat got)" 'taken=1 spurious=1 late=1' "simulate replays level's one exit"

# ---- a machine broken on purpose is caught, property by property ----
# numbers of enum kt_fault; the semantics where the broken part exists
faults() {
	local fault=$1 property=$2
	shift 2
	for s; do
		broken "$s, fault $fault" "$property" "semantics=$s fault=$fault"
	done
}
faults 1 late level lazy mapped userspace
faults 2 lost lazy mapped userspace
faults 2 late level
faults 3 wake edge level level-sync-clear lazy mapped userspace
faults 4 progress edge level level-sync-clear lazy mapped userspace
faults 5 notify userspace
faults 6 cancel edge level level-sync-clear lazy mapped
done_testing
