#include "format/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"

#define COMMON_MAGIC  0x54564319u
#define SERVICE_MAGIC 0x55105940u

/* No message is larger: the largest are the areas of a process, some 40 bytes each. */
#define MESSAGE_MAX (64u << 20)

enum number_form { PLAIN, DECIMAL, HEX };

struct kind {
    const char *head, *tail; /* of the name, before and after the number */
    enum number_form form;
    uint32_t outer, magic; /* 0: not there */
    const ProtobufCMessageDescriptor *entry;
};

#define ONE(name, m, type)                                                                         \
    {                                                                                              \
        name, "", PLAIN, COMMON_MAGIC, m, &type##__descriptor                                      \
    }
#define MANY(name, m, type)                                                                        \
    {                                                                                              \
        name "-", ".img", DECIMAL, COMMON_MAGIC, m, &type##__descriptor                            \
    }

static const struct kind kinds[IMAGE_KIND_COUNT] = {
    [IMAGE_INVENTORY] = {"inventory.img", "", PLAIN, 0, 0x58313116, &inventory_entry__descriptor},
    [IMAGE_PSTREE] = ONE("pstree.img", 0x50273030, pstree_entry),
    [IMAGE_CORE] = MANY("core", 0x55053847, core_entry),
    [IMAGE_IDS] = MANY("ids", 0x54432030, task_kobj_ids_entry),
    [IMAGE_MM] = MANY("mm", 0x57492820, mm_entry),
    [IMAGE_PAGEMAP] = MANY("pagemap", 0x56084025, pagemap_entry),
    [IMAGE_PAGEMAP_SHMEM] = MANY("pagemap-shmem", 0x56084025, pagemap_entry),
    [IMAGE_PAGES] = {"pages-", ".img", DECIMAL, 0, 0, NULL},
    [IMAGE_FS] = MANY("fs", 0x51403912, fs_entry),
    [IMAGE_FDINFO] = MANY("fdinfo", 0x56213732, fdinfo_entry),
    [IMAGE_FILES] = ONE("files.img", 0x56303138, file_entry),
    [IMAGE_REMAP_FPATH] = ONE("remap-fpath.img", 0x59133954, remap_file_path_entry),
    [IMAGE_GHOST_FILE] = {"ghost-file-", ".img", HEX, COMMON_MAGIC, 0x52583605,
                          &ghost_file_entry__descriptor},
    [IMAGE_MEMFD] = ONE("memfd.img", 0x48453499, memfd_inode_entry),
    [IMAGE_PIPES_DATA] = ONE("pipes-data.img", 0x56453709, pipe_data_entry),
    [IMAGE_FIFO_DATA] = ONE("fifo-data.img", 0x59333054, pipe_data_entry),
    [IMAGE_SK_QUEUES] = ONE("sk-queues.img", 0x56264026, sk_packet_entry),
    [IMAGE_TCP_STREAM] = {"tcp-stream-", ".img", HEX, COMMON_MAGIC, 0x51465506,
                          &tcp_stream_entry__descriptor},
    [IMAGE_TTY_INFO] = ONE("tty-info.img", 0x59453036, tty_info_entry),
    [IMAGE_TTY_DATA] = ONE("tty-data.img", 0x59413026, tty_data_entry),
    [IMAGE_FILELOCKS] = ONE("filelocks.img", 0x54323616, file_lock_entry),
    [IMAGE_SECCOMP] = ONE("seccomp.img", 0x64413049, seccomp_entry),
    [IMAGE_CGROUP] = ONE("cgroup.img", 0x59383330, cgroup_entry),
    [IMAGE_MOUNTPOINTS] = MANY("mountpoints", 0x55563928, mnt_entry),
    [IMAGE_TIMENS] = MANY("timens", 0x43114433, timens_entry),
    [IMAGE_UTSNS] = MANY("utsns", 0x54473203, utsns_entry),
    [IMAGE_USERNS] = MANY("userns", 0x55474906, userns_entry),
    [IMAGE_PIDNS] = MANY("pidns", 0x61157326, pidns_entry),
    [IMAGE_IPC_VAR] = MANY("ipcns-var", 0x53115007, ipc_var_entry),
    [IMAGE_IPC_SHM] = MANY("ipcns-shm", 0x46283044, ipc_shm_entry),
    [IMAGE_IPC_MSG] = MANY("ipcns-msg", 0x55453737, ipc_msg_entry),
    [IMAGE_IPC_SEM] = MANY("ipcns-sem", 0x59573019, ipc_sem_entry),
    [IMAGE_MQUEUE] = ONE("firn-mqueue.img", 0x6d71756e, mqueue_entry),
    [IMAGE_NETNS] = MANY("netns", 0x55933752, netns_entry),
    [IMAGE_NETDEV] = MANY("netdev", 0x57373951, net_device_entry),
    [IMAGE_CPUINFO] = ONE("cpuinfo.img", 0x61404013, cpuinfo_entry),
    [IMAGE_BPFMAP_DATA] = ONE("bpfmap-data.img", 0x64324033, bpfmap_data_entry),
    [IMAGE_BINFMT_MISC] = ONE("binfmt-misc.img", 0x67343323, binfmt_misc_entry),
    [IMAGE_APPARMOR] = ONE("apparmor.img", 0x59423047, apparmor_entry),
    [IMAGE_TMPFS_DEV] = {"tmpfs-dev-", ".tar.gz.img", DECIMAL, 0, 0, NULL},
    [IMAGE_STATS_DUMP] = {"stats-dump", "", PLAIN, SERVICE_MAGIC, 0x57093306,
                          &stats_entry__descriptor},
    [IMAGE_STATS_RESTORE] = {"stats-restore", "", PLAIN, SERVICE_MAGIC, 0x57093306,
                             &stats_entry__descriptor},
    [IMAGE_REG_FILES] = ONE("reg-files.img", 0x50363636, reg_file_entry),
    [IMAGE_EXT_FILES] = ONE("ext-files.img", 0x59255641, ext_file_entry),
    [IMAGE_NS_FILES] = ONE("ns-files.img", 0x61394011, ns_file_entry),
    [IMAGE_EVENTFD] = ONE("eventfd.img", 0x44523722, eventfd_file_entry),
    [IMAGE_EVENTPOLL] = ONE("eventpoll.img", 0x45023858, eventpoll_file_entry),
    [IMAGE_EVENTPOLL_TFD] = ONE("eventpoll-tfd.img", 0x44433746, eventpoll_tfd_entry),
    [IMAGE_SIGNALFD] = ONE("signalfd.img", 0x57323820, signalfd_entry),
    [IMAGE_TIMERFD] = ONE("timerfd.img", 0x50493712, timerfd_entry),
    [IMAGE_INOTIFY] = ONE("inotify.img", 0x48424431, inotify_file_entry),
    [IMAGE_INOTIFY_WD] = ONE("inotify-wd.img", 0x54562009, inotify_wd_entry),
    [IMAGE_FANOTIFY] = ONE("fanotify.img", 0x55096122, fanotify_file_entry),
    [IMAGE_FANOTIFY_MARK] = ONE("fanotify-mark.img", 0x56506035, fanotify_mark_entry),
    [IMAGE_PIPES] = ONE("pipes.img", 0x56513555, pipe_entry),
    [IMAGE_FIFO] = ONE("fifo.img", 0x58364939, fifo_entry),
    [IMAGE_UNIXSK] = ONE("unixsk.img", 0x54373943, unix_sk_entry),
    [IMAGE_INETSK] = ONE("inetsk.img", 0x56443851, inet_sk_entry),
    [IMAGE_PACKETSK] = ONE("packetsk.img", 0x60454618, packet_sock_entry),
    [IMAGE_NETLINKSK] = ONE("netlinksk.img", 0x58005614, netlink_sk_entry),
    [IMAGE_TTY] = ONE("tty.img", 0x59433025, tty_file_entry),
    [IMAGE_TUNFILE] = ONE("tunfile.img", 0x57143751, tunfile_entry),
    [IMAGE_BPFMAP_FILE] = ONE("bpfmap-file.img", 0x57506142, bpfmap_file_entry),
    [IMAGE_VMAS] = MANY("vmas", 0x54123737, vma_entry),
    [IMAGE_SIGACTS] = MANY("sigacts", 0x55344201, sa_entry),
    [IMAGE_ITIMERS] = MANY("itimers", 0x57464056, itimer_entry),
    [IMAGE_POSIX_TIMERS] = MANY("posix-timers", 0x52603957, posix_timer_entry),
    [IMAGE_CREDS] = MANY("creds", 0x54023547, creds_entry),
    [IMAGE_RLIMIT] = MANY("rlimit", 0x57113925, rlimit_entry),
};

char *image_name(enum image_kind kind, uint64_t number, char name[IMAGE_NAME_MAX])
{
    const struct kind *k = &kinds[kind];
    if (k->form == PLAIN)
        snprintf(name, IMAGE_NAME_MAX, "%s", k->head);
    else if (k->form == HEX)
        snprintf(name, IMAGE_NAME_MAX, "%s%" PRIx64 "%s", k->head, number, k->tail);
    else
        snprintf(name, IMAGE_NAME_MAX, "%s%" PRIu64 "%s", k->head, number, k->tail);
    return name;
}

bool image_exists(int dirfd, enum image_kind kind, uint64_t number)
{
    char name[IMAGE_NAME_MAX];
    struct stat st;
    return fstatat(dirfd, image_name(kind, number, name), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

struct image_writer {
    char name[IMAGE_NAME_MAX];
    struct buf content;
};

/* All numbers in images are little-endian. */
static void add_u32(struct buf *b, uint32_t v)
{
    const unsigned char bytes[4] = {v & 255, v >> 8 & 255, v >> 16 & 255, v >> 24};
    buf_add(b, bytes, sizeof(bytes));
}

struct image_writer *image_writer_new(enum image_kind kind, uint64_t number)
{
    struct image_writer *w = xcalloc(1, sizeof(*w));
    image_name(kind, number, w->name);
    if (kinds[kind].outer)
        add_u32(&w->content, kinds[kind].outer);
    if (kinds[kind].magic)
        add_u32(&w->content, kinds[kind].magic);
    return w;
}

void image_writer_add(struct image_writer *w, const void *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    add_u32(&w->content, (uint32_t)size);
    protobuf_c_message_pack(message, buf_reserve(&w->content, size));
    w->content.size += size;
}

void image_writer_raw(struct image_writer *w, const void *data, size_t size)
{
    buf_add(&w->content, data, size);
}

int image_writer_put(struct image_writer *w, struct sink *sink, struct error *err)
{
    return sink_put(sink, w->name, w->content.data, w->content.size, err);
}

int image_writer_begin(struct image_writer *w, struct sink *sink, uint64_t payload,
                       struct error *err)
{
    int r = sink_begin(sink, w->name, w->content.size + payload, 0600, err);
    return r < 0 ? r : sink_write(sink, w->content.data, w->content.size, err);
}

void image_writer_free(struct image_writer *w)
{
    buf_free(&w->content);
    free(w);
}

int image_put(struct sink *sink, enum image_kind kind, uint64_t number, const void *message,
              struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(kind, number);
    image_writer_add(w, message);
    return image_writer_put(w, sink, err);
}

void message_free(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

struct image_reader {
    char name[IMAGE_NAME_MAX];
    const struct kind *kind;
    FILE *file;
    uint64_t left;
};

int image_error(const struct image_reader *r, struct error *err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *text = xvasprintf(format, ap);
    va_end(ap);
    return error_set(err, EINVAL, "checkpoint file %s: %s", r->name, text);
}

int image_raw(struct image_reader *r, void *data, size_t size, struct error *err)
{
    if (size > r->left)
        return image_error(r, err, "it ends too early, the file is truncated");
    if (fread(data, 1, size, r->file) != size)
        return ferror(r->file) ? error_errno(err, errno, "cannot read checkpoint file %s", r->name)
                               : image_error(r, err, "it became shorter while it was read");
    r->left -= size;
    return 0;
}

int image_raw_skip(struct image_reader *r, uint64_t size, struct error *err)
{
    if (size > r->left)
        return image_error(r, err, "it ends too early, the file is truncated");
    if (fseeko(r->file, (off_t)size, SEEK_CUR) < 0)
        return error_errno(err, errno, "cannot read checkpoint file %s", r->name);
    r->left -= size;
    return 0;
}

uint64_t image_left(const struct image_reader *r)
{
    return r->left;
}

static int get_u32(struct image_reader *r, uint32_t *ret, struct error *err)
{
    unsigned char b[4];
    int n = image_raw(r, b, sizeof(b), err);
    if (n == 0)
        *ret = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return n;
}

static int check_magic(struct image_reader *r, uint32_t magic, struct error *err)
{
    uint32_t found = 0;
    if (!magic)
        return 0;
    int n = get_u32(r, &found, err);
    if (n == 0 && found != magic)
        return image_error(r, err,
                           "it begins with 0x%08x instead of 0x%08x, this is not such a file",
                           found, magic);
    return n;
}

static int open_regular(int dirfd, const char *name, uint64_t *ret_size, struct error *err)
{
    struct stat st;
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    _cleanup_close_ int fd = openat(dirfd, name, flags);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, ENOENT, "the checkpoint has no file %s", name);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot open checkpoint file %s", name);
    if (!S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "checkpoint file %s: it is not a regular file", name);
    *ret_size = (uint64_t)st.st_size;
    return take_fd(fd);
}

static int open_file(struct image_reader *r, int dirfd, struct error *err)
{
    _cleanup_close_ int fd = open_regular(dirfd, r->name, &r->left, err);
    if (fd < 0)
        return fd;
    r->file = fdopen(fd, "re");
    if (!r->file)
        return error_errno(err, errno, "cannot open checkpoint file %s", r->name);
    take_fd(fd);
    return 0;
}

int image_open_raw(int dirfd, enum image_kind kind, uint64_t number, uint64_t *ret_size,
                   struct error *err)
{
    char name[IMAGE_NAME_MAX];
    return open_regular(dirfd, image_name(kind, number, name), ret_size, err);
}

int image_open(int dirfd, enum image_kind kind, uint64_t number, struct image_reader **ret,
               struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *r = xcalloc(1, sizeof(*r));
    r->kind = &kinds[kind];
    image_name(kind, number, r->name);
    int n = open_file(r, dirfd, err);
    if (n == 0)
        n = check_magic(r, r->kind->outer, err);
    if (n == 0)
        n = check_magic(r, r->kind->magic, err);
    if (n < 0)
        return n;
    *ret = take_ptr(r);
    return 0;
}

int image_next_as(struct image_reader *r, const ProtobufCMessageDescriptor *type, void **ret,
                  struct error *err)
{
    if (!r->left)
        return 0;
    uint32_t size = 0;
    int n = get_u32(r, &size, err);
    if (n < 0)
        return n;
    if (size > MESSAGE_MAX)
        return image_error(r, err, "it has an entry of %u bytes, which cannot be true", size);
    if (size > r->left) /* before memory is taken for it */
        return image_error(r, err, "it ends too early, the file is truncated");
    _cleanup_free_ uint8_t *packed = xmalloc(size ? size : 1);
    n = image_raw(r, packed, size, err);
    if (n < 0)
        return n;
    void *message = protobuf_c_message_unpack(type, NULL, size, packed);
    if (!message)
        return image_error(r, err, "it has an entry that is not a valid %s", type->name);
    *ret = message;
    return 1;
}

int image_next(struct image_reader *r, void **ret, struct error *err)
{
    if (!r->kind->entry)
        return image_error(r, err, "it has no entries");
    return image_next_as(r, r->kind->entry, ret, err);
}

void image_reader_free(struct image_reader *r)
{
    if (r->file)
        fclose(r->file);
    free(r);
}

int image_get(int dirfd, enum image_kind kind, uint64_t number, void **ret, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *r = NULL;
    _cleanup_message_ void *message = NULL;
    int n = image_open(dirfd, kind, number, &r, err);
    if (n == 0)
        n = image_next(r, &message, err);
    if (n < 0)
        return n;
    if (n == 0)
        return image_error(r, err, "it is empty");
    if (r->left)
        return image_error(r, err, "it has more than the one entry it should have");
    *ret = take_ptr(message);
    return 0;
}

int image_load(int dirfd, enum image_kind kind, uint64_t number, struct image **ret,
               struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *r = NULL;
    _cleanup_(image_freep) struct image *image = xcalloc(1, sizeof(*image));
    int n = image_open(dirfd, kind, number, &r, err);
    void *message = NULL;
    while (n >= 0 && (n = image_next(r, &message, err)) > 0) {
        array_reserve(image->messages, image->count, image->room);
        image->messages[image->count++] = message;
    }
    if (n < 0)
        return n;
    *ret = take_ptr(image);
    return 0;
}

int image_load_if(int dirfd, enum image_kind kind, uint64_t number, struct image **ret,
                  struct error *err)
{
    if (image_exists(dirfd, kind, number))
        return image_load(dirfd, kind, number, ret, err);
    *ret = xcalloc(1, sizeof(**ret));
    return 0;
}

void image_free(struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        message_free(image->messages[i]);
    free(image->messages);
    free(image);
}
