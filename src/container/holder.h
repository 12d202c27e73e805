/* The namespaces of an ordinary user: one user namespace in which he is root and his subordinate
 * ids are the other users, and one mount namespace in which his containers' file systems are
 * mounted. All his commands and containers live in these two. A process that does nothing holds
 * them, so that they are there between commands; when it is killed, conmon of any running container
 * shows the way back to them, and a new holder is started.
 *
 *     if (holder_needed())
 *         r = holder_enter(&note, err);            // makes or joins them
 *         ...
 *         r = holder_execute_again(argv, err);     // comes back as root of the namespace
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* We are an ordinary user outside of his namespace. */
bool holder_needed(void);
/* `ret_note` is set when something is missing that the user should know of; the caller frees. */
int holder_enter(char **ret_note, struct error *err);
/* The same program with the same arguments; returns only on failure. */
int holder_execute_again(char *const *argv, struct error *err);
/* The administrator's command that lends a user subordinate ids. The caller frees. */
char *holder_advice(uid_t uid);
/* The life of the holder. */
_Noreturn void holder_hold(void);
/* Its hidden command. */
#define HOLDER_COMMAND "namespace-holder"
