/* System V: segments (attached twice, in part, read-only, by a child, deleted, by nobody),
 * semaphores and a message queue, with their ids, keys, owners and content. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "guest.h"

#define SIZE (40 * PAGE - 100)

struct message {
    long type;
    char text[100];
};

static int segment, idle, deleted, semaphores, queue, other_queue;
static char *first, *second, *part, *gone;
static struct guest_child child;
static unsigned rounds;
static unsigned short values[3] = {7, 0, 32767};

static void verify_child(void)
{
    rounds++;
    guest_check((unsigned)atoi(first + PAGE) == rounds, "the child sees %.10s", first + PAGE);
    snprintf(gone, 32, "%u", 1000 + rounds);
    struct sembuf down = {0, -1, 0};
    guest_check(semop(semaphores, &down, 1) == 0, "the child's semop");
}

static void verify_segments(void)
{
    struct shmid_ds s = {0};
    guest_check(shmget(0x1234, 0, 0) == segment, "the key leads to another id");
    guest_check(shmctl(segment, IPC_STAT, &s) == 0 && s.shm_segsz == SIZE &&
                    (s.shm_perm.mode & 0777) == 0640 && s.shm_perm.uid == 12 &&
                    s.shm_perm.gid == 34 && s.shm_perm.cuid == 0,
                "the segment's size, mode or owner");
    guest_check(s.shm_nattch == 4, "it is attached %lu times, not 4", (unsigned long)s.shm_nattch);
    guest_check(guest_filled(first + 2 * PAGE, 4 * PAGE, 1), "content");
    guest_check(guest_filled(part, PAGE, 9), "the read-only part");
    guest_check(shmctl(deleted, IPC_STAT, &s) == 0 && s.shm_perm.mode & SHM_DEST &&
                    s.shm_nattch == 2,
                "the deleted segment");
    char *at = shmat(idle, NULL, 0);
    guest_check(at != (char *)-1 && guest_filled(at, PAGE, 5), "the segment of nobody");
    shmdt(at);
    rounds++;
    snprintf(second + PAGE, 32, "%u", rounds);
}

static void verify_semaphores(void)
{
    unsigned short now[3] = {0};
    struct semid_ds s = {0};
    guest_check(semget(0x4321, 3, 0) == semaphores, "the semaphores' key");
    guest_check(semctl(semaphores, 0, GETALL, now) == 0 && memcmp(now, values, sizeof(now)) == 0,
                "the semaphores are %u %u %u", now[0], now[1], now[2]);
    guest_check(semctl(semaphores, 0, IPC_STAT, &s) == 0 && (s.sem_perm.mode & 0777) == 0606,
                "the semaphores' mode");
}

static void verify_queues(void)
{
    struct msqid_ds s = {0};
    struct message m;
    guest_check(msgctl(queue, IPC_STAT, &s) == 0 && s.msg_qnum == 3 && s.msg_qbytes == 5000,
                "%lu messages", (unsigned long)s.msg_qnum);
    for (int i = 0; i < 3; i++) {
        memset(&m, 0, sizeof(m));
        ssize_t n = msgrcv(queue, &m, sizeof(m.text), 0, IPC_NOWAIT);
        guest_check(n == 10 + i && m.type == 3 - i && m.text[0] == 'a' + i,
                    "message %d: %zd bytes, type %ld, %.10s", i, n, m.type, m.text);
        msgsnd(queue, &m, (size_t)n, 0);
    }
    guest_check(msgctl(other_queue, IPC_STAT, &s) == 0 && s.msg_qnum == 0, "the empty queue");
}

static void verify(void)
{
    verify_segments();
    verify_semaphores();
    verify_queues();
    guest_ask(&child);
    guest_check((unsigned)atoi(gone) == 1000 + rounds, "the deleted segment is not shared: %s",
                gone);
    struct sembuf up = {0, 1, 0};
    guest_check(semop(semaphores, &up, 1) == 0, "semop");
}

static void make_segments(void)
{
    int before = shmget(IPC_PRIVATE, PAGE, 0600);
    segment = shmget(0x1234, SIZE, IPC_CREAT | IPC_EXCL | 0640);
    struct shmid_ds s = {.shm_perm = {.uid = 12, .gid = 34, .mode = 0640}};
    guest_need(segment >= 0 && shmctl(segment, IPC_SET, &s) == 0, "a segment");
    shmctl(before, IPC_RMID, NULL);
    first = shmat(segment, NULL, 0);
    second = shmat(segment, NULL, 0);
    guest_fill(first + 2 * PAGE, 4 * PAGE, 1);
    guest_fill(first + 20 * PAGE, PAGE, 9);
    part = (char *)shmat(segment, NULL, SHM_RDONLY) + 20 * PAGE;
    munmap(part - 20 * PAGE, 20 * PAGE);
    munmap(part + PAGE, 19 * PAGE);
    idle = shmget(IPC_PRIVATE, PAGE, 0600);
    char *at = shmat(idle, NULL, 0);
    guest_fill(at, PAGE, 5);
    shmdt(at);
    deleted = shmget(IPC_PRIVATE, PAGE, 0600);
    gone = shmat(deleted, NULL, 0);
    guest_need(gone != (char *)-1 && shmctl(deleted, IPC_RMID, NULL) == 0, "a deleted segment");
}

int main(void)
{
    make_segments();
    semaphores = semget(0x4321, 3, IPC_CREAT | 0606);
    guest_need(semaphores >= 0 && semctl(semaphores, 0, SETALL, values) == 0, "semaphores");
    queue = msgget(0x77, IPC_CREAT | 0600);
    other_queue = msgget(IPC_PRIVATE, 0600);
    struct msqid_ds q = {.msg_perm = {.mode = 0600}, .msg_qbytes = 5000};
    guest_need(queue >= 0 && msgctl(queue, IPC_SET, &q) == 0, "a queue");
    for (int i = 0; i < 3; i++) {
        struct message m = {.type = 3 - i};
        memset(m.text, 'a' + i, sizeof(m.text));
        guest_need(msgsnd(queue, &m, (size_t)(10 + i), 0) == 0, "a message");
    }
    child = guest_fork(verify_child);
    /* the child's attachments: first, second and the part; here the second is enough */
    guest_need(shmdt(first) == 0 && shmdt(second) == 0, "detaching");
    first = second = shmat(segment, NULL, 0);
    munmap(part, PAGE);
    part = first + 20 * PAGE;
    guest_serve(verify);
}
