/* The restore's state and its steps. Internal to engine/. */
#pragma once

#include "base/arena.h"
#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/resources/resource.h"
#include "engine/task.h"
#include "format/image.h"

/* A pipe that was made and waits, in one process, for all its holders. */
struct parked_pipe {
    uint32_t id;
    struct task *task;
    int read_end, write_end;
};

/* The end of a unix socket that no process has; ours until `id` has what was sent. */
struct socket_end {
    uint32_t id;
    int fd;
};

/* An open file description that some process has. */
struct offer {
    struct task *task; /* NULL: nobody yet */
    int fd;
};

/* Shared anonymous memory, made in init before the others are born of it. */
struct nursery {
    uint64_t shmid;
    uint64_t size;
    bool segment;  /* of System V, with this id */
    uint32_t huge; /* MAP_HUGETLB_BITS */
    remote_addr address;
    struct page_range *pages; /* by their place in it */
    size_t page_range_count;
    uint32_t pages_id;
};

/* Memory of a process, or a file, that gets the content of pages-ID.img: range after range. */
struct filling {
    pid_t pid; /* 0: a file, `fd`, closed when it is filled */
    int fd;
    uint32_t pages_id;
    const struct page_range *ranges; /* from `base` on */
    size_t count;
    remote_addr base; /* of a process */
    bool filled;
};

/* A process that is to be dead, while pidfds of it are opened. */
struct departed {
    uint32_t ino; /* of the pidfds in the dump */
    int status;
    struct puppet puppet;
};

/* The messages of all images, freed at the end. */
struct loaded {
    struct image **images;
    size_t image_count, image_room;
    void **messages;
    size_t message_count, message_room;
};

struct restore {
    struct engine_restore_options options;
    struct refusals refusals; /* of plan_check */
    int dirfd;
    struct arena *arena;
    const struct fpu_layout *fpu;
    struct loaded loaded;
    struct tree tree;
    FileEntry **files; /* sorted by id */
    size_t file_count;
    struct hoarded *hoard; /* see hoard.h */
    size_t hoard_count, hoard_room;
    size_t *hoard_of;     /* as files: 0, or 1 + which of the hoard it is */
    struct offer *offers; /* as files */
    struct pipe_state *pipes;
    size_t pipe_count, pipe_room;
    struct socket_packets *packets; /* resources/socket-queue.h */
    struct socket_end *ends;
    size_t end_count, end_room;
    struct tcp_revived *connections; /* resources/tcp-stream.h */
    size_t connection_count, connection_room;
    int *old_sockets; /* resources/tcp-handover.h */
    size_t old_socket_count, old_socket_room;
    struct image *ttys; /* TtyInfoEntry */
    SeccompEntry *seccomp;
    struct json *extra;     /* see extra.h; NULL: none */
    struct image *locks;    /* FileLockEntry */
    struct ipc_object *ipc; /* see ipc.h */
    size_t ipc_count, ipc_room;
    struct nursery *nurseries;
    size_t nursery_count, nursery_room;
    struct cradle *cradles; /* see cradles.h */
    size_t cradle_count, cradle_room;
    struct filling *fillings;
    size_t filling_count, filling_room;
    /* Room in every address space that no process of the dump uses: the stage, a place to park the
     * vdso, the nurseries. */
    remote_addr ground;
    uint64_t ground_size;
    struct parked_pipe *parked;
    size_t parked_count, parked_room;
    struct departed *departed;
    size_t departed_count, departed_room;
    char console[64]; /* the slave of the container's terminal, "" if it has none */
    bool stdio_used[3];
    int base_fd; /* above all descriptors of the dump */
    pid_t init;
    bool seccomp_suspended, seized, released;
    bool groups_known, groups_fixed; /* see state/credentials.c */
    size_t inherited_filters;        /* that init had before the others were born of it */
    int64_t begin_us;
    struct engine_restore_stats stats;
};

/* engine/plan.c */
int plan_load(struct restore *r, struct error *err);
FileEntry *restore_file(const struct restore *r, uint32_t id);
/* Who has it; NULL if there is no such file. */
struct offer *restore_offer(const struct restore *r, uint32_t id);
const SeccompEntry *restore_seccomp(const struct restore *r);
/* engine/state/seccomp.c */
int restore_inherited_filters(struct restore *r, struct error *err);
/* engine/check.c: everything that can be known to be wrong before anything is done goes into
 * r->refusals. Negative only if nothing more can be judged. */
int plan_check(struct restore *r, struct error *err);
/* engine/resources/inet-ports.c: the same of addresses that others have, here and now. */
void inet_ports_check(struct restore *r);
int read_pagemap_head(struct restore *r, enum image_kind kind, uint64_t number,
                      struct image_reader **reader, uint32_t *pages_id, struct error *err);

/* engine/births.c */
int restore_take_init(struct restore *r, struct error *err);
int restore_births(struct restore *r, struct error *err);
int restore_groups(struct restore *r, struct error *err);
int restore_threads(struct restore *r, struct error *err);
/* A new child of `parent` with this pid; exit_signal 0 for one that is soon gone. */
int give_birth(struct restore *r, struct puppet *parent, pid_t vpid, int exit_signal,
               struct puppet *child, struct error *err);
/* Ends a helper or makes a zombie: the puppet exits with `status` (as wait(2) tells it). */
int let_die(struct restore *r, struct puppet *p, int status, struct error *err);
/* Takes the remains of one whose exit_signal was 0. */
int restore_reap(struct puppet *parent, pid_t vpid, struct error *err);
/* The first of the pids that no process of the dump has, nor any above. */
pid_t restore_free_pid(const struct restore *r);
/* engine/enter.c: a process made by us inside the container's namespaces. */
int enter_container(struct restore *r, struct task *t, struct error *err);

/* engine/ground.c */
int restore_find_ground(struct restore *r, struct error *err);
int restore_clear(struct restore *r, struct puppet *p, struct error *err);
remote_addr ground_vdso(const struct restore *r);

/* engine/memory-restore.c */
/* Brings them to a process that was not born of init. */
int nurseries_bring(struct restore *r, struct task *t, struct error *err);
int restore_nurseries(struct restore *r, struct error *err);
int restore_map_memory(struct restore *r, struct error *err);
int restore_finish_memory(struct restore *r, struct error *err);

/* engine/memory-fill.c */
/* The file of a filling is ours from here. */
void restore_fill_later(struct restore *r, const struct filling *f);
void restore_close_fillings(struct restore *r);
int restore_fill_memory(struct restore *r, struct error *err);

/* engine/descriptors-restore.c */
int restore_descriptors(struct restore *r, struct error *err);
/* engine/descriptors-batch.c: in a process that has no descriptor below base_fd. Says which are
 * `placed`; the rest is for the resources to make. */
int descriptors_make_simple(struct maker *m, bool *placed, struct error *err);
/* engine/resources/regular-file.c: for open(2). */
uint32_t regular_file_flags(const RegFileEntry *reg);
int restore_terminals(struct restore *r, struct error *err);
int restore_terminal_data(struct restore *r, struct error *err);
/* TCP connections go on; or, if the restore failed, nobody is told. */
void tcp_handover_fetch(struct restore *r);
void tcp_streams_go(struct restore *r);
void tcp_streams_drop(struct restore *r);
int socket_queues_load(struct restore *r, struct error *err);
int socket_queues_check(struct restore *r, struct error *err);
int restore_directories(struct restore *r, struct error *err);
/* What was only needed for making the others. */
int restore_close_spares(struct restore *r, struct error *err);
int restore_stdio_pipe(const struct restore *r, uint32_t pipe_id);
void restore_park(struct restore *r, uint32_t pipe_id, struct task *t, int read_end, int write_end);
const struct parked_pipe *restore_parked(const struct restore *r, uint32_t pipe_id);
/* A copy in this puppet of a descriptor of another (or the same). */
int maker_fetch_from(struct maker *m, const struct task *from, int fd, struct error *err);
/* Sets O_NONBLOCK and O_APPEND as in `flags`. */
int maker_flags(struct maker *m, int fd, uint32_t flags, struct error *err);
/* The open file of this id in this process, above all final descriptors; made if nobody has it. */
int maker_file(struct maker *m, uint32_t id, struct error *err);
/* The maker's descriptor `fd` is that file: others get it from here. */
int maker_offer(struct maker *m, uint32_t id, int fd, struct error *err);
/* A copy of a descriptor above all final ones. */
int maker_duplicate(struct maker *m, int fd, struct error *err);
/* Moves a descriptor there. */
int maker_raise(struct maker *m, int fd, struct error *err);
/* Standard descriptor 0..2 that the runtime gave the new init. */
int maker_stdio(struct maker *m, int index, uint32_t flags, struct error *err);
int terminal_restore_session(struct maker *m, const TtyInfoEntry *info, struct error *err);

/* engine/revive.c */
int restore_states(struct restore *r, struct error *err);
int restore_registers(struct restore *r, struct error *err);
