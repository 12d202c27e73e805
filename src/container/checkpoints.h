/* Checkpoints as objects of their own: the local ones of containers, and archives. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "container/container.h"

/* What a checkpoint holds, without bringing anything back:
 *
 *     Container Name Image ImageID   whose it is
 *     Path Created Size              the directory or archive; in bytes
 *     Memory                         bytes of the processes' content
 *     Processes                      of each Pid Parent Command Threads Memory
 *
 * ERROR_NOT_FOUND: the container has no local checkpoint. The caller unrefs. */
int checkpoint_describe(const struct container *c, struct json **ret, struct error *err);
/* The same of an archive, which is read up to its pages and is not trusted. */
int checkpoint_describe_archive(struct firn *firn, const char *path, struct json **ret,
                                struct error *err);

bool checkpoint_exists(const struct container *c);
/* Removes the local checkpoint, and with it the connections that were kept for it. A container that
 * ended by this checkpoint has nothing else to go on from: ERROR_STATE unless `force`. */
int checkpoint_remove(struct container *c, bool force, struct error *err);
/* Ends the connections that were kept for the local checkpoint, if there is one. */
void checkpoint_drop_connections(const struct container *c);
