#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/fdinfo.h"
#include "engine/ipc.h"
#include "engine/resources/mqueue.h"
#include "engine/shield.h"

struct look {
    const struct mqueue *known;
    size_t count;
    int file;
};

/* All that the queue holds, into `content`, which has room for it. */
static int take_all(int queue, struct mqueue *q, char *content)
{
    const struct timespec now = {0};
    while (q->message_count < q->messages_max) {
        struct mqueue_head head;
        ssize_t n = mq_timedreceive(queue, content + q->bytes + sizeof(head), q->message_size,
                                    &head.priority, &now);
        if (n < 0)
            return errno == ETIMEDOUT ? 0 : -errno;
        head.size = (uint32_t)n;
        memcpy(content + q->bytes, &head, sizeof(head));
        q->bytes += sizeof(head) + head.size;
        q->message_count++;
    }
    return 0;
}

static int give_back(int queue, const struct mqueue *q, const char *content)
{
    int r = 0;
    for (uint64_t at = 0; at < q->bytes;) {
        struct mqueue_head head;
        memcpy(&head, content + at, sizeof(head));
        at += sizeof(head);
        if (mq_send(queue, content + at, head.size, head.priority) < 0)
            r = -errno;
        at += head.size;
    }
    return r;
}

/* Memory for everything is there before the first message is taken. */
static int copy_messages(int queue, struct mqueue *q, int file, off_t *end)
{
    size_t size = (size_t)q->messages_max * (q->message_size + sizeof(struct mqueue_head));
    off_t at = (*end + (off_t)sizeof(*q) + (off_t)PAGE - 1) & -(off_t)PAGE;
    if (fallocate(file, 0, at, (off_t)size) < 0)
        return -errno;
    char *content = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, at);
    if (content == MAP_FAILED)
        return -errno;
    int taken = take_all(queue, q, content), back = give_back(queue, q, content);
    munmap(content, size);
    *end = (at + (off_t)q->bytes + (off_t)PAGE - 1) & -(off_t)PAGE;
    if (ftruncate(file, *end) < 0)
        return -errno;
    return back < 0 ? back : taken;
}

/* "QSIZE:0 NOTIFY:0 SIGNO:10 NOTIFY_PID:4711" */
static int read_notification(int queue, struct mqueue *q)
{
    char text[128] = "";
    if (pread(queue, text, sizeof(text) - 1, 0) < 0)
        return -errno;
    const char *pid = strstr(text, "NOTIFY_PID:");
    q->notified = pid ? (pid_t)strtol(pid + strlen("NOTIFY_PID:"), NULL, 10) : 0;
    return 0;
}

static int look_at_queue(struct look *l, int queue, const char *name, bool unlinked)
{
    struct stat st;
    struct mq_attr a;
    if (queue < 0 || fstat(queue, &st) < 0 || mq_getattr(queue, &a) < 0)
        return -errno;
    off_t end = lseek(l->file, 0, SEEK_END), at = end;
    struct mqueue q = {.dev = st.st_dev,
                       .ino = st.st_ino,
                       .unlinked = unlinked,
                       .mode = st.st_mode & 07777,
                       .uid = st.st_uid,
                       .gid = st.st_gid,
                       .messages_max = (uint32_t)a.mq_maxmsg,
                       .message_size = (uint32_t)a.mq_msgsize,
                       .fd = -1};
    snprintf(q.name, sizeof(q.name), "%s", name);
    int r = read_notification(queue, &q);
    if (r == 0 && !q.notified) /* else the message that comes back would be news */
        r = copy_messages(queue, &q, l->file, &end);
    else if (r == 0 && ftruncate(l->file, end = (end + (off_t)sizeof(q) + (off_t)PAGE - 1) &
                                                -(off_t)PAGE) < 0)
        r = -errno;
    return r < 0 ? r : pwrite_full(l->file, &q, sizeof(q), at);
}

static int open_queues(void)
{
    _cleanup_close_ int fs = fsopen("mqueue", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    _cleanup_close_ int mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
    int fd = mount < 0 ? -1 : openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int look_at_named(struct look *l)
{
    int dirfd = open_queues(), r = 0;
    if (dirfd < 0)
        return dirfd;
    _cleanup_closedir_ DIR *dir = fdopendir(dirfd);
    for (const struct dirent *e; r == 0 && dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' && e->d_type == DT_DIR)
            continue;
        _cleanup_close_ int queue = openat(dirfd, e->d_name, O_RDWR | O_CLOEXEC);
        r = look_at_queue(l, queue, e->d_name, false);
    }
    return r;
}

static int look_at_unlinked(struct look *l)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->count; i++) {
        char path[64];
        if (!l->known[i].unlinked)
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", l->known[i].fd);
        _cleanup_close_ int queue = open(path, O_RDWR | O_CLOEXEC);
        r = look_at_queue(l, queue, l->known[i].name, true);
    }
    return r;
}

/* In the child. */
static int look(void *context, struct error *err)
{
    shield_us();
    int r = look_at_named(context);
    if (r == 0)
        r = look_at_unlinked(context);
    return r < 0 ? error_errno(err, -r, "cannot read the message queues") : 0;
}

static bool has_queues(void)
{
    int dirfd = open_queues();
    _cleanup_closedir_ DIR *dir = dirfd < 0 ? NULL : fdopendir(dirfd);
    const struct dirent *e = NULL;
    while (dir && (e = readdir(dir)) && e->d_name[0] == '.' && e->d_type == DT_DIR)
        ;
    return !dir || e;
}

int mqueues_read(pid_t init, const struct mqueue *known, size_t count, int file, struct error *err)
{
    struct look l = {known, count, file};
    if (!count && !ipc_may_have(init, has_queues))
        return 0;
    return ipc_enter(init, look, NULL, &l, err);
}
