/* The container of an execution: made, checkpointed, brought back. Only its supervisor does this
 * (and whoever starts it). */
#pragma once

#include "container/container.h"
#include "container/state.h"
#include "execution/execution.h"

/* Makes the container; it does not run yet. */
int vessel_create(const struct execution *e, struct error *err);
/* Looks. *ret_container (the caller frees; may be NULL) and *ret. ERROR_NOT_FOUND: there is none.
 */
int vessel_look(const struct execution *e, struct container **ret_container,
                struct container_status *ret, struct error *err);

/* Makes it run: from its checkpoint, else from its beginning. Sets what of `e` follows from that;
 * the caller saves it. */
int vessel_bring_up(struct execution *e, struct error *err);

/* Writes the checkpoint. `token` is that of the worker who asked for it, NULL: nobody. On success
 * `e` says so, and is saved. */
int vessel_checkpoint(struct execution *e, const char *token, bool leave_running,
                      struct error *err);

/* Ends it by a signal; one that does not run is success. */
int vessel_kill(const struct execution *e, int signal, struct error *err);
/* Removes it, in whatever state. Volumes stay. */
int vessel_remove(const struct execution *e, struct error *err);

/* What a container's config says of its execution: {"id", "config", "token", "sequence"}; NULL:
 * it is none's. Lent. */
const struct json *vessel_tag(const struct container *c);
