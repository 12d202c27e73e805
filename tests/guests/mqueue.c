/* POSIX message queues: messages with priorities, attributes, one that is full, one that was
 * unlinked, one that nobody has open, and one that is shared with a child. */
#include <mqueue.h>
#include <sys/stat.h>

#include "guest.h"

#define MESSAGES 10
#define SIZE     512

static mqd_t mixed, reader, full, unlinked, shared;
static struct guest_child child;
static unsigned rounds;

static mqd_t make(const char *name, int flags, long count, long size)
{
    struct mq_attr a = {.mq_maxmsg = count, .mq_msgsize = size};
    mq_unlink(name);
    mqd_t q = mq_open(name, O_CREAT | O_EXCL | flags, 0640, &a);
    guest_need(q >= 0, name);
    return q;
}

static void put(mqd_t q, unsigned number, unsigned priority)
{
    char text[SIZE];
    int n = snprintf(text, sizeof(text), "message %u.%u", rounds, number);
    guest_check(mq_send(q, text, (size_t)n + 1, priority) == 0, "send: %s", strerror(errno));
}

static void expect(mqd_t q, unsigned number, unsigned priority)
{
    char text[SIZE] = "", wanted[SIZE];
    unsigned p = 0;
    snprintf(wanted, sizeof(wanted), "message %u.%u", rounds, number);
    ssize_t n = mq_receive(q, text, sizeof(text), &p);
    guest_check(n == (ssize_t)strlen(wanted) + 1 && strcmp(text, wanted) == 0 && p == priority,
                "'%s' of priority %u instead of '%s' of %u", text, p, wanted, priority);
}

/* Higher priorities first, and among equals who came first. */
static void fill(void)
{
    rounds++;
    put(mixed, 1, 0);
    put(mixed, 2, 5);
    put(mixed, 3, 0);
    put(mixed, 4, 32767);
    put(mixed, 5, 5);
    for (unsigned i = 0; i < MESSAGES; i++)
        put(full, i, i % 2);
    put(unlinked, 1, 7);
    put(shared, 1, 1);
}

static void verify_closed(void)
{
    struct stat st;
    mqd_t q = mq_open("/closed", O_RDWR);
    guest_check(q >= 0, "the queue that nobody had open is gone");
    guest_check(fstat(q, &st) == 0 && (st.st_mode & 07777) == 0604 && st.st_uid == 7 &&
                    st.st_gid == 8,
                "owner or mode of a queue changed: %o, %u:%u", st.st_mode, st.st_uid, st.st_gid);
    char text[SIZE] = "";
    guest_check(mq_receive(q, text, sizeof(text), NULL) == 5 && memcmp(text, "still", 5) == 0,
                "its message is gone");
    guest_check(mq_send(q, "still", 5, 3) == 0, "send");
    mq_close(q);
}

static void verify_child(void)
{
    rounds++;
    expect(shared, 1, 1);
}

static void verify(void)
{
    struct mq_attr a;
    guest_check(mq_getattr(mixed, &a) == 0 && a.mq_flags == O_NONBLOCK && a.mq_maxmsg == 8 &&
                    a.mq_msgsize == SIZE && a.mq_curmsgs == 5,
                "flags %#lx, %ld of %ld messages of %ld", a.mq_flags, a.mq_curmsgs, a.mq_maxmsg,
                a.mq_msgsize);
    expect(mixed, 4, 32767);
    expect(reader, 2, 5);
    expect(mixed, 5, 5);
    expect(mixed, 1, 0);
    expect(mixed, 3, 0);
    guest_check(mq_send(reader, "x", 1, 0) < 0 && errno == EBADF, "a reader may write");
    guest_check(mq_send(full, "x", 1, 0) < 0 && errno == EAGAIN, "the full queue is not full");
    for (unsigned i = 0; i < MESSAGES; i++)
        expect(full, i < MESSAGES / 2 ? 2 * i + 1 : 2 * i - MESSAGES, i < MESSAGES / 2);
    expect(unlinked, 1, 7);
    guest_check(mq_open("/unlinked", O_RDWR) < 0 && errno == ENOENT,
                "the unlinked queue has its name again");
    verify_closed();
    guest_ask(&child);
    fill();
}

int main(void)
{
    mixed = make("/mixed", O_RDWR | O_NONBLOCK, 8, SIZE);
    reader = mq_open("/mixed", O_RDONLY);
    full = make("/full", O_RDWR | O_NONBLOCK, MESSAGES, SIZE);
    unlinked = make("/unlinked", O_RDWR, 2, SIZE);
    shared = make("/shared", O_RDWR, 2, SIZE);
    guest_need(mq_unlink("/unlinked") == 0, "an unlinked queue");
    mqd_t closed = make("/closed", O_RDWR, 3, SIZE);
    guest_need(fchmod(closed, 0604) == 0 && fchown(closed, 7, 8) == 0 &&
                   mq_send(closed, "still", 5, 3) == 0 && mq_close(closed) == 0,
               "a closed queue");
    child = guest_fork(verify_child);
    fill();
    guest_serve(verify);
}
