/* Who we are to the host. An ordinary user's commands run as root of a user namespace of his:
 * geteuid says 0 there, the host's files and limits say otherwise. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Root of the host, not of a user namespace alone? */
bool userns_is_host_root(void);
/* The uid whose processes and files ours are, as the namespace outside of ours numbers it. */
uid_t userns_owner(void);
/* Has the namespace more than one uid and one gid? */
bool userns_has_many_ids(void);
