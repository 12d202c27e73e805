#include "engine/state.h"

const struct state_part *const process_state[] = {
    &state_limits,
    &state_attributes,
    &state_host_name,
    &state_landlock,
    &state_signal_actions,
    &state_pending_signals,
    NULL,
};

/* Last, so that they do not run out before everything else is done. */
const struct state_part *const timer_state[] = {
    &state_interval_timers,
    &state_posix_timers,
    &state_memory_protection,
    NULL,
};

/* Filters come before credentials: installing them may need a capability that the thread is about
 * to lose, and they do not bite while we hold the thread. Signals come before both, since sending
 * one to oneself needs no right. */
const struct state_part *const thread_state[] = {
    &state_thread_pointers, &state_scheduling, &state_rseq,
    &state_thread_signals,  &state_controls,   &state_seccomp,
    &state_credentials,     &state_keyrings,   NULL,
};
