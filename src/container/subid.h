/* Subordinate ids: what /etc/subuid and /etc/subgid lend a user. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct subid_range {
    unsigned long start, count;
};

/* The ranges of a user in such a file, by his name or his uid; none is no error. Returns their
 * number. The caller frees. */
size_t subid_read(const char *path, uid_t uid, struct subid_range **ret);
/* The arguments of newuidmap(1)/newgidmap(1): process, then triples: `own` becomes 0, what is lent
 * follows from 1 on. The caller frees. */
char **subid_map_command(const char *program, pid_t pid, unsigned own,
                         const struct subid_range *ranges, size_t count);
/* The first id after all that are lent in such a file, for a proposal. */
unsigned long subid_next_free(const char *path);
