/* Image files: a magic number, then messages (messages.proto), some followed by raw bytes.
 *
 * Writing one:
 *
 *     image_put(sink, IMAGE_CORE, pid, &core, err);                    // a single message
 *
 *     _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_PIPES_DATA, 0);
 *     image_writer_add(w, &entry);
 *     image_writer_raw(w, bytes, entry.bytes);
 *     image_writer_put(w, sink, err);
 *
 * Reading:
 *
 *     _cleanup_message_ CoreEntry *core = NULL;
 *     image_get(dirfd, IMAGE_CORE, pid, (void **)&core, err);          // exactly one message
 *
 *     _cleanup_(image_freep) struct image *all = NULL;
 *     image_load(dirfd, IMAGE_FILES, 0, &all, err);                    // all messages
 *     for (size_t i = 0; i < all->count; i++)
 *         use((FileEntry *)all->messages[i]);
 *
 *     image_open, image_next, image_raw                                // one by one, with raw
 * bytes
 *
 * Images are untrusted: every size is checked, and errors name the file and what is wrong.
 *
 * To add a kind: a name here and a line in the table in image.c. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "format/messages.pb-c.h"
#include "format/sink.h"

enum image_kind {
    IMAGE_INVENTORY,
    IMAGE_PSTREE,
    IMAGE_CORE,
    IMAGE_IDS,
    IMAGE_MM,
    IMAGE_PAGEMAP, /* begins with a PagemapHead: image_next_as */
    IMAGE_PAGEMAP_SHMEM,
    IMAGE_PAGES, /* raw, no header */
    IMAGE_FS,
    IMAGE_FDINFO,
    IMAGE_FILES,
    IMAGE_REMAP_FPATH,
    IMAGE_GHOST_FILE, /* a GhostFileEntry, then raw bytes or GhostChunkEntry each with its bytes */
    IMAGE_MEMFD,
    IMAGE_PIPES_DATA,
    IMAGE_FIFO_DATA,
    IMAGE_SK_QUEUES,
    IMAGE_TCP_STREAM,
    IMAGE_TTY_INFO,
    IMAGE_TTY_DATA,
    IMAGE_FILELOCKS,
    IMAGE_SECCOMP,
    IMAGE_CGROUP,
    IMAGE_MOUNTPOINTS,
    IMAGE_TIMENS,
    IMAGE_UTSNS,
    IMAGE_USERNS,
    IMAGE_PIDNS,
    IMAGE_IPC_VAR,
    IMAGE_IPC_SHM,
    IMAGE_IPC_MSG, /* IpcMsgEntry, each followed by its messages: image_next_as */
    IMAGE_IPC_SEM,
    IMAGE_MQUEUE, /* MqueueEntry, each followed by its messages: image_next_as */
    IMAGE_NETNS,
    IMAGE_NETDEV,
    IMAGE_CPUINFO,
    IMAGE_BPFMAP_DATA,
    IMAGE_BINFMT_MISC,
    IMAGE_APPARMOR,
    IMAGE_TMPFS_DEV, /* raw: tar.gz of a tmpfs */
    IMAGE_STATS_DUMP,
    IMAGE_STATS_RESTORE,
    /* The following are only met in old dumps, which had a file for each type of open file. */
    IMAGE_REG_FILES,
    IMAGE_EXT_FILES,
    IMAGE_NS_FILES,
    IMAGE_EVENTFD,
    IMAGE_EVENTPOLL,
    IMAGE_EVENTPOLL_TFD,
    IMAGE_SIGNALFD,
    IMAGE_TIMERFD,
    IMAGE_INOTIFY,
    IMAGE_INOTIFY_WD,
    IMAGE_FANOTIFY,
    IMAGE_FANOTIFY_MARK,
    IMAGE_PIPES,
    IMAGE_FIFO,
    IMAGE_UNIXSK,
    IMAGE_INETSK,
    IMAGE_PACKETSK,
    IMAGE_NETLINKSK,
    IMAGE_TTY,
    IMAGE_TUNFILE,
    IMAGE_BPFMAP_FILE,
    IMAGE_VMAS,
    IMAGE_SIGACTS,
    IMAGE_ITIMERS,
    IMAGE_POSIX_TIMERS,
    IMAGE_CREDS,
    IMAGE_RLIMIT,
    IMAGE_KIND_COUNT,
};

#define IMAGE_NAME_MAX 64

/* The file name, "core-5.img". Kinds without a number in their name ignore it. Returns `name`. */
char *image_name(enum image_kind kind, uint64_t number, char name[IMAGE_NAME_MAX]);
bool image_exists(int dirfd, enum image_kind kind, uint64_t number);

/* ---- writing ---- */

struct image_writer;

struct image_writer *image_writer_new(enum image_kind kind, uint64_t number);
/* `message` is any message struct; it is packed now. */
void image_writer_add(struct image_writer *w, const void *message);
/* Bytes that belong to the message added last. */
void image_writer_raw(struct image_writer *w, const void *data, size_t size);
/* Writes the file. */
int image_writer_put(struct image_writer *w, struct sink *sink, struct error *err);
/* The same for a file whose last `payload` bytes are too many to keep in memory: the caller goes
 * on with sink_write and ends with sink_end. */
int image_writer_begin(struct image_writer *w, struct sink *sink, uint64_t payload,
                       struct error *err);
void image_writer_free(struct image_writer *w);
DEFINE_CLEANUP(struct image_writer *, image_writer_free);

/* A file with one message. */
int image_put(struct sink *sink, enum image_kind kind, uint64_t number, const void *message,
              struct error *err);

/* ---- reading ---- */

/* Frees any message that was read. */
void message_free(void *message);
static inline void cleanup_message(void *p)
{
    if (*(void **)p)
        message_free(*(void **)p);
}
#define _cleanup_message_ _cleanup_(cleanup_message)

struct image_reader;

/* -ENOENT if the file is not there. */
int image_open(int dirfd, enum image_kind kind, uint64_t number, struct image_reader **ret,
               struct error *err);
/* 1: a message, freed by the caller; 0: the end; -errno. */
int image_next(struct image_reader *r, void **ret, struct error *err);
/* The same for the message types that are not the usual one of this kind. */
int image_next_as(struct image_reader *r, const ProtobufCMessageDescriptor *type, void **ret,
                  struct error *err);
/* The raw bytes that follow; an error if the file has fewer. */
int image_raw(struct image_reader *r, void *data, size_t size, struct error *err);
int image_raw_skip(struct image_reader *r, uint64_t size, struct error *err);
/* What is left of the file. */
uint64_t image_left(const struct image_reader *r);
/* An error about the content: "<file>: <text>". */
int image_error(const struct image_reader *r, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void image_reader_free(struct image_reader *r);
DEFINE_CLEANUP(struct image_reader *, image_reader_free);

/* Opens a raw file (pages, tars) for reading: the fd and its size, or -errno. */
int image_open_raw(int dirfd, enum image_kind kind, uint64_t number, uint64_t *ret_size,
                   struct error *err);

/* Exactly one message. */
int image_get(int dirfd, enum image_kind kind, uint64_t number, void **ret, struct error *err);

struct image {
    void **messages;
    size_t count, room;
};

/* All messages of a file without raw bytes. A file that is not there is -ENOENT; with image_load_if
 * it reads as one without messages. */
int image_load(int dirfd, enum image_kind kind, uint64_t number, struct image **ret,
               struct error *err);
int image_load_if(int dirfd, enum image_kind kind, uint64_t number, struct image **ret,
                  struct error *err);
void image_free(struct image *image);
DEFINE_CLEANUP(struct image *, image_free);
