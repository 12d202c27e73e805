/* A container: its row in the database, its config document, its directories, its lock.
 *
 *     _cleanup_container_ struct container *c = NULL;
 *     int r = container_lookup(firn, "looper", &c, err);
 *
 * Whether it runs is not part of this: see state.h. What commands do to it: create.h init.h start.h
 * stop.h kill.h pause.h wait.h remove.h cleanup.h prune.h mount.h attach.h exec.h logs.h inspect.h
 * checkpoint.h restore.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "container/port.h"

struct firn;

/* What happened to it; kept in the database. Times in ns since the epoch, 0: never. */
struct container_facts {
    int64_t started_at;
    int64_t finished_at; /* of the last run; 0 while it never ended */
    int exit_code;       /* of the last run; valid when finished_at is set */
    bool oom_killed;
    int pid;           /* of the last run, kept after a checkpoint as Podman does */
    int conmon_pid;    /* likewise */
    bool checkpointed; /* ended by a checkpoint; reset by start */
    int64_t checkpointed_at;
    char *checkpoint_path; /* of the local checkpoint or the export file, NULL: none */
    char *checkpoint_log;
    bool restored; /* the present run began by a restore */
    int64_t restored_at;
    char *restore_log;
};

struct container {
    struct firn *firn;
    char *id; /* 64 hex digits */
    char *name;
    int64_t created_at;
    struct json
        *config;       /* libpod ContainerConfig document, see config.h; read-only after creation */
    struct json *spec; /* what container_prepare wrote to config.json; NULL: not prepared by us */
    struct container_facts facts;
    char *directory;                  /* <root>/containers/<id> */
    char *run_directory;              /* <runroot>/containers/<id>; the bundle the runtime sees */
    struct port_sockets port_sockets; /* of published ports, for conmon to hold */
    int lock_fd;                      /* -1: not locked by us */
    unsigned lock_depth;
};

void container_free(struct container *c);
DEFINE_CLEANUP(struct container *, container_free);
#define _cleanup_container_ _cleanup_(container_freep)

/* A growing list of containers. `{0}` is an empty one. */
struct container_list {
    struct container **items;
    size_t count;
    size_t room;
};
void container_list_add(struct container_list *list, struct container *c); /* takes c */
void container_list_free(struct container_list *list);
#define _cleanup_container_list_ _cleanup_(container_list_free)

/* --- finding ------------------------------------------------------------------------------- */

/* By name, id or unique id prefix. ERROR_NOT_FOUND:
 * `no container with name or ID "X" found: no such container`. */
int container_lookup(struct firn *firn, const char *name_or_id, struct container **ret,
                     struct error *err);
/* The one created last. ERROR_NOT_FOUND: `no such container`. */
int container_lookup_latest(struct firn *firn, struct container **ret, struct error *err);
/* All, oldest first. */
int container_list_all(struct firn *firn, struct container_list *ret, struct error *err);
/* Those that match all of `filters` ("key=value" as given to --filter: id name label status exited
 * ancestor before since volume network until). Values of one key are alternatives (labels must all
 * match). Bad ones: "X is an invalid filter". */
int container_list_filtered(struct firn *firn, char *const *filters, struct container_list *ret,
                            struct error *err);

/* What a command with [--all | --latest | CONTAINER...] works on. */
struct container_selection {
    char *const *names;
    bool all;
    bool latest;
    char *const *filters; /* only used with all, may be NULL */
};
/* Resolves everything before anything is done: one unknown name and nothing is selected. Checks the
 * combinations: `no arguments are needed with --all`, `--latest and containers cannot be used
 * together`, `--all and --latest cannot be used together`, `you must provide at least one name or
 * id`. */
int container_select(struct firn *firn, const struct container_selection *selection,
                     struct container_list *ret, struct error *err);

/* --- storing ------------------------------------------------------------------------------- */

/* A container that is not in the database yet: fills in the paths. Takes the config over; id, name
 * and createdTime are read from it. */
struct container *container_new(struct firn *firn, struct json *config);
/* Puts it into the database. ERROR_CONFLICT: `creating container storage: the container name "a2"
 * is already in use by <ID>. You have to remove that container to be able to reuse that name: that
 * name is already in use`, or `creating container storage: that ID is already in use`. */
int container_insert(struct container *c, struct error *err);
/* Reads the facts again. ERROR_NOT_FOUND when it was removed meanwhile. */
int container_refresh(struct container *c, struct error *err);
/* Writes facts back. Expects the lock. */
int container_save_facts(struct container *c, struct error *err);
/* Writes the config document back (restore under new circumstances only). Expects the lock. */
int container_save_config(struct container *c, struct error *err);
/* Takes it out of the database. Expects the lock. */
int container_delete_record(struct container *c, struct error *err);

/* --- lock ---------------------------------------------------------------------------------- */

/* One lock per container, held across processes (flock). May be nested. Taking it reads the facts
 * again; ERROR_NOT_FOUND when the container was removed meanwhile. */
int container_lock(struct container *c, struct error *err);
void container_unlock(struct container *c);
static inline void container_unlockp(struct container **c)
{
    if (*c)
        container_unlock(*c);
}
/* `_cleanup_locked_ struct container *locked = c;` right after a successful container_lock(c). */
#define _cleanup_locked_ _cleanup_(container_unlockp)

/* --- reading the config -------------------------------------------------------------------- */

bool container_has_tty(const struct container *c);
bool container_has_stdin(const struct container *c);
bool container_auto_removes(const struct container *c);      /* --rm */
const char *container_image_name(const struct container *c); /* rootfsImageName, may be "" */
const char *container_image_id(const struct container *c);
const char *container_hostname(const struct container *c); /* what uname says inside */
const char *container_log_driver(const struct container *c);
char *
container_log_path(const struct container *c); /* NULL with log driver none. The caller frees */
char **container_command(const struct container *c); /* entrypoint and command. The caller frees */
struct json *container_labels(const struct container *c); /* lent, may be NULL */
int container_stop_signal(const struct container *c);
unsigned container_stop_timeout(const struct container *c);
/* <directory>/NAME and <run_directory>/NAME. The caller frees. */
char *container_path(const struct container *c, const char *name);
char *container_run_path(const struct container *c, const char *name);
