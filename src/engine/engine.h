/* firn's engine: writes a running process tree to images and makes it again.
 *
 * It knows nothing of containers: a dump gets the pid of the tree's init, a restore gets a process
 * that an OCI runtime made and that is about to execute its program. Images go to a `struct sink`
 * and come from a directory. All calls of one job must come from one thread, which is the tracer
 * of all the processes and should live in a process of its own that ignores terminal signals: if
 * it dies during a dump the kernel lets the workload go on; during a restore the kernel kills it.
 *
 * Dump:
 *     dump_freeze(&options, &dump, err)      everything stands still
 *     dump_judge(dump, err)                  looked at; an error tells all that cannot be saved
 *     dump_write(dump, sink, err)            images written
 *     dump_release(dump, err)                goes on as if nothing had happened, or
 *     dump_kill(dump, err)                   ends it: the images are what is left
 *     dump_free(dump)                        also releases, if neither was done
 * Restore:
 *     restore_plan(&options, dirfd, &restore, err)   read and check everything; nothing was done
 *     restore_seize(restore, pid, err)       the runtime's waiting init
 *     (the caller lets the runtime start it)
 *     restore_build(restore, err)            until everything is in place, nothing of it ran
 *     restore_release(restore, err)          go
 *     restore_free(restore)                  without restore_release before: everything is killed
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/refusals.h"
#include "format/sink.h"

struct dump;
struct restore;

/* What becomes of unix sockets that are connected with the outside. */
enum unix_outside {
    UNIX_OUTSIDE_REFUSE,
    UNIX_OUTSIDE_CLOSE,     /* programs find them hung up */
    UNIX_OUTSIDE_RECONNECT, /* those that lead to a name are connected to it again, as new */
};

struct dump_options {
    pid_t init;                          /* in our pid namespace: process 1 of the container */
    const char *name;                    /* of the container, for error texts */
    const char *host_name, *domain_name; /* of its configuration; NULL: none */
    const char *cgroup; /* a cgroup directory whose processes (and those below it) all belong to the
                           tree; NULL: init's descendants and all of its pid namespace */
    /* What descriptors 0-2 of init pointed to when the runtime had made it ("pipe:[4711]"): their
     * other ends are the monitor's. NULL entries: nothing special. */
    const char *stdio[3];
    /* The seccomp filter the runtime has installed, as struct sock_filter[]: the kernel shows
     * filters to real root only. Size 0: not known. */
    const void *runtime_filter;
    size_t runtime_filter_size;
    /* What stood in init's mountinfo (proc(5)) when the runtime had made it; NULL: not known. */
    const char *mounts;
    /* Established TCP connections: kept as they are, or closed in the checkpoint; with neither they
     * are refused. */
    bool tcp_established, tcp_close;
    /* Who carries the connections that lead out of the network namespace, and ends with it
     * ("pasta"): such connections are refused. NULL: nobody. */
    const char *network_helper;
    enum unix_outside unix_outside;
    bool file_locks; /* keep locks on files that others outside may hold, too */
    /* The tree will go on afterwards: let it go on as early as possible, by twins (docs/puppet.md),
     * if there are so many bytes of memory to spare as its writing meanwhile may cost. */
    bool leave_running;
    uint64_t memory_to_spare;
    /* Asked now and then; true makes the dump stop with ERROR_CANCELLED. May be NULL. */
    bool (*cancelled)(void *context);
    /* Bytes of memory written so far and in all. May be NULL. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    /* Now and then while a process cannot be stopped, which may last: who it is, `why` ("while it
     * ..."), and for how long already. May be NULL. */
    void (*waiting)(void *context, pid_t vpid, const char *comm, const char *why,
                    int64_t microseconds);
    void *context;
};

/* Times in microseconds, counts in pages of 4 KiB. */
struct dump_stats {
    uint64_t freezing_time; /* until the last task stood still */
    uint64_t frozen_time;   /* from the first stop to release or kill */
    uint64_t memdump_time;  /* finding out which pages there are */
    uint64_t memwrite_time; /* writing them */
    uint64_t pages_scanned, pages_written;
    uint64_t images_written; /* freeze to last image written */
    uint32_t tasks, threads;
    uint32_t twins; /* processes that went on while their memory was written */
};

int dump_freeze(const struct dump_options *options, struct dump **ret, struct error *err);
/* Nothing was changed or written when this returns. Optional: dump_write does it, if it was not
 * done. */
int dump_judge(struct dump *d, struct error *err);
/* Whether all that was refused passes by itself, soon: data that a program is about to read. */
bool dump_may_pass(const struct dump *d);
int dump_write(struct dump *d, struct sink *sink, struct error *err);
int dump_release(struct dump *d, struct error *err);
int dump_kill(struct dump *d, struct error *err);
void dump_stats(const struct dump *d, struct dump_stats *ret);
void dump_free(struct dump *d);

/* A checkpoint that will not be restored any more (`images_dirfd`: its images): the connections
 * that were kept for it (tcp_established) end, without a word to the other side. */
int connections_forget(int images_dirfd);

/* The content of memory as a stream: the files pages-NUMBER.img of the images in any order, each
 * once. Blocks are valid until the next call. */
struct page_stream {
    void *context;
    /* 1: the next file; 0: there are no more; -errno. */
    int (*next)(void *context, uint32_t *number, uint64_t *size, struct error *err);
    /* 1: its next block, without gaps; 0: its end; -errno. */
    int (*read)(void *context, const void **data, size_t *size, struct error *err);
};

struct engine_restore_options {
    const char *name; /* of the container, for error texts */
    /* No process may get a capability that is not in this set (bit n: capability n): what the
     * container was created with. The images are not trusted to say. */
    uint64_t capabilities;
    /* What the dump's descriptors 0-2 of init pointed to (descriptors.json of the checkpoint):
     * files of this name become what the new init has as 0-2. */
    const char *stdio[3];
    const struct page_stream *pages; /* NULL: they are files in the directory of the images */
    bool tcp_established;            /* bring connections back that were kept */
    bool tcp_close;                  /* programs find them closed instead */
    bool file_locks;
    /* Called with a process made outside the runtime (one that had entered the container by exec):
     * puts it into the container's cgroups. May be NULL. */
    int (*join_cgroup)(void *context, pid_t pid, struct error *err);
    bool (*cancelled)(void *context);
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct engine_restore_stats {
    uint64_t forking_time; /* exec-stop to all processes there */
    uint64_t restore_time; /* exec-stop to release */
    uint64_t pages_restored;
    uint64_t pages_compared, pages_skipped_cow; /* of relatives; those found to be the same */
    uint32_t tasks, threads;
};

/* `dirfd` is the directory with the images; it stays the caller's and must live as long. */
int restore_plan(const struct engine_restore_options *options, int dirfd, struct restore **ret,
                 struct error *err);
/* All that would make restore_plan fail goes into `no`, and what only a restore would find out:
 * `ports` says that the container will have our network namespace, whose addresses may be taken.
 * 0 if it could be judged, whatever was found. */
int restore_judge(const struct engine_restore_options *options, int dirfd, bool ports,
                  struct refusals *no, struct error *err);
int restore_seize(struct restore *r, pid_t init, struct error *err);
int restore_build(struct restore *r, struct error *err);
int restore_release(struct restore *r, struct error *err);
/* Our pid of a process of the checkpoint once it was built; 0: there is none, or it is dead. */
pid_t restore_pid(const struct restore *r, pid_t vpid);
void restore_stats(const struct restore *r, struct engine_restore_stats *ret);
void restore_free(struct restore *r);
