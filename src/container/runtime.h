/* The OCI runtime (crun, runc). runtime.c is the only file that knows its command line and its
 * state directory. `create` is called by conmon (monitor.h) with runtime_create_arguments(). */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/spawn.h"
#include "container/container.h"

/* `RT start ID`. */
int runtime_start(struct container *c, struct error *err);
/* `RT kill ID SIGNAL`. */
int runtime_kill(struct container *c, int signal, struct error *err);
/* `RT kill --all ID SIGNAL`: every process of the container. */
int runtime_kill_all(struct container *c, int signal, struct error *err);
int runtime_pause(struct container *c, struct error *err);
int runtime_resume(struct container *c, struct error *err);
/* `RT delete --force ID`; a container unknown to the runtime is success. */
int runtime_delete(struct container *c, struct error *err);
/* The same for one whose processes and cgroups are gone already: what is left is the runtime's
 * directory, and starting the runtime to remove it would cost more than the whole rest. */
int runtime_forget(struct container *c, struct error *err);
/* `RT --version`, verbatim. The caller frees; NULL on failure. */
char *runtime_version(const char *path);

/* The runtime's own state of it: */
bool runtime_knows(const struct container *c);
/* Created and not started yet. */
bool runtime_is_waiting_for_start(const struct container *c);

/* Does it leave compiled seccomp filters in its state directory (`seccomp.bpf`)? */
bool runtime_keeps_filters(const struct container *c);
/* A file of its state of this container. The caller frees. */
char *runtime_state_file(const struct container *c, const char *name);

/* For conmon: the path of the runtime of this container, and the arguments that come before the
 * runtime's sub-command. The caller frees. */
char *runtime_path(struct container *c, struct error *err);
char **runtime_global_arguments(struct container *c, const char *log_path);

/* Turns the runtime's message (its JSON log, or its stderr) into Podman's error: text and kind
 * (ERROR_CANNOT_INVOKE, ERROR_COMMAND_NOT_FOUND). */
int runtime_error(const struct container *c, const char *log_path, const char *message,
                  struct error *err);

/* What has to be done in a child before exec of conmon or the runtime (struct spawn's prepare): on
 * hosts with hybrid cgroups, a mount namespace of its own in which /sys/fs/cgroup/unified is gone.
 * NULL where nothing is needed. */
typedef int (*runtime_prepare)(void *context);
runtime_prepare runtime_prepare_callback(void);
