/* Where an execution's things are.
 *
 *   <store>/<id>/checkpoint-<id>.tar.gz   its checkpoint (the name says what its users expect; it
 *                                         is compressed as all checkpoints of firn are)
 *   <runroot>/executions/<id>/            gone after a reboot:
 *       lock                              held by its supervisor
 *       admin.sock                        for firn
 *       api/api.sock                      for the worker: api/ is bound to PLACE_INSIDE
 *       log                               what the supervisor has to say */
#pragma once

#include "execution/execution.h"

#define PLACE_INSIDE "/run/firn-execution" /* in the container */
#define PLACE_SOCKET "api.sock"
#define PLACE_STORE  "/tmp/checker/podman-checkpoints" /* when nothing else is said */

/* Paths; the caller frees. */
char *place_checkpoint(const struct execution *e);
char *place_run(const struct execution *e, const char *name);

/* Makes <store>/<id>, which nobody else may be able to read or to replace. Before each use. */
int place_make_store(const struct execution *e, struct error *err);
/* Makes <runroot>/executions/<id>/api. */
int place_make_run(const struct execution *e, struct error *err);
/* Removes both. */
int place_remove(const struct execution *e, struct error *err);

/* The lock of the supervisor: its fd, or -EWOULDBLOCK without error text when somebody has it. */
int place_lock(const struct execution *e, struct error *err);
/* The same, but nothing is made: -ENOENT when there is no lock to hold. No error texts. */
int place_lock_known(const struct execution *e);
/* Is what we locked still the lock? */
bool place_lock_holds(const struct execution *e, int lock);
/* Removes <runroot>/executions/<id>. */
void place_remove_run(const struct execution *e);
