/* Compiling the default seccomp profile takes crun three times as long as everything else it does.
 * It leaves the result in its state directory, and takes it back by an annotation: so it is
 * compiled once per boot and profile. The profile stays in the spec, for a runtime that does not
 * know the annotation. */
#pragma once

#include "base/buf.h"
#include "container/container.h"

/* The name of the compiled form of linux.seccomp in `spec`; NULL when there is no profile, or the
 * runtime is not crun. The caller frees. */
char *seccomp_cache_key(struct container *c, const struct json *spec);
/* Adds the annotation if the compiled form is there. Returns whether it is. */
bool seccomp_cache_use(struct container *c, const char *key, struct json *spec);
/* Keeps what crun has compiled for this container. */
void seccomp_cache_keep(struct container *c, const char *key);

/* The filter a running container has, where the kernel does not show it to us: the runtime's copy,
 * or that of the checkpoint it came from. Leaves `b` empty where there is none. */
void seccomp_filter_read(const struct container *c, struct buf *b);
/* The runtime's part when it was a checkpoint that brought the filter back (`dirfd` has the
 * images): its copy, with which `exec` gives it to further processes. `spec` says whether there is
 * a filter of the container at all. */
int seccomp_filter_keep(struct container *c, const struct json *spec, int dirfd, struct error *err);
